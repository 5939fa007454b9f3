#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs one host in its own mount namespace with the host's overlay, so that nothing has to be unmounted.
set -euo pipefail
machine=$1 hostname=$2 bridge=$3 base=$4 disk=$5 groups=$6
keeper=("${@:7:groups}") container=("${@:7+groups}")

join() {
  local group
  for group in "$@"; do echo "$BASHPID" >"$group/cgroup.procs"; done
}

join "${keeper[@]}"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$disk/upper,workdir=$disk/work" "$disk/root"
mount -t tmpfs -o mode=755 tmpfs /run # systemd-nspawn leaves locks there

while :; do
  # Leftover control groups of the previous boot.
  find "${container[@]}" -mindepth 1 -depth -type d -exec rmdir {} +
  status=0
  (
    # systemd-nspawn delegates its own group, so no other process may be in it.
    join "${container[@]}"
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 # as on Ubuntu, also if this machine has another hierarchy
    exec systemd-nspawn --quiet --settings=no --directory="$disk/root" --boot --register=no --keep-unit \
      --machine="$machine" --hostname="$hostname" --network-bridge="$bridge" \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe
  ) || status=$?
  [[ $status -eq 133 ]] || exit "$status" # 133: the host asked for a reboot
done
