#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# container.sh: run the example scenario of docs/examples/molecule with podman and default variables, except a mirror of Rust on
# loopback, and a limit of open files that every container allows. Called by `make container`. If podman can't start a container,
# it prints a message and tests nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ((EUID != 0)); then
  echo "container: skipped, root is needed to build the image" >&2
  exit 0
fi
if [[ ! -e /sys/fs/cgroup/cgroup.controllers && ! -v NOVA_CONTAINER_NAMESPACE ]]; then
  # If the machine also has cgroup v1, podman runs in a mount namespace with version 2 only.
  export NOVA_CONTAINER_NAMESPACE=1
  # shellcheck disable=SC2016 # for the inner shell
  exec unshare --mount bash -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$0"' "$0"
fi

"$here/install.sh" podman:podman crun:crun
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || :; rm -rf "$work"' EXIT

# Limits that every machine allows: podman's defaults fail if root may not raise limits.
export CONTAINERS_CONF=$work/containers.conf
printf '[containers]\npids_limit = 0\ndefault_ulimits = ["nofile=%s:%s", "nproc=16384:16384"]\n' \
  "$(ulimit -Sn)" "$(ulimit -Hn)" >"$CONTAINERS_CONF"

base=$("$here/hosts/hosts.sh" base)
export AGENT_HOST_IMAGE=localhost/nova-agent-host:${base##*/}
if ! podman image exists "$AGENT_HOST_IMAGE"; then
  # The container uses this machine's network, so it must not start sshd.
  mkdir -p "$work/more/etc/systemd/system"
  ln -s /dev/null "$work/more/etc/systemd/system/ssh.service"
  tar -c -C "$base" . -C "$work/more" ./etc/systemd/system/ssh.service | podman import -q - "$AGENT_HOST_IMAGE" >/dev/null
fi
if ! podman run --rm --privileged --network host "$AGENT_HOST_IMAGE" true 2>"$work/error"; then
  echo "container: skipped, podman can't start a container: $(tail -n 1 "$work/error")" >&2
  exit 0
fi

python "$here/rust_mirror/demo_mirror.py" --only fixture --cache "$work/mirror" >"$work/mirror.json"
from_mirror() { python -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$work/mirror.json" "$1"; }
python -u -m http.server --bind 127.0.0.1 --directory "$(from_mirror path | tr -d '"')" 0 >"$work/http" 2>&1 &
until port=$(sed -nE 's/.*port ([0-9]+).*/\1/p' "$work/http") && [[ $port ]]; do
  kill -0 %1
  sleep 0.1
done

# A copy, as a user has it.
mkdir -p "$work/project/molecule" "$work/project/group_vars/agent_hosts"
cp -r "$here/../docs/examples/molecule" "$work/project/molecule/default"
cat >"$work/variables.json" <<END
{"agent_toolchain_dist_server": "http://127.0.0.1:$port",
 "agent_toolchain_update_root": "http://127.0.0.1:$port/rustup",
 "agent_toolchain_rustup_version": $(from_mirror rustup_version),
 "agent_toolchain_rustup_checksums": $(from_mirror rustup_checksums),
 "agent_toolchain_channel_checksums": $(from_mirror channel_checksums),
 "agent_policy_rust_channel": $(from_mirror channel)}
END
cp "$work/variables.json" "$work/project/group_vars/agent_hosts/mirror.json"
sed -i 's|group_vars:|links: {group_vars: ../../group_vars}|; /agent_hosts: {}/d' "$work/project/molecule/default/molecule.yml"
cd "$work/project"
ANSIBLE_HOME=$work/ansible NO_COLOR=1 molecule test
