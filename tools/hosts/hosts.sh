#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Test hosts: real systemd hosts on this machine. See README.md here, or `hosts.sh --help`.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# A version manager's shim may stand first on PATH and refuse to run outside of its project.
for python in "${PYTHON:-}" python3 /usr/bin/python3; do
  python=$(command -v -- "$python") || continue
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
  environment=("PYTHONPATH=$here" PYTHONDONTWRITEBYTECODE=1)
  [[ $EUID -eq 0 ]] && exec env "${environment[@]}" "$python" -m testhosts "$@"
  sudo -n true 2>/dev/null || {
    echo "test hosts: root is needed, or sudo that asks for no password" >&2
    exit 1
  }
  # sudo drops the environment: hand over what the command line reads.
  for name in HOME XDG_CACHE_HOME SUITE MIRROR TEST_HOSTS_OWNER TEST_HOSTS_RANGE http_proxy https_proxy; do
    [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
  done
  exec sudo -n env "${environment[@]}" "$python" -m testhosts "$@"
done
echo "test hosts: python3 (3.9 or newer) is needed" >&2
exit 1
