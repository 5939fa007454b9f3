# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shares the variables of its callers
# What cargo's configuration says of aliases and runners. cargo_agent.sh sources this file where it matters.

# What `cargo run` calls instead of the program itself: its build is done, so the slot goes back.
# shellcheck disable=SC2016 # for the shell that cargo starts
RUNNER='target."cfg(all())".runner = ["bash", "-c", '\
'"flock -u $NOVA_CARGO_SLOT_FD; unset NOVA_CARGO_SLOT; exec \"$@\"", "cargo_agent"]'

# read_alias VALUE: sets `expansion` to the words of a string or array that ends on its line, else to nothing.
read_alias() {
  local value=$1 text='' array='' item="^[[,[:space:]]*[\"']([^\"'\\]*)[\"'](.*)$" end='^[[:space:]]*(#.*)?$'
  [[ $value != \[* ]] || array=1 end='^[,[:space:]]*][[:space:]]*(#.*)?$'
  while [[ $value =~ $item ]]; do
    text=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    expansion+=("$text")
    [[ $array ]] || break
  done
  if [[ ! $value =~ $end ]]; then expansion=()
  elif [[ ! $array ]]; then read -ra expansion <<<"$text"
  fi
}

# find_alias NAME: sets `expansion` to what CARGO_ALIAS_NAME or cargo's configuration makes of NAME, or to nothing.
find_alias() {
  local LC_ALL=C file line section variable found known
  local key="^[[:space:]]*(alias\\.)?[\"']?$1[\"']?[[:space:]]*=[[:space:]]*(.*)$"
  expansion=()
  [[ $1 =~ ^[A-Za-z0-9_-]+$ ]] || return 0
  variable=${1^^} variable=CARGO_ALIAS_${variable//-/_}
  read -rd '' -a expansion <<<"${!variable-}" || true
  known=${expansion[*]-}
  find_upwards .cargo/config .cargo/config.toml
  for file in "${found[@]}" "${CARGO_HOME:-${HOME-}/.cargo}"/config{,.toml}; do
    [[ ! $known && -f $file ]] || continue # the nearest definition counts
    section=''
    while read -r line || [[ $line ]]; do
      if [[ $line =~ ^\[([^]]*)\] ]]; then section=${BASH_REMATCH[1]//[[:space:]]/}.
      elif [[ $line =~ $key && ${section#.}${BASH_REMATCH[1]} == alias. ]]; then
        known=1
        read_alias "${BASH_REMATCH[2]}"
      fi
    done <"$file"
  done
}

# release_before_program: makes `cargo run` give the slot back when its build is done, by way of cargo's runner.
release_before_program() {
  local file text name
  # A runner of the repository's own has precedence: then the slot is held to the end.
  for name in "${!CARGO_TARGET_@}"; do [[ $name != *_RUNNER ]] || return 0; done
  find_upwards .cargo/config .cargo/config.toml
  for file in "${found[@]}" "${CARGO_HOME:-${HOME-}/.cargo}"/config{,.toml}; do
    [[ -f $file ]] || continue
    read -rd '' text <"$file" || true
    [[ $text != *runner* ]] || return 0
  done
  words=(--config "$RUNNER" "${words[@]}")
}
