# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shares the variables of its callers
# Reads the configuration files of cargo and rustup. cargo_agent.sh sources this file if a command needs it.

# find_configuration: sets `found` to cargo's configuration files, those of --config and then the nearest first, each before the
# files that it includes.
find_configuration() {
  local file known
  local -a files read_folders=()
  find_configuration_files
  files=("${found[@]}" "${CARGO_HOME:-${HOME-}/.cargo}"/config{,.toml}) found=()
  for file in "${given_files[@]}"; do add_configuration "$file"; done
  for file in "${files[@]}"; do
    [[ $file == */config?(.toml) && -f $file ]] || continue
    # cargo reads one file in each folder, and each folder once.
    for known in "${read_folders[@]}"; do [[ ! ${file%/*} -ef $known ]] || continue 2; done
    read_folders+=("${file%/*}")
    add_configuration "$file"
  done
}

# add_configuration FILE: adds FILE and its included files to `found`. The last included file has priority.
add_configuration() {
  local file=$1 value='' known text=''
  local quote="[\"']" blanks='[[:space:]]*'
  local table="\\[\\[${blanks}${quote}?include${quote}?${blanks}\\]\\][^[]*path${quote}?${blanks}=${blanks}"
  table+="(${quote}[^\"']+${quote})(.*)\$"
  local -a included=()
  [[ -r $file ]] || fail "${file@Q} may not be read"
  for known in "${found[@]}"; do [[ $known != "$file" ]] || return 0; done
  found+=("$file")
  read_setting "$file" '' include || true
  read -rd '' text <"$file" || true
  while [[ $text =~ $table ]]; do value+=${BASH_REMATCH[1]} text=${BASH_REMATCH[2]}; done # [[include]]
  while [[ $value =~ [\"\']([^\"\']+\.toml)[\"\'](.*)$ ]]; do
    value=${BASH_REMATCH[2]} known=${BASH_REMATCH[1]}
    [[ $known == /* ]] || known=${file%/*}/$known
    [[ ! -f $known ]] || included=("$known" "${included[@]}")
  done
  for known in "${included[@]}"; do add_configuration "$known"; done
}

# read_setting FILE TABLE KEY: sets `value` to the text after KEY = in TABLE. False if there is none.
read_setting() {
  local LC_ALL=C line table='' is='[[:space:]]*=[[:space:]]*' quote="[\"']?"
  local key="^($quote$2${quote}[[:space:]]*\\.[[:space:]]*)?$quote$3$quote$is(.*)$"
  local inline="^$2$is\\{(.*[^A-Za-z0-9_-])?$3$quote$is(.*)$"
  while read -r line || [[ $line ]]; do
    line=${line#$'\xef\xbb\xbf'} line=${line%$'\r'} # a byte order mark, and line ends of Windows
    if [[ $line =~ ^\[([^]]*)\] ]]; then table=${BASH_REMATCH[1]//[[:space:]\"\']/}
    elif [[ ($line =~ $key && $table${BASH_REMATCH[1]:+$2} == "$2") || (! $table && $line =~ $inline) ]]; then
      value=${BASH_REMATCH[2]}
      # A text of several lines. cargo splits it at blanks; a channel is no such text.
      if [[ $3 != channel && ($value == \"\"\"* || $value == \'\'\'*) ]]; then
        quote=${value:0:3} value=${value:3}
        while [[ $value != *"$quote"* ]] && read -r line; do value+=" ${line%$'\r'}"; done
        value=${quote:0:1}${value%%"$quote"*}${quote:0:1}
        return
      fi
      # Without comments. An array can have several lines.
      while
        [[ ! $value =~ ^(([^\"\'#]|\"[^\"]*\"|\'[^\']*\')*)# ]] || value=${BASH_REMATCH[1]}
        [[ $value == \[* && $value != *\]* ]] && read -r line
      do value+=" ${line%$'\r'}"; done
      return
    fi
  done <"$1"
  return 1
}

# read_words VALUE: sets `expansion` to the words of a string or array, or to nothing if it can't be parsed. In an inline table, other
# keys or a brace follow.
read_words() {
  local value=$1 text='' array='' item="^[[,[:space:]]*[\"']([^\"'\\]*)[\"'](.*)$" end='^[[:space:]]*([,}].*)?$'
  expansion=()
  [[ $value != \[* ]] || array=1 end='^[,[:space:]]*][[:space:]]*([,}].*)?$'
  while [[ $value =~ $item ]]; do
    text=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
    expansion+=("$text")
    [[ $array ]] || break
  done
  if [[ ! $value =~ $end ]]; then expansion=()
  elif [[ ! $array ]]; then read -ra expansion <<<"$text"
  fi
}

# find_alias NAME: sets `expansion` to the alias NAME from CARGO_ALIAS_NAME or cargo's configuration, or to nothing.
find_alias() {
  local LC_ALL=C file value variable found given_files=() # cargo reads no alias from --config
  local -a nearer=()
  expansion=()
  [[ $1 =~ ^[A-Za-z0-9_-]+$ ]] || return 0
  variable=${1^^} variable=CARGO_ALIAS_${variable//-/_}
  read -rd '' -a nearer <<<"${!variable-}" || true
  find_configuration
  for file in "${found[@]}"; do
    read_setting "$file" alias "$1" || continue
    [[ $value == \[* || ! ${nearer[*]-} ]] || break # the nearest string has priority
    read_words "$value"
    # cargo joins arrays, the nearest last. If one of them can't be parsed, the alias is unknown.
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
    if [[ $value =~ ^(\"([^\"\\]+)\"|\'([^\']+)\')[[:space:]]*([,}].*)?$ ]]; then
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
    # A file without a channel, for example with components only, selects the host's channel.
    [[ ${lines[*]-} && (${lines[*]} != *toolchain* || ${lines[*]} == *channel*) ]] || return 0
  fi
  fail "${1@Q} has no channel that the wrapper can parse; write channel = \"$channel\" on a line of its own below [toolchain]"
}

# ---- runners of tests and programs ----

# set_runner FOLDER: sets memory-gate as the runner of the Linux targets of this command. memory-gate then starts the repository's
# runner.
set_runner() {
  local machine=${HOSTTYPE:-x86_64} target name file value='' own='' runner=$1/runner
  local -a targets=()
  [[ ! ${options[runner]+set} ]] || return 0 # --config has priority
  [[ $command != run ]] || runner=$1/program
  find_configuration
  read -ra expansion <<<"${options[--target]-${options[configured target]-${CARGO_BUILD_TARGET-}}}"
  ((${#expansion[@]})) || ! setting_of_configuration build target || read_words "$value"
  for target in "${expansion[@]}"; do
    target=${target##*/} target=${target%.json} # cargo names a target after its file
    [[ ! $target =~ ^[A-Za-z0-9_.]+-[A-Za-z0-9_.-]*linux-[A-Za-z0-9_.-]+$ ]] || targets+=("$target")
  done
  ((${#targets[@]})) || targets=("$machine-unknown-linux-gnu" "$machine-unknown-linux-musl")
  for target in "${targets[@]}"; do
    name=${target^^} name=CARGO_TARGET_${name//[-.]/_}_RUNNER
    # cargo splits the value at blanks.
    if [[ ${!name-} && ${!name} != "$1"/@(runner|program) ]]; then
      read -ra expansion <<<"${!name}"
      make_absolute 'expansion[0]' "${PWD-}"
    else find_runner "$target" || return 0
    fi
    own=${expansion[*]-}
    [[ ! $own ]] || { printf -v own '%s\x1f' "${expansion[@]}"; export NOVA_CARGO_RUNNER=${own%$'\x1f'}; }
    [[ $own ]] || unset NOVA_CARGO_RUNNER
    export "$name=$runner"
    [[ ! $own ]] || break
  done
  [[ $command != run ]] || export NOVA_CARGO_PATH_ENTRY=$path_entry NOVA_CARGO_OWN_TOOLCHAIN=$own_toolchain
}

# find_runner TARGET: sets `expansion` to the runner of TARGET in cargo's configuration. False if a runner can't be parsed; then it
# is not changed.
find_runner() {
  local file line table rule value quoted="^target\\.[\"']([^\"']*(\"[^\"]*\"[^\"']*)*)[\"']" plain='^target\.([a-z0-9_.-]+)()'
  local key="\\.[\"']?runner[\"']?[[:space:]]*=[[:space:]]*(.*)\$"
  expansion=()
  for file in "${found[@]}"; do
    if read_setting "$file" "target.$1" runner; then take_runner; return; fi
  done
  for file in "${found[@]}"; do
    table=''
    while read -r line || [[ $line ]]; do
      if [[ $line =~ ^\[(.*)\][[:space:]]*(#.*)?$ ]]; then table=${BASH_REMATCH[1]}; fi
      [[ $line != \#* && $line =~ runner[\"\']?[[:space:]]*= ]] || continue
      [[ $table${table:+.}$line =~ $quoted$key || $table${table:+.}$line =~ $plain$key ]] || return 1
      value=${BASH_REMATCH[3]} rule=${BASH_REMATCH[1]}
      [[ $rule == cfg\(*\) ]] || continue # of another target
      rule=${rule#cfg(}
      cfg_holds "$1" "${rule%)}" || continue
      take_runner
      return
    done <"$file"
  done
}

# take_runner: parses `value`. A path is relative to the folder of the configuration.
take_runner() {
  read_words "$value"
  ((${#expansion[@]})) || return 1
  make_absolute 'expansion[0]' "${file%/*/*}"
}

# cfg_holds TARGET EXPRESSION: whether cfg(EXPRESSION) is true for a Linux target. Unknown expressions are false.
cfg_holds() {
  local rest=${2//[[:space:]]/} part depth=0 i char word=''
  local -a parts=()
  if [[ $rest =~ ^(all|any|not)\((.*)\)$ ]]; then
    word=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]} part=''
    for ((i = 0; i < ${#rest}; i++)); do
      char=${rest:i:1}
      case $char in "(") depth=$((depth + 1)) ;; ")") depth=$((depth - 1)) ;; esac
      if [[ $char == , && $depth == 0 ]]; then parts+=("$part") part=''; else part+=$char; fi
    done
    [[ ! $part ]] || parts+=("$part")
    for part in "${parts[@]}"; do
      if cfg_holds "$1" "$part"; then
        [[ $word != any ]] || return 0
        [[ $word != not ]] || return 1
      elif [[ $word == all ]]; then return 1
      fi
    done
    [[ $word != any ]]
    return
  fi
  rest=${rest//[\\\"\']/}
  [[ $rest == @(unix|true|target_family=unix|target_os=linux|target_vendor=unknown|debug_assertions) ||
    $rest == target_arch=${1%%-*} || $rest == target_env=${1##*-} ||
    ($rest == target_pointer_width=64 && $1 == *64*) || ($rest == target_endian=little && $1 == @(x86_64|aarch64)-*) ]]
}
