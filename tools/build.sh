#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: build the collection's tarball in FOLDER. REPOSITORY=URL replaces the address of the repository in galaxy.yml,
# with which all addresses in galaxy.yml begin.
set -euo pipefail
folder=$(realpath "$1")
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git ls-files -co --exclude-standard -z | while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
  xargs -0 cp -P --parents -t "$work"
if [[ ${REPOSITORY-} ]]; then
  own=$(sed -nE 's/^repository: //p' galaxy.yml)
  sed -i "s|$own|$REPOSITORY|" "$work/galaxy.yml"
fi
ansible-galaxy collection build --force --output-path "$folder" "$work"
