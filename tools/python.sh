#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# python.sh VERSION...: print the first of these Pythons (3.12, ...) that is on this machine and has venv and pip.
# Each is run: a version manager's shim may be on PATH and start nothing. Of a virtual environment it is the Python below.
set -euo pipefail

for version in "$@"; do
  for python in "python$version" "/usr/bin/python$version" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$version".*/bin/python3; do
    "$python" -c "import sys, venv, ensurepip; '%d.%d' % sys.version_info[:2] == '$version' or sys.exit(1); print(sys._base_executable)" \
      2>/dev/null && exit
  done
done
echo "no Python $* with venv on this machine (Debian: apt-get install python3-venv)" >&2
exit 1
