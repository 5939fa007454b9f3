#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A virtual machine with its own kernel, cgroup v2 tree and OOM killer. See README.md.
#   vm.sh up NAME      boot it (the image is built once), print its Ansible inventory; with TEST_HOSTS_OWNER=PID the
#                      next `up` ends it once that process has ended
#   vm.sh ssh NAME ... log in as ubuntu, or run a command
#   vm.sh down NAME    end it
#   vm.sh can          install the required programs; fails with the reason if this machine can't run a virtual machine
#   vm.sh clean        remove the image
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
suite=${SUITE:-bookworm}
memory=${VM_MEMORY:-1024} # MiB
packages=${VM_PACKAGES-}  # additional packages, separated by commas
accelerator=${VM_ACCELERATOR:-tcg,thread=multi,tb-size=256} # kvm, if the machine supports it
boot_seconds=${VM_BOOT_SECONDS:-300}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/nova-agent-host/vm

say() { echo "test vm: $*" >&2; }

fail() {
  say "$*"
  exit 1
}

require() {
  [[ $EUID -eq 0 ]] || fail "root is needed to build the image"
  [[ $(uname -m) == x86_64 ]] || fail "the guest is x86_64, and this machine is $(uname -m)"
  "$here/../install.sh" qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils mmdebstrap:mmdebstrap mke2fs:e2fsprogs \
    ssh:openssh-client
}

# A process as "PID START TIME", which is unique; empty if there is none.
process() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} == Z ]] || echo "$1 ${stat[19]}"
}

# End the machines of killed test runs: their owner has ended.
reap() {
  local folder owner
  for folder in "$cache"/machines/*/; do
    owner=$(cat "$folder/owner" 2>/dev/null) || continue
    [[ $owner && $(process "${owner% *}") != "$owner" ]] || continue
    say "ending the abandoned machine $(basename "$folder")"
    down "$(basename "$folder")"
  done
}

# Folder of one machine. Its disk has the differences from the image.
machine() { echo "$cache/machines/${1:?name of the machine}"; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

ssh_options() { # MACHINE
  printf '%s\n' -i "$1/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
    -o ConnectTimeout=30 -o BatchMode=yes -p "$(<"$1/port")"
}

up() {
  local folder port deadline image
  mkdir -p "$cache/machines"
  exec 9<"$cache"
  flock 9 # a second `up` waits here for packages and the image
  reap
  require
  image=$("$here/image.sh" "$cache" "$suite" "$packages")
  folder=$(machine "$1")
  [[ ! -e $folder ]] || fail "$1 is up already: end it with vm.sh down $1"
  rm -rf "$folder.new"
  mkdir "$folder.new"
  process "${TEST_HOSTS_OWNER:-0}" >"$folder.new/owner"
  mv -T "$folder.new" "$folder"
  exec 9<&-
  # shellcheck disable=SC2064 # this name
  trap "down '$1'" EXIT
  port=$(free_port)
  echo "$port" >"$folder/port"
  install -m 0600 "$image/key" "$folder/key"
  qemu-img create -q -f qcow2 -F raw -b "$image/root.img" "$folder/disk.qcow2"
  # Without features that are slow in emulation: wide vectors, five levels of page tables (-cpu max), mitigations.
  # restrict=on: no network access for the guest; only its sshd is reachable.
  qemu-system-x86_64 -name "$1" -machine q35 -accel "$accelerator" -cpu qemu64 -smp 2 -m "$memory" -nodefaults -no-user-config \
    -display none -serial "file:$folder/console" -pidfile "$folder/pid" -daemonize -no-reboot -device virtio-rng-pci \
    -drive "file=$folder/disk.qcow2,if=virtio,cache=unsafe" -kernel "$image/kernel" -initrd "$image/initrd" \
    -append "root=/dev/vda rw console=ttyS0 quiet psi=1 mitigations=off" \
    -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net
  deadline=$((SECONDS + boot_seconds))
  until login "$1" true 2>/dev/null; do
    if ((SECONDS >= deadline)) || ! kill -0 "$(<"$folder/pid")" 2>/dev/null; then
      fail "$1 did not boot: $(tail -n 3 "$folder/console")"
    fi
    sleep 1
  done
  echo "$1 ansible_host=127.0.0.1 ansible_port=$port ansible_user=ubuntu ansible_ssh_private_key_file=$folder/key" \
    "ansible_python_interpreter=/usr/bin/python3 ansible_ssh_common_args='-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null'" >"$folder/hosts"
  printf '[agent_hosts]\n%s\n' "$(<"$folder/hosts")" >"$folder/hosts"
  trap - EXIT
  echo "$folder/hosts"
}

login() { # NAME [COMMAND ...]
  local options
  mapfile -t options < <(ssh_options "$(machine "$1")")
  # shellcheck disable=SC2029 # the command is meant for the guest's shell
  ssh "${options[@]}" ubuntu@127.0.0.1 "${@:2}"
}

down() {
  local folder pid
  folder=$(machine "$1")
  pid=$(cat "$folder/pid" 2>/dev/null) || pid=
  # Not another process with the same pid.
  if [[ $pid ]] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "^qemu.* -name $1 "; then
    kill "$pid"
    while [[ $(process "$pid") ]]; do sleep 0.1; done
  fi
  rm -rf "$folder"
}

case ${1:-} in
  up) up "${2:?name of the machine}" ;;
  ssh) login "${@:2}" ;;
  down) down "${2:?name of the machine}" ;;
  can) require ;;
  clean) rm -rf "$cache" ;;
  *)
    sed -n '4,9s/^#   //p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
