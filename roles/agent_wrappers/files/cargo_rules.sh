# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034
# Parses a cargo command line as cargo does, and refuses commands that break a rule. cargo_agent.sh sources this file.

# cargo-command runs the commands that compile, and commands that are in neither list.
COMPILES='build check test bench run doc install rustc rustdoc fix package publish'
QUIET='add clean config fetch fmt generate-lockfile help info init locate-project login logout metadata new owner pkgid '\
'read-manifest remove report rm search tree uninstall update vendor verify-project version yank'

# ---- parse the command line ----

# keep_option NAME VALUE: adds an option to `options`, by its long name.
keep_option() {
  local pattern='' value
  [[ $2 != *[][*?]* ]] || pattern=1
  case $1 in
    -p | --package | --packages) # tarpaulin's
      if [[ ! $2 ]]; then options[no name]=1
      elif [[ $pattern ]]; then options[pattern]=$2
      else options[--package]=$2; fi ;;
    --bin | --test | --example | --bench)
      options[one target]=1
      [[ ! $pattern ]] || options[${1/%bench/benche}s]=1 ;; # --test '*' is --tests
    --all) options[--workspace]=1 ;;
    -s) options[--sanitizer]=$2 ;;
    -h) options[--help]=1 ;;
    --list) [[ $command ]] || options[--help]=1 ;;
    -V | --version) [[ " $COMPILES $QUIET " == *" $command "* ]] || options[--help]=1 ;; # of cargo, or of a command of others
    --target) options[--target]+=" $2"; [[ $2 == @(*-linux-*|host-tuple) ]] || options[other target]=1 ;;
    --config)
      if [[ -f $2 && -r $2 ]]; then
        load cargo_config.sh
        value=$2
        [[ $value == /* ]] || value=$PWD/$value
        given_files=("$value" "${given_files[@]}")
        if read_setting "${given_files[0]}" build target; then
          read_words "$value"
          options[configured target]=${expansion[*]-} options[other target]=1
        fi
        return
      fi
      [[ $2 != *runner* ]] || options[runner]=1
      [[ $2 != *build.target* ]] || options[other target]=1
      if [[ $2 =~ ^[[:space:]]*build\.target[[:space:]]*=(.*)$ ]]; then # and not build.target-dir
        value=${BASH_REMATCH[1]}
        options[configured target]=${value//[][\"\',]/ }
      fi ;;
    *) options[$1]=${2:-${options[$1]-}} ;;
  esac
}

# read_command WORD...: sets `options` (up to --), `command`, `action` (the next word that is not an option; two words if a command
# such as llvm-cov runs nextest), `at` and `action_at` (the indexes of both). In cargo, the value of an option can't start with -.
read_command() {
  local word value count=$#
  options=() given_files=() command='' action='' at=0 action_at=0
  while (($#)); do
    word=$1 value=''
    shift
    [[ ${1--} == -* ]] || value=$1
    case $word in
      --) [[ ! $command ]] || return 0 ;; # before the command, cargo ignores it
      --*=*) keep_option "${word%%=*}" "${word#*=}" ;;
      --color | --config | --config-file | --user-config-file | --tool-config-file | --manifest-path | --package | --packages | --features | \
        --jobs | --target | --target-dir | --profile | --bin | --example | --test | --bench | --exclude | --message-format | \
        --explain | --sanitizer | --fuzz-dir | --codegen-units | --archive-file | --binaries-metadata)
        keep_option "$word" "$value"
        [[ ! $value ]] || shift ;;
      --*) keep_option "$word" '' ;;
      -*)
        # Short options can be joined, and the last can have a value: -qp NAME, -pNAME, -p=NAME. nextest has -P; fuzz has -acDOs.
        [[ $word =~ ^-([hqrvVacDO]*)([pPjFZCs]?)=?(.*)$ ]]
        [[ ${BASH_REMATCH[1]} != *h* ]] || keep_option -h ''
        [[ ${BASH_REMATCH[1]} != *V* ]] || keep_option -V ''
        [[ ${BASH_REMATCH[2]} ]] || continue
        if [[ ${BASH_REMATCH[3]} ]]; then value=${BASH_REMATCH[3]}; elif [[ $value ]]; then shift; fi
        keep_option "-${BASH_REMATCH[2]}" "$value" ;;
      *)
        if [[ ! $command ]]; then command=$word at=$((count - $# - 1))
        elif [[ ! $action ]]; then action=$word action_at=$((count - $# - 1))
        elif [[ $action == nextest ]]; then action+=" $word"
        fi
        [[ $word != @(test|t|bench|nextest) || $command == "$word" ]] || options[plain test]=$word
        # The words after the first argument are for the program (run) or for the compiler (rustc).
        [[ ! $action || $command != @(r|run|rustc|rustdoc) ]] || return 0 ;;
    esac
  done
}

# understand: parses `words`, and sets `expanded` to the words with cargo's aliases replaced. Sets `literal` if there is no alias.
understand() {
  local depth name='' expansion=() said=("${words[@]}")
  local -A short=([b]=build [c]=check [d]=doc [r]=run [rm]=remove [t]=test)
  for depth in {1..9}; do
    read_command "${said[@]}"
    # A user's alias overrides cargo's built-in aliases and external subcommands.
    [[ $command && (" $COMPILES $QUIET " != *" $command "* || $command == @(fmt|rm)) ]] || break
    load cargo_config.sh
    find_alias "$command"
    ((${#expansion[@]})) || break
    name=$command
    said=("${said[@]:0:at}" "${expansion[@]}" "${said[@]:at+1}")
  done
  expanded=("${said[@]}")
  [[ $name ]] || literal=1
  command=${command:-$name} # an alias without a command is unknown
  command=${short[${command:-none}]-$command}
  [[ $command == fuzz ]] || return 0
  words=("${said[@]}")
  case $action in b) action=build ;; c) action=check ;; cov) action=coverage ;; ls) action=list ;; r) action=run ;; esac
}

# rename_harnesses: nova-lsp has two harnesses in tests/tests.rs. Their names do not change if the checkout has files for them.
rename_harnesses() {
  local i name file
  [[ ${options[--package]-} == nova-lsp && $command == @(test|nextest) ]] || return 0
  for ((i = 1; i < ${#words[@]}; i++)); do
    [[ ${words[i]} != -- ]] || return 0
    name=${words[i]#--test=}
    [[ $name == @(stdio_server|stdio_type_hierarchy) && (${words[i]} != "$name" || ${words[i - 1]} == --test) ]] || continue
    for file in tests/"$name".rs */nova-lsp/tests/"$name".rs; do [[ ! -f $file ]] || continue 2; done
    words[i]=${words[i]/%"$name"/tests}
    note "nova-lsp has $name in its harness tests: --test tests"
  done
}

# ---- rules ----

# refuse RULE WHY WORDS: fails, and suggests the same command with WORDS. Commands of other programs keep their action.
refuse() {
  local what=$command
  [[ " $COMPILES $QUIET clippy " == *" $command "* || ! $action ]] || what+=" $action"
  fail "refused by the $1 rule: $2 Instead: cargo_agent.sh $before$what $3$after"
}

# is_workspace_only FILE: true if the manifest has no package: then it means all members.
is_workspace_only() {
  local text='' line=$'(^|\n)[[:blank:]]*\\['
  [[ ! -f $1 || ! -r $1 ]] || read -rd '' text <"$1" || true
  [[ $text =~ ${line}workspace && ! $text =~ ${line}package\] ]]
}

# check_scope: a test run must name its package.
check_scope() {
  local why='' manifest=${options[--manifest-path]-}
  ! is_on NOVA_CARGO_ALLOW_UNSCOPED_TEST || return 0
  if [[ ${options[--workspace]+set} ]]; then why='--workspace is every package.'
  elif [[ ${options[pattern]+set} ]]; then why='a pattern can be every package.'
  elif [[ ${options[no name]+set} ]]; then why='-p has no name.'
  elif [[ ! ${options[--package]-}$manifest ]]; then why='no package is named.'
  elif [[ ! ${options[--package]-} ]] && is_workspace_only "$manifest"; then why="${manifest@Q} is a workspace of packages."
  fi
  [[ ! $why ]] || refuse scope "$command compiles and links each test target; $why" '-p NAME'
}

# check_targets: no command compiles every target.
check_targets() {
  local kind all='' selected=${options[one target]-} instead='-p NAME'
  [[ $command != @(build|check|clippy|test|bench|rustc|fix) ]] || instead+=' --lib'
  [[ $command != @(fuzz|install) ]] || instead=NAME # these have no -p
  for kind in --lib --bins --tests --benches --examples; do
    [[ ! ${options[$kind]+set} ]] || all+=. selected=1
  done
  [[ ! ${options[--all-targets]+set} && $all != ..... ]] ||
    refuse all-targets 'it compiles every target at once.' "$instead"
  [[ $selected || ($command != fix && ! ${options[--fix]+set}) ]] ||
    refuse all-targets "$command without a target means --all-targets." "${options[--fix]+--fix }--lib"
  [[ $command != @(check|clippy) || ! ${options[--all-features]+set} || ! ${options[--tests]+set} ]] ||
    refuse all-targets "--all-features with --tests is unbounded." '-p NAME --tests'
}

# check_sanitizer: refuses sanitizers for fuzz under a cap, because each reserves more address space than any cap allows.
check_sanitizer() {
  [[ $cap != unlimited && $action == @(run|build|check|fmt|cmin|tmin|coverage) ]] || return 0
  [[ ${options[--sanitizer]-none} == none ]] ||
    fail "fuzz with --sanitizer ${options[--sanitizer]@Q} is refused: a sanitizer reserves 20 TiB of address space or more and" \
      "can't start under a cap. Leave the option out, or ask an operator to run it in a session without a hard limit," \
      'with NOVA_CARGO_LIMIT_AS=unlimited'
  [[ ! ${options[--sanitizer]+set} ]] || return 0
  words=("${words[@]:0:action_at+1}" --sanitizer none "${words[@]:action_at+1}")
}

# runs_tests: true if the command runs tests of a workspace. For a subcommand of another program, its name or an argument decides.
runs_tests() {
  # nextest compiles nothing if it runs tests from an archive.
  [[ ! ${options[--archive-file]+set}${options[--binaries-metadata]+set} || $action == *archive ]] || return 1
  case $command in
    test | bench | tarpaulin | mutants | criterion | codspeed | kcov) ;;
    llvm-cov) [[ $action != @(report|show-env|clean|run|help) ]] ;;
    nextest) [[ $action == @(run|r|bench|b|list|archive) ]] ;;
    *)
      [[ " $COMPILES $QUIET clippy fuzz " != *" $command "* && $action != run ]] || return 1
      if [[ ${options[plain test]-} ]]; then [[ $action == nextest* ]] || action=${options[plain test]}
      else [[ $command =~ test|bench && ! $command =~ (at|la)test ]]; fi ;;
  esac
}

# check_nested: checks a cargo command in the arguments of another subcommand: watch -x test, msrv verify -- cargo test,
# with 'gdb --args' -- test.
check_nested() {
  local i j word text opening closing line=() inner=() cargo_word
  [[ " $COMPILES $QUIET clippy fuzz nextest miri hack llvm-cov " != *" $command "* && ${#nested_in} -lt 5 ]] || return 0
  for ((i = at + 1; i < ${#expanded[@]}; i++)); do
    word=${expanded[i]} opening=" '" closing="'"
    case $word in
      --) text=${expanded[*]:i+1} opening=' -- ' closing='' ;;
      -[xs]?*) text=${word:2} opening=" ${word:0:2}'" ;;
      --exec=* | --shell=*) text=${word#*=} opening=" ${word%%=*}='" ;;
      *)
        [[ $word == *[[:blank:]]* || ${expanded[i - 1]} == @(-x|-s|--exec|--shell) ]] || continue
        text=$word ;;
    esac
    while read -ra line; do
      inner=() cargo_word=''
      for j in "${!line[@]}"; do
        [[ ${line[j]} =~ (^|/)cargo(_agent\.sh)?$ ]] || continue # a pattern needs seconds for a very long word
        inner=("${line[@]:j+1}") cargo_word='cargo '
        [[ ${inner-} != +* ]] || inner=("${inner[@]:1}")
        break
      done
      # Without the word cargo, only known commands count. After -- a word can also be an argument of the program that is run.
      if ((! ${#inner[@]})) && [[ " $COMPILES b c d t clippy nextest miri hack llvm-cov tarpaulin mutants " == *" ${line-} "* &&
        ($word != -- || ! ${options[one target]-}${options[--bins]+set} && $action != @(run|serve)) ]]; then
        inner=("${line[@]}")
      fi
      ((${#inner[@]})) || continue
      printf -v before '%q ' "${expanded[@]:at:i-at}"
      (words=("${inner[@]}") nested_in+=. before=${before% }$opening$cargo_word after=$closing; understand; check_rules) || exit
    done <<<"${text//[;&|]/$'\n'}"
    [[ $word != -- ]] || return 0
  done
}

check_rules() {
  [[ ! ${options[--help]+set} ]] || return 0
  [[ $EDITOR_CALL ]] || check_targets
  check_nested
  ! runs_tests || check_scope
  [[ $command != fuzz ]] || check_sanitizer
}

# may_test: true if the command runs tests or is unknown.
may_test() { [[ $command == @(test|bench) || ($command && " $COMPILES $QUIET clippy fuzz " != *" $command "*) ]]; }

# may_compile: true if the command may compile.
may_compile() {
  [[ $command && ! ${options[--help]+set} && " $QUIET " != *" $command "* ]] || return 1
  [[ $command:$action != @(fuzz:list|fuzz:init|fuzz:add|nextest:show-config|nextest:self|miri:clean) ]]
}
