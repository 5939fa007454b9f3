#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# python.sh VERSION...: print the path of the first of these Pythons (3.12, ...) that works and has venv and pip.
# Each is started, because a shim of a version manager can fail. For a virtual environment it prints the base Python.
set -euo pipefail

for version in "$@"; do
  for python in "python$version" "/usr/bin/python$version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python3; do
    "$python" -c "import sys, venv, ensurepip; '%d.%d' % sys.version_info[:2] == '$version' or sys.exit(1); print(sys._base_executable)" \
      2>/dev/null && exit
  done
done
echo "no Python $* with venv on this machine (Debian: apt-get install python3-venv)" >&2
exit 1
