# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # shares the variables of its caller
# Fills a target folder that is not there yet from a seed of this host. cargo_agent.sh sources this file. Cargo's own
# fingerprints decide what of it is used; the name of a seed only says which one is worth a copy.

SEEDS=$PREFIX/warm/seeds HOMES=$PREFIX/warm/cargo

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
  local manifest=${options[--manifest-path]-} PWD=$PWD OLDPWD
  if [[ $manifest == */* ]]; then root=$(builtin cd -P -- "${manifest%/*}" 2>/dev/null && builtin pwd) || return 1
  else builtin cd -P . && root=$PWD || return 1; fi
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

# home_fits: true if nothing is lost without the account's own CARGO_HOME. Cargo finds its configuration from below its folder, too.
home_fits() {
  local home=${CARGO_HOME:-${HOME-}/.cargo}
  [[ ! -f $home/config && ! -f $home/config.toml ]] || [[ $home == */.cargo && $PWD/ == "${home%/.cargo}"/* ]]
}

# resolves NAME: true if cargo finds all that this workspace needs in the crates of project NAME.
resolves() {
  local locked=()
  # Who may write there, such as root, would.
  [[ -d $HOMES/$1 && ! -w $HOMES/$1 ]] && home_fits || return 1
  [[ ! ${options[--locked]+set}${options[--frozen]+set} ]] || locked=(--locked)
  CARGO_HOME=$HOMES/$1 "$cargo" "${spec[@]}" fetch -q --offline "${locked[@]}" \
    --manifest-path "$root/Cargo.toml" 2>/dev/null
}

# find_crates: sets `crates` to the project from whose crates this target folder was filled. Cargo is asked again if a manifest, the
# lock, its configuration or the crates changed. This holds for all calls: crates at another path would be built again.
find_crates() {
  local marker=$target/.nova-crates changed file
  read -r crates <"$marker" || true
  changed=$(find "$root" -mindepth 1 -type d \( -name '.*' -o -name node_modules -o -samefile "$target" \) -prune -o \
    \( -name Cargo.toml -o -name Cargo.lock \) -cnewer "$marker" -print -quit) || true
  if [[ $crates == [a-z]*([a-z0-9]) ]]; then
    for file in "$root"/.cargo/config{,.toml} "$HOMES/$crates.manifest"; do [[ ! $file -nt $marker ]] || changed=$file; done
    if [[ ! $changed ]] && home_fits; then return 0; fi
    ! resolves "$crates" || { touch -- "$marker"; return 0; }
  fi
  crates=''
  rm -f -- "$marker"
  note "this host's crates lack something of Cargo.lock: cargo uses those of your CARGO_HOME, and builds the dependencies again"
}

# use_seed: fills a target folder that is not there yet, and lets cargo take the crates from where the seed's are. A call that has
# a target folder ends at the first look for it.
use_seed() {
  local profile='' root='' target='' crates=''
  unset NOVA_CARGO_SEED
  [[ ! ${NOVA_CARGO_NO_SEED-} && $command != @(install|package|publish) ]] && find_workspace || return 0
  find_profile || profile=''
  [[ ! -e $root/target/$profile || -e $root/target/.nova-crates ]] && find_target || return 0
  [[ ! -e $target/.nova-crates ]] || find_crates
  [[ ! $profile || -e $target/$profile ]] || fill_target
  [[ ! $crates ]] || export CARGO_HOME=$HOMES/$crates
}

fill_target() {
  local key='' seed found='' name held turn units locked rest expansion=() started=${EPOCHREALTIME-}
  name_of_seed || return 0
  for seed in "$SEEDS"/*-"$key"; do
    [[ ! -d $seed/$profile ]] || { found=$seed; break; }
  done
  [[ $found ]] || return 0
  name=${found##*/} name=${name%-*}
  [[ ! -e $found/registry || $crates == "$name" ]] || resolves "$name" || return 0
  # Root removes no seed that somebody holds. If an account keeps the lock for itself, `held` shows at the end whether it is still there.
  { exec {held}<"$found/manifest"; } 2>/dev/null || return 0
  # One copy at a time in this folder. What a killed one left is found under the lock, and removed.
  flock -sn "$held" || true
  if [[ -d $found/$profile ]] && mkdir -p -- "$target" 2>/dev/null &&
     { exec {turn}<"$target"; } 2>/dev/null && flock "$turn"; then
    rm -rf -- "$target/.nova-seed"
    if [[ -e $target/$profile ]]; then
      [[ ! -e $target/.nova-crates ]] || crates=$name # another call filled it
    elif ! (cd "$found" && shuf -n 8 manifest | sha256sum --status -c -); then
      note "seed ${found##*/} is damaged and is not used: have an operator run agent-warm verify"
    elif cp -R --preserve=timestamps --reflink=auto -- "$found/$profile" "$target/.nova-seed" 2>/dev/null &&
      cp -- "$found/CACHEDIR.TAG" "$target/" &&
      { [[ ! -e $found/registry ]] || printf '%s\n' "$name" >"$target/.nova-crates"; } &&
      [[ $found/manifest -ef /proc/self/fd/$held ]] && mv -T -- "$target/.nova-seed" "$target/$profile" 2>/dev/null; then
      [[ ! -e $found/registry ]] || crates=$name
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
