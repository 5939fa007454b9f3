#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Record what read_host() reads on the host where this runs, as one text: ssh HOST sudo bash -s WHAT <record.sh >NAME.txt
# Lines that say nothing about memory, CPUs or cgroups stay out.
set -euo pipefail

# show FILE [PATTERN]: the lines that match
show() {
  [[ -r $1 ]] || return 0
  printf '== %s\n' "$1"
  grep -E "${2:-}" "$1" || :
}

printf '# %s: recorded on %s, kernel %s\n' "${1:-a host}" "$(date -u +%F)" "$(uname -r | cut -d- -f1)"
show /proc/meminfo '^(MemTotal|SwapTotal|Huge.*):'
show /proc/1/status '^Cpus_allowed_list'
show /sys/devices/system/cpu/online
show /proc/1/cgroup
show /proc/self/mountinfo ' - cgroup2? '
while IFS=: read -r _ controllers path; do
  while :; do
    case ,$controllers, in
      ,,) show "/sys/fs/cgroup${path%/}/memory.max" ; show "/sys/fs/cgroup/unified${path%/}/memory.max" ;;
      *,memory,*) show "/sys/fs/cgroup/memory${path%/}/memory.limit_in_bytes" ;;
    esac
    [[ $path != / ]] || break
    path=${path%/*}
    path=${path:-/}
  done
done </proc/1/cgroup
