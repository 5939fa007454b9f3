# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # shares the variables of its caller
# Fills a target folder that is not there yet from a seed of this host. cargo_agent.sh sources this file. Cargo's own
# fingerprints decide what of it is used; the name of a seed only says which one is worth a copy.

SEEDS=$PREFIX/warm/seeds

# find_profile: sets `profile` to the folder of what this call builds; false for calls that seeds do not have.
find_profile() {
  local word
  [[ $command == @(build|check|clippy|test|bench|run|doc|rustc|nextest) ]] || return 1
  [[ ! ${options[--target]+set}${options[other target]+set}${options[-C]+set} ]] || return 1
  profile=${options[--profile]-}
  if [[ $command == nextest ]]; then
    profile=${options[--cargo-profile]-}
    [[ ${options[--cargo-profile]-none} ]] || return 1 # its value is a word of its own, which is not read here
  fi
  [[ ! ${options[--release]+set} && $command != bench ]] || profile=release
  for word in "${words[@]:at}"; do
    [[ $word != -- ]] || break
    [[ ! $word =~ ^-[qvh]*r ]] || profile=release
  done
  case $profile in '' | dev | test) profile=debug ;; bench) profile=release ;; */* | .*) return 1 ;; esac
}

# find_workspace: sets `root` to the nearest folder with a Cargo.lock; false without one.
find_workspace() {
  local PWD=$PWD OLDPWD
  root=${options[--manifest-path]-}
  if [[ $root == */* ]]; then builtin cd -P -- "${root%/*}" 2>/dev/null || return 1; else builtin cd -P . || return 1; fi
  root=$PWD
  until [[ -f $root/Cargo.lock ]]; do
    [[ $root ]] || return 1
    root=${root%/*}
  done
}

# find_target: sets `target` to where cargo keeps what it compiles; false where that is not understood.
find_target() {
  local value='' file=''
  target=$root/target
  if [[ ${CARGO_BUILD_BUILD_DIR-} ]]; then target=$CARGO_BUILD_BUILD_DIR
  elif setting_of_configuration build build-dir; then target=''
  elif [[ ${options[--target-dir]-} ]]; then target=${options[--target-dir]}
  elif [[ ${CARGO_TARGET_DIR-${CARGO_BUILD_TARGET_DIR-}} ]]; then target=${CARGO_TARGET_DIR-$CARGO_BUILD_TARGET_DIR}
  elif setting_of_configuration build target-dir; then target=''
  fi
  if [[ ! $target ]]; then # from `file`, and relative to the folder that has .cargo
    read_words "$value"
    target=${expansion[*]-}
    [[ ! $target || $target == [/\{]* ]] || target=${file%/*/*}/$target
  fi
  target=${target/#'{workspace-root}'/$root}
  [[ $target && $target != *[{}]* ]] || return 1
  [[ $target == /* ]] || target=$PWD/$target
}

# name_of_seed: sets `key` to what seed_name of module_utils/warm/policy.py computes.
name_of_seed() {
  local name flags='' toolchain=${spec[0]:-${RUSTUP_TOOLCHAIN-}}
  toolchain=${toolchain#+} toolchain=${toolchain%-"${HOSTTYPE:-x86_64}"-unknown-linux-gnu}
  for name in RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS ${!CARGO_TARGET_@} ${!CARGO_PROFILE_@}; do
    [[ $name != CARGO_TARGET_* || $name == *_@(RUSTFLAGS|LINKER) ]] || continue
    [[ ! ${!name-} ]] || flags+=${flags:+ }$name=${!name}
  done
  key=$({ printf '%s\n' "$toolchain" "$flags"; cat -- "$root/Cargo.lock"; } | sha256sum) || return 1
  key=${key:0:12}
}

# fill_target: a call that has a target folder ends at the first look for it.
fill_target() {
  local profile root target key seed found='' turn held units locked rest expansion=() started=${EPOCHREALTIME-}
  unset NOVA_CARGO_SEED
  [[ ! ${NOVA_CARGO_NO_SEED-} ]] && find_profile && find_workspace && [[ ! -e $root/target/$profile ]] || return 0
  find_target && [[ ! -e $target/$profile ]] && name_of_seed || return 0
  for seed in "$SEEDS"/*-"$key"; do
    [[ ! -d $seed/$profile ]] || { found=$seed; break; }
  done
  [[ $found ]] || return 0
  # Root removes no seed that somebody holds.
  { exec {held}<"$found/manifest"; } 2>/dev/null || return 0
  # One copy at a time in this folder. What a killed one left is found under the lock, and removed.
  if flock -sn "$held" && [[ -d $found/$profile ]] && mkdir -p -- "$target" 2>/dev/null &&
     { exec {turn}<"$target"; } 2>/dev/null && flock "$turn"; then
    rm -rf -- "$target/.nova-seed"
    if [[ -e $target/$profile ]]; then :
    elif ! (cd "$found" && shuf -n 8 manifest | sha256sum --status -c -); then
      note "seed ${found##*/} is damaged and is not used: have an operator run agent-warm verify"
    elif cp -R --preserve=timestamps --reflink=auto -- "$found/$profile" "$target/.nova-seed" 2>/dev/null &&
      cp -- "$found/CACHEDIR.TAG" "$target/" && mv -T -- "$target/.nova-seed" "$target/$profile"; then
      read -r units locked rest <"$found/info"
      rest=$(((${EPOCHREALTIME/[.,]/} - ${started/[.,]/}) / 100000))
      export NOVA_CARGO_SEED=${found##*/} # for the ledger
      note "$units of $locked dependencies from seed ${found##*/}, $((rest / 10)).$((rest % 10)) s"
    else
      rm -rf -- "$target/.nova-seed"
      note "seed ${found##*/} could not be copied to ${target@Q}, which df may explain: everything is built here"
    fi
    exec {turn}<&-
  fi
  exec {held}<&-
}
