# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shares the variables of its callers
# What the files of cargo's and rustup's configuration say. cargo_agent.sh sources this file where they matter.

# What `cargo run` calls instead of the program itself: its build is done, so the slot goes back, and with it what would lead
# the program's own calls of cargo round the wrapper.
# shellcheck disable=SC2016 # for the shell that cargo starts
RUNNER='target."cfg(all())".runner = ["bash", "-c", "flock -u $NOVA_CARGO_SLOT_FD; PATH=${PATH#\"$NOVA_CARGO_PATH_ENTRY\"}; '\
'unset NOVA_CARGO_SLOT NOVA_CARGO_SLOT_FD NOVA_CARGO_PATH_ENTRY ${NOVA_CARGO_OWN_TOOLCHAIN:+RUSTUP_TOOLCHAIN}; '\
'unset NOVA_CARGO_OWN_TOOLCHAIN; exec \"$@\"", "cargo_agent"]'

# find_configuration: sets `found` to the files of cargo's configuration, nearest first.
find_configuration() {
  local file known
  local -a files
  find_configuration_files
  files=("${found[@]}" "${CARGO_HOME:-${HOME-}/.cargo}"/config{,.toml}) found=()
  for file in "${files[@]}"; do
    [[ $file == */config?(.toml) && -f $file ]] || continue
    # Cargo reads one file of a folder, and each folder once.
    for known in "${found[@]}"; do [[ ! ${file%/*} -ef ${known%/*} ]] || continue 2; done
    [[ -r $file ]] || fail "${file@Q} may not be read"
    found+=("$file")
  done
}

# read_setting FILE TABLE KEY: sets `value` to what stands on the line behind KEY = in TABLE; false where it isn't there.
read_setting() {
  local LC_ALL=C line table='' is='[[:space:]]*=[[:space:]]*' quote="[\"']?"
  local key="^($quote$2${quote}[[:space:]]*\\.[[:space:]]*)?$quote$3$quote$is(.*)$"
  local inline="^$2$is\\{(.*[^A-Za-z0-9_-])?$3$quote$is(.*)$"
  while read -r line || [[ $line ]]; do
    line=${line#$'\xef\xbb\xbf'} line=${line%$'\r'} # a mark of UTF-8, and line ends of Windows
    if [[ $line =~ ^\[([^]]*)\] ]]; then table=${BASH_REMATCH[1]//[[:space:]\"\']/}
    elif [[ ($line =~ $key && $table${BASH_REMATCH[1]:+$2} == "$2") || (! $table && $line =~ $inline) ]]; then
      value=${BASH_REMATCH[2]}
      return
    fi
  done <"$1"
  return 1
}

# read_words VALUE: sets `expansion` to the words of a string or array that ends on its line, else to nothing.
read_words() {
  local value=$1 text='' array='' item="^[[,[:space:]]*[\"']([^\"'\\]*)[\"'](.*)$" end='^[[:space:]]*(#.*)?$'
  expansion=()
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
  local LC_ALL=C file value variable found
  local -a nearer=()
  expansion=()
  [[ $1 =~ ^[A-Za-z0-9_-]+$ ]] || return 0
  variable=${1^^} variable=CARGO_ALIAS_${variable//-/_}
  read -rd '' -a nearer <<<"${!variable-}" || true
  find_configuration
  for file in "${found[@]}"; do
    read_setting "$file" alias "$1" || continue
    [[ $value == \[* || ! ${nearer[*]-} ]] || break # of strings the nearest counts
    read_words "$value"
    # Cargo joins arrays, the nearest last. One that isn't understood makes the whole unknown.
    if ((${#expansion[@]})); then nearer=("${expansion[@]}" "${nearer[@]}"); else nearer=(); break; fi
    [[ $value == \[* ]] || break
  done
  expansion=("${nearer[@]}")
}

# read_pin FILE: sets `channel` and `pin_file`, if this rust-toolchain file names a channel.
read_pin() {
  local LC_ALL=C value line
  local -a lines=()
  if read_setting "$1" toolchain channel; then
    if [[ $value =~ ^(\"([^\"\\]+)\"|\'([^\']+)\')[[:space:]]*(#.*)?$ ]]; then
      channel=${BASH_REMATCH[2]}${BASH_REMATCH[3]} pin_file=$1
      return
    fi
  else
    while read -r line || [[ $line ]]; do
      line=${line%$'\r'}
      [[ ! $line || $line == \#* ]] || lines+=("$line")
    done <"$1"
    if [[ $1 == */rust-toolchain && ${#lines[@]} == 1 && ${lines[0]} =~ ^[A-Za-z0-9._-]+$ ]]; then
      channel=${lines[0]} pin_file=$1
      return
    fi
    # Without a channel, as where it only lists components, the host's own holds.
    [[ ${lines[*]-} && (${lines[*]} != *toolchain* || ${lines[*]} == *channel*) ]] || return 0
  fi
  fail "${1@Q} names no channel that can be read here; write channel = \"$channel\" on a line of its own below [toolchain]"
}

# targets_elsewhere: true where cargo is told to build for what isn't Linux, or in a way that isn't understood.
targets_elsewhere() {
  local file value word expansion
  [[ ! ${options[other target]+set} ]] || return 0
  [[ ! ${options[--target]+set} ]] || return 1
  if [[ ${CARGO_BUILD_TARGET-} ]]; then
    [[ $CARGO_BUILD_TARGET != @(*-linux-*|host-tuple) ]]
    return
  fi
  find_configuration
  for file in "${found[@]}"; do
    read_setting "$file" build target || continue
    read_words "$value"
    ((${#expansion[@]})) || return 0
    for word in "${expansion[@]}"; do
      [[ $word == @(*-linux-*|host-tuple) ]] || return 0
    done
  done
  return 1
}

# release_before_program: makes `cargo run` give the slot back when its build is done, by way of cargo's runner.
release_before_program() {
  local file line name place=0
  # A runner of the repository's own has precedence: then the slot is held to the end.
  for name in "${!CARGO_TARGET_@}"; do [[ $name != *_RUNNER ]] || return 0; done
  [[ ! ${options[runner]+set} ]] || return 0
  find_configuration
  for file in "${found[@]}"; do
    while read -r line || [[ $line ]]; do
      [[ $line == \#* || ! $line =~ runner[\"\']?[[:space:]]*= ]] || return 0
    done <"$file"
  done
  # Cargo forgets a --config before `run` where another one follows it.
  [[ ! ${options[late --config]+set} || ! $literal ]] || place=$((at + 1))
  export NOVA_CARGO_PATH_ENTRY=$path_entry NOVA_CARGO_OWN_TOOLCHAIN=$own_toolchain
  words=("${words[@]:0:place}" --config "$RUNNER" "${words[@]:place}")
}
