# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # shares the variables of its caller
# Copies a seed of this host into a new target folder. cargo_agent.sh sources this file. Cargo checks each copied file with its own
# fingerprints; the hash in the name of a seed only selects the seed.

SEEDS=$PREFIX/warm/seeds HOMES=$PREFIX/warm/cargo

# find_profile: sets `profile` to the folder of the profile. False if no seed can have the units of this command.
find_profile() {
  local word
  [[ $command == @(build|check|clippy|test|bench|run|doc|rustc|nextest) ]] || return 1
  [[ ! ${options[--target]+set}${options[other target]+set} ]] || return 1
  profile=${options[--profile]-}
  if [[ $command == nextest ]]; then
    profile=${options[--cargo-profile]-}
    [[ ${options[--cargo-profile]-none} ]] || return 1 # --cargo-profile NAME: NAME is a separate word and was not parsed
  fi
  [[ ! ${options[--release]+set} && $command != bench ]] || profile=release
  for word in "${words[@]:at}"; do
    [[ $word != -- ]] || break
    [[ ! $word =~ ^-[qvh]*r ]] || profile=release
  done
  case $profile in '' | dev | test) profile=debug ;; bench) profile=release ;; */* | .*) return 1 ;; esac
}

# find_workspace: sets `root` to the nearest folder with a Cargo.lock, and `package` to the nearest one with a Cargo.toml. False if there
# is none.
find_workspace() {
  local manifest=${options[--manifest-path]-} PWD=${PWD-} OLDPWD
  [[ ! ${options[-C]+set} && (! $manifest || $manifest == *Cargo.toml) ]] || return 1 # a script is its own workspace
  if [[ $manifest == */* ]]; then root=$(builtin cd -P -- "${manifest%/*}" 2>/dev/null && builtin pwd) || return 1
  else builtin cd -P . && root=$PWD || return 1; fi
  [[ $root == /* ]] || return 1
  package=''
  until [[ -f $root/Cargo.lock ]]; do
    [[ $root ]] || return 1
    [[ $package || ! -f $root/Cargo.toml ]] || package=$root
    root=${root%/*}
  done
  package=${package:-$root}
}

# is_member: true if the package belongs to the workspace in `root`. A folder below it can be another workspace without a lock.
is_member() {
  [[ $package == "$root" ]] || [[ $("$cargo" "${spec[@]}" locate-project --workspace --message-format plain \
    --manifest-path "$package/Cargo.toml" 2>/dev/null) == "$root/Cargo.toml" ]]
}

# find_target: sets `target` to cargo's build folder. False if its configuration can't be parsed.
find_target() {
  local value='' file=''
  target=$root/target
  if [[ ${CARGO_BUILD_BUILD_DIR-} ]]; then target=$CARGO_BUILD_BUILD_DIR
  elif setting_of_configuration build build-dir; then target=''
  elif [[ ${options[--target-dir]-} ]]; then target=${options[--target-dir]}
  elif [[ ${CARGO_TARGET_DIR-${CARGO_BUILD_TARGET_DIR-}} ]]; then target=${CARGO_TARGET_DIR-$CARGO_BUILD_TARGET_DIR}
  elif setting_of_configuration build target-dir; then target=''
  fi
  if [[ ! $target ]]; then # from `file`; relative to the parent of .cargo
    read_words "$value"
    target=${expansion[*]-}
    [[ ! $target || $target == [/\{]* ]] || target=${file%/*/*}/$target
  fi
  target=${target/#'{workspace-root}'/$root}
  [[ $target && $target != *[{}]* ]] || return 1
  [[ $target == /* ]] || target=$PWD/$target
}

# name_of_seed: sets `key`, the hash in the name of the seed, as seed_name in module_utils/warm/policy.py does.
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

# home_fits: true if cargo reads the same configuration with another CARGO_HOME.
home_fits() {
  local home=${CARGO_HOME:-${HOME-}/.cargo}
  [[ ! -f $home/config && ! -f $home/config.toml ]] || [[ $home == */.cargo && $PWD/ == "${home%/.cargo}"/* ]]
}

# own_home: a command inside of another one gets the CARGO_HOME of its account back.
own_home() {
  [[ ${CARGO_HOME-} == "$HOMES"/* ]] || return 0
  unset CARGO_HOME
  [[ ! ${NOVA_CARGO_HOME-} ]] || export CARGO_HOME=$NOVA_CARGO_HOME
}

# resolves NAME: true if project NAME has all crates of this workspace. Sets `beside` to the manifests of path dependencies outside of
# the workspace.
resolves() {
  local locked=() file found
  # Not for an account that may write there, such as root: cargo would write.
  [[ -d $HOMES/$1 && ! -w $HOMES/$1 ]] && home_fits || return 1
  [[ ! ${options[--locked]+set}${options[--frozen]+set} ]] || locked=(--locked)
  found=$(CARGO_HOME=$HOMES/$1 "$cargo" "${spec[@]}" metadata --format-version 1 --offline "${locked[@]}" \
    --manifest-path "$root/Cargo.toml" 2>/dev/null | grep -o '"manifest_path":"[^"]*"') || return 1
  beside=()
  while IFS='"' read -r _ _ _ file _; do
    [[ $file == @("$root"|"$HOMES")/* ]] || beside+=("$file")
  done <<<"$found"
}

# mark NAME: notes that the target folder uses the crates of project NAME.
mark() { printf '%s\n' "$1" "${beside[@]}" >"$target/.nova-crates"; }

# find_crates: sets `crates` to the project whose crates this target folder uses. If a manifest, the lock, the configuration or the
# crates changed, asks cargo again. All commands use the same crates, because cargo rebuilds crates at another path.
find_crates() {
  local marker=$target/.nova-crates changed file beside=()
  mapfile -t beside <"$marker" || true
  crates=${beside-} beside=("${beside[@]:1}")
  changed=$(find "$root" -mindepth 1 -type d \( -name '.*' -o -name node_modules -o -samefile "$target" \) -prune -o \
    \( -name Cargo.toml -o -name Cargo.lock \) -cnewer "$marker" -print -quit) || true
  for file in "${beside[@]}"; do [[ $file == /* ]] || changed=$file; done
  [[ $changed || ! ${beside-} ]] || changed=$(find "${beside[@]}" -cnewer "$marker" -print -quit 2>&1) || true # also if one is gone
  if [[ $crates == [a-z]*([a-z0-9]) ]]; then
    for file in "$root"/.cargo/config{,.toml} "$HOMES/$crates.manifest"; do [[ ! $file -nt $marker ]] || changed=$file; done
    if [[ ! $changed ]] && home_fits; then return 0; fi
    ! resolves "$crates" || { mark "$crates" || true; return 0; }
  fi
  crates=''
  rm -f -- "$marker"
  note "the published crates of this host are not enough for Cargo.lock: cargo uses your CARGO_HOME, and builds the dependencies again"
}

# use_seed: copies a seed into a new target folder, and sets CARGO_HOME to the seed's crates.
use_seed() {
  local profile='' root='' package='' target='' crates=''
  unset NOVA_CARGO_SEED
  [[ ! ${NOVA_CARGO_NO_SEED-} ]] || return 0
  own_home
  # Other commands can install programs, or need other crates. Their calls of cargo come here as well.
  [[ $command == @(build|check|clippy|test|bench|run|doc|rustc|rustdoc|fix|nextest|hack|llvm-cov|expand) ]] && find_workspace || return 0
  find_profile || profile=''
  # The usual case needs no search for the target folder.
  [[ ! -e $root/target/$profile || -f $root/target/.nova-crates || ${options[--target-dir]-}${CARGO_TARGET_DIR-} || \
    ${CARGO_BUILD_TARGET_DIR-}${CARGO_BUILD_BUILD_DIR-} ]] && is_member && find_target || return 0
  [[ ! -f $target/.nova-crates ]] || find_crates
  [[ ! $profile || -e $target/$profile ]] || fill_target
  [[ ! $crates ]] || export NOVA_CARGO_HOME=${CARGO_HOME-} CARGO_HOME=$HOMES/$crates
}

# fill_target: copies the seed, if there is one. Sets `crates`.
fill_target() {
  local key='' seed found='' name seed_lock target_lock units locked rest expansion=() beside=() started=${EPOCHREALTIME-}
  name_of_seed || return 0
  for seed in "$SEEDS"/*-"$key"; do
    [[ ! -d $seed/$profile ]] || { found=$seed; break; }
  done
  [[ $found ]] || return 0
  name=${found##*/} name=${name%-*}
  [[ ! -e $found/registry || $crates == "$name" ]] || resolves "$name" || return 0
  # Root does not remove a seed while its manifest is locked. An account can keep an exclusive lock, so `-ef` below checks the manifest.
  { exec {seed_lock}<"$found/manifest"; } 2>/dev/null || return 0
  # One copy at a time in this folder. The incomplete copy of a killed process is removed.
  flock -sn "$seed_lock" || true
  if [[ -d $found/$profile ]] && mkdir -p -- "$target" 2>/dev/null &&
     { exec {target_lock}<"$target"; } 2>/dev/null && flock "$target_lock"; then
    rm -rf -- "$target/.nova-seed"
    if [[ -e $target/$profile ]]; then
      [[ ! -f $target/.nova-crates ]] || crates=$name # another call filled it
    elif ! (cd "$found" && shuf -n 8 manifest | sha256sum --status -c -); then
      note "seed ${found##*/} is damaged and is not used: ask an operator to run agent-warm verify"
    elif cp -R --preserve=timestamps --reflink=auto -- "$found/$profile" "$target/.nova-seed" 2>/dev/null &&
      cp -- "$found/CACHEDIR.TAG" "$target/" &&
      { [[ ! -e $found/registry || $crates == "$name" ]] || mark "$name"; } &&
      [[ $found/manifest -ef /proc/self/fd/$seed_lock ]] && mv -T -- "$target/.nova-seed" "$target/$profile" 2>/dev/null; then
      [[ ! -e $found/registry ]] || crates=$name
      read -r units locked rest <"$found/info"
      rest=$(((${EPOCHREALTIME/[.,]/} - ${started/[.,]/}) / 100000))
      export NOVA_CARGO_SEED=${found##*/} # for the ledger
      note "$units of $locked dependencies from seed ${found##*/}, $((rest / 10)).$((rest % 10)) s"
    else
      rm -rf -- "$target/.nova-seed"
      note "seed ${found##*/} could not be copied to ${target@Q} (df shows the free space): cargo builds the dependencies"
    fi
    exec {target_lock}<&-
  fi
  exec {seed_lock}<&-
}
