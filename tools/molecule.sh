#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# molecule.sh SCENARIO...: test these scenarios of molecule/, two at a time. Called by `make molecule`.
# Prints one line for each step, and all output of a failed scenario. V=1: all output.
set -euo pipefail
cd "$(dirname "$0")/.."

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export home NO_COLOR=1 MOLECULE_GLOB='molecule/*/molecule.yml'
export TEST_HOSTS_OWNER=$$ # its hosts end with this process

# molecule's state below ANSIBLE_HOME would be shared by all checkouts of this name.
run() {
  set -o pipefail
  local show="s/.*\[($1) > (\w+)\] Executing$/\1: \2/p"
  [[ ${V-} != 1 ]] || show="s/^/$1: /p"
  export ANSIBLE_HOME=$home/$1
  molecule -c .config/molecule/config.yml test -s "$1" 2>&1 | tee "$home/$1.log" | sed -nuE "$show" && return
  [[ ${V-} == 1 ]] || sed "s/^/$1: /" "$home/$1.log"
  echo "$1: failed"
  return 1
}
export -f run

# shellcheck disable=SC2016 # for the shell that xargs starts
printf '%s\0' "$@" | xargs -0 -n 1 -P 2 bash -c 'run "$0"'
