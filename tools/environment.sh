#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# environment.sh FOLDER REQUIREMENTS PYTHON: make a virtual environment that can import this checkout as the collection.
set -euo pipefail
folder=$1 requirements=$2 python=$3
[[ $python ]] || {
  echo "make: set PYTHON= to a Python 3.12 or newer" >&2
  exit 1
}
checkout=$(cd "$(dirname "$0")/.." && pwd)

echo "Setting up $folder with $python ..."
mkdir -p "$(dirname "$folder")"
"$python" -m venv --clear "$folder"
# Most modules are never imported. Python compiles the others at their first import.
"$folder/bin/pip" install -qq --no-compile --disable-pip-version-check --require-hashes -r "$requirements"
# One link makes the collection importable from a clone at any path, one serves ansible-playbook and mypy.
for place in "$folder"/lib/python3.*/site-packages "$folder/collections"; do
  mkdir -p "$place/ansible_collections/nova"
  ln -sfn "$checkout" "$place/ansible_collections/nova/agent_host"
done
touch "$folder/.ready"
