#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# programs_on_host.sh [PATH ...]: run the wrappers' tests on a test host of SUITE, with that host's bash, coreutils, perl and Python.
# There is no cargo on the host: tests that need a real one are skipped there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
run=programs-$$
export SUITE=${SUITE:-forky}

on_host() { "$here/hosts/hosts.sh" ssh "$run" host1 -- sudo "$@"; }

trap '"$here/hosts/hosts.sh" down "$run" >/dev/null 2>&1 || :' EXIT
"$here/hosts/hosts.sh" up "$run" host1 --owner $$ >/dev/null
on_host sh -c '"apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
  ansible-core python3-pytest python3-pytest-xdist python3-hypothesis gcc libc6-dev git shellcheck procps mount" >/dev/null'
folder=/srv/ansible_collections/nova/agent_host
(cd "$here/.." && git ls-files -co --exclude-standard -z | tar -c --null -T - --ignore-failed-read) |
  on_host sh -c "'mkdir -p $folder && tar -x --no-same-owner -C $folder && git init -q $folder && git -C $folder add -A'"
on_host env ANSIBLE_COLLECTIONS_PATH=/srv PYTHONPATH=/srv LC_ALL=C.UTF-8 \
  python3 -m pytest -rs -n 2 --dist loadfile -p no:cacheprovider --rootdir "$folder" "${@:-$folder/tests/programs/wrappers}"
