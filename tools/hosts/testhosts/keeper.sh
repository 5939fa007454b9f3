#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Keeps one host running, in a mount namespace of its own that holds the host's overlay: nothing is left to unmount.
set -euo pipefail
machine=$1 hostname=$2 bridge=$3 base=$4 disk=$5 groups=$6
keeper=("${@:7:groups}") container=("${@:7+groups}")

join() {
  local group
  for group in "$@"; do echo "$BASHPID" >"$group/cgroup.procs"; done
}

join "${keeper[@]}"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$disk/upper,workdir=$disk/work" "$disk/root"
mount -t tmpfs -o mode=755 tmpfs /run # systemd-nspawn leaves locks there

while :; do
  # What the previous boot left of its control groups.
  find "${container[@]}" -mindepth 1 -depth -type d -exec rmdir {} +
  status=0
  (
    # systemd-nspawn hands on the group that it was started in, so no other process may be in there.
    join "${container[@]}"
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 # as on Ubuntu, whatever this machine has
    exec systemd-nspawn --quiet --settings=no --directory="$disk/root" --boot --register=no --keep-unit \
      --machine="$machine" --hostname="$hostname" --network-bridge="$bridge" \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe
  ) || status=$?
  [[ $status -eq 133 ]] || exit "$status" # 133: the host asked for a reboot
done
