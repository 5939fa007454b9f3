# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # shares the variables of its callers
# Starts cargo by cargo-command, and rustc, rustdoc, tests and programs by memory-gate. cargo_agent.sh sources this file.

# make_absolute NAME FOLDER: cargo resolves the path of a program by the folder that names it: the working directory for variables.
# A name without / is found on PATH.
make_absolute() { [[ ${!1-} != */* || ${!1} == /* ]] || printf -v "$1" '%s/%s' "$2" "${!1}"; }

# setting_of_configuration TABLE KEY: sets `value` from cargo's configuration, and `file`. False if the key is not set.
setting_of_configuration() {
  local home=${CARGO_HOME:-${HOME-}/.cargo}
  [[ ! $partial && ($configured || ${given_files[*]-} || -f $home/config || -f $home/config.toml) ]] || return 1
  load cargo_config.sh
  find_configuration
  for file in "${found[@]}"; do ! read_setting "$file" "$1" "$2" || return 0; done
  return 1
}

# set_gate: makes cargo start its processes by memory-gate. The flags of rustc do not change, so cargo does not rebuild anything.
set_gate() {
  local gate=$PARTS/memory-gate inner='' value='' file=${PWD-}/./. rustdoc=${RUSTDOC-${CARGO_BUILD_RUSTDOC-}}
  [[ $gate == /* ]] || gate=${PWD-}/$gate
  export PERL_BADLANG=0 # without it, each perl warns if the host does not have the locale
  unset PERL5OPT PERL_UNICODE PERLIO # with strict, other modules or encodings the gate would fail
  if ! is_on NOVA_CARGO_KEEP_RUSTC_WRAPPER; then
    # A caching daemon would get the cap of this command and keep it for all users. An empty value overrides a configuration file.
    # It is set only if there is one, because it makes cargo rebuild everything.
    unset RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER
    ! setting_of_configuration build rustc-workspace-wrapper || export RUSTC_WORKSPACE_WRAPPER=''
  elif [[ -v RUSTC_WRAPPER || -v CARGO_BUILD_RUSTC_WRAPPER ]]; then inner=${RUSTC_WRAPPER-${CARGO_BUILD_RUSTC_WRAPPER-}}
  elif setting_of_configuration build rustc-wrapper; then
    read_words "$value"
    inner=${expansion[0]-}
  fi
  [[ ! $inner ]] || make_absolute inner "${file%/*/*}"
  [[ ! $rustdoc ]] || make_absolute rustdoc "${PWD-}"
  unset NOVA_CARGO_LINK_FLAG
  is_on NOVA_CARGO_NO_LINK_NO_KEEP_MEMORY || [[ $cap == unlimited ]] || export NOVA_CARGO_LINK_FLAG=1
  if [[ $command == miri ]]; then
    # One process compiles and runs the program. cargo-miri sets RUSTC_WRAPPER itself, and warns if it is already set.
    unset RUSTC_WRAPPER
    [[ ${MIRI-} || ! -x ${cargo%/*}/miri ]] || export MIRI=${gate%/*}/miri NOVA_CARGO_MIRI=${cargo%/*}/miri
    return
  fi
  [[ ! $inner || $inner -ef $gate ]] || export NOVA_CARGO_INNER=$inner
  export RUSTC_WRAPPER=$gate
  [[ ! $rustdoc || $rustdoc -ef ${gate%/*}/rustdoc ]] || export NOVA_CARGO_RUSTDOC=$rustdoc
  if [[ -x ${gate%/*}/rustdoc ]] && { [[ $rustdoc ]] || ! setting_of_configuration build rustdoc; }; then
    export RUSTDOC=${gate%/*}/rustdoc
  fi
  # Cargo splits the value at blanks.
  if [[ $gate != *[[:space:]]* ]] && { [[ $command == run ]] || may_test; }; then
    load cargo_config.sh
    set_runner "${gate%/*}"
  fi
}

# is_below PROCESS: true if PROCESS is this process or an ancestor. Anyone can set a pid in the environment, so this checks it.
is_below() {
  local pid=$$ stat
  [[ $1 =~ ^[1-9][0-9]*$ && -d /proc/$1 ]] || return 1
  while [[ $pid =~ ^[1-9][0-9]*$ && $pid != 1 && -r /proc/$pid/stat ]]; do
    [[ $pid != "$1" ]] || return 0
    read -rd '' stat <"/proc/$pid/stat" || true
    # The name in parentheses can have any character. The parent is the second field after it.
    read -r _ pid _ <<<"${stat##*) }"
  done
  return 1
}

# inside_command: true if a wrapped cargo is an ancestor.
inside_command() {
  local gate=() IFS=' '
  [[ ${NOVA_CARGO_GATE-} ]] || return 1
  read -ra gate <<<"$NOVA_CARGO_GATE"
  is_below "${gate[5]-}"
}

# run_as_command CARGO ARGUMENTS...: execs cargo-command, which runs cargo.
run_as_command() {
  local pool='' what="cargo $command" fewer=0 rules='' name variable seconds
  # Not all arguments: one can be a secret token.
  [[ $command != @(nextest|miri|fuzz) ]] || what+=" $action"
  what+=${options[--package]:+ -p ${options[--package]}}
  what=${what:0:100}
  if [[ ! $POOL || ! -r $POOL ]] || ! read -r pool <"$POOL"; then
    note "this host has no memory pool${POOL:+ in ${POOL@Q}}: builds do not wait for one another, only the cap applies"
  fi
  if [[ ${NOVA_CARGO_SLOTS-} ]]; then
    limited number NOVA_CARGO_SLOTS "$NOVA_CARGO_SLOTS"
    if ((SLOTS == 0 || NOVA_CARGO_SLOTS <= SLOTS)); then fewer=$NOVA_CARGO_SLOTS
    else note "NOVA_CARGO_SLOTS is $NOVA_CARGO_SLOTS, but this host has $SLOTS slots: $SLOTS applies"; fi
  fi
  for name in IDLE ORPHAN; do
    variable=NOVA_CARGO_${name}_MINUTES seconds=${name}_SECONDS
    seconds=${!seconds-0}
    if [[ ${!variable-} ]]; then
      limited number "$variable" "${!variable}" 0
      seconds=$((${!variable} * 60))
    fi
    rules+="$seconds "
  done
  export PERL_SKIP_LOCALE_INIT=1 # perl starts 0.25 ms faster; cargo-command removes the variable
  become "$PARTS/cargo-command" "$pool" "$fewer" "$most_bytes $SELF" "$rules${LEDGER-}" "${what//[^[:print:]]/?}" "$@"
}
