#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Test hosts on this machine. See README.md in this folder, or `hosts.sh --help`.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# The first python on PATH can be the shim of a version manager that refuses to run here.
for python in "${PYTHON:-}" python3 /usr/bin/python3; do
  python=$(command -v -- "$python") || continue
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || continue
  environment=("PYTHONPATH=$here" PYTHONDONTWRITEBYTECODE=1)
  [[ $EUID -eq 0 ]] && exec env "${environment[@]}" "$python" -m testhosts "$@"
  sudo -n true 2>/dev/null || {
    echo "test hosts: needs root, or sudo without a password" >&2
    exit 1
  }
  # sudo removes the environment, so pass the variables of the command line.
  for name in HOME XDG_CACHE_HOME SUITE MIRROR TEST_HOSTS_OWNER TEST_HOSTS_RANGE TEST_HOSTS_PATIENCE http_proxy https_proxy; do
    [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
  done
  exec sudo -n env "${environment[@]}" "$python" -m testhosts "$@"
done
echo "test hosts: python3 (3.9 or newer) is needed" >&2
exit 1
