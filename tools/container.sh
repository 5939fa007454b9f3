#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# container.sh: run the example scenario of docs/examples/molecule with podman, with default variables but for a mirror of
# Rust on loopback, and a number of open files that every container may have. Called by `make container`. Where podman starts no container, that is said, and nothing is tested.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if ((EUID != 0)); then
  echo "container: skipped, root is needed to build the image" >&2
  exit 0
fi
if [[ ! -e /sys/fs/cgroup/cgroup.controllers && ! -v NOVA_CONTAINER_NAMESPACE ]]; then
  # A machine that has cgroup v1 as well: podman is shown version 2 alone, in a mount namespace of its own.
  export NOVA_CONTAINER_NAMESPACE=1
  # shellcheck disable=SC2016 # for the inner shell
  exec unshare --mount bash -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && exec "$0"' "$0"
fi

"$here/install.sh" podman:podman crun:crun
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || :; rm -rf "$work"' EXIT

# Limits that every machine can give: podman's own are refused where root may not raise limits.
export CONTAINERS_CONF=$work/containers.conf
printf '[containers]\npids_limit = 0\ndefault_ulimits = ["nofile=%s:%s", "nproc=16384:16384"]\n' \
  "$(ulimit -Sn)" "$(ulimit -Hn)" >"$CONTAINERS_CONF"

base=$("$here/hosts/hosts.sh" base)
export AGENT_HOST_IMAGE=localhost/nova-agent-host:${base##*/}
if ! podman image exists "$AGENT_HOST_IMAGE"; then
  # The container shares this machine's network, so it may have no sshd.
  mkdir -p "$work/more/etc/systemd/system"
  ln -s /dev/null "$work/more/etc/systemd/system/ssh.service"
  tar -c -C "$base" . -C "$work/more" ./etc/systemd/system/ssh.service | podman import -q - "$AGENT_HOST_IMAGE" >/dev/null
fi
if ! podman run --rm --privileged --network host "$AGENT_HOST_IMAGE" true 2>"$work/error"; then
  echo "container: skipped, podman starts no container here: $(tail -n 1 "$work/error")" >&2
  exit 0
fi

python "$here/rust_mirror/demo_mirror.py" --only fixture --cache "$work/mirror" >"$work/mirror.json"
from_mirror() { python -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$work/mirror.json" "$1"; }
python -u -m http.server --bind 127.0.0.1 --directory "$(from_mirror path | tr -d '"')" 0 >"$work/http" 2>&1 &
until port=$(sed -nE 's/.*port ([0-9]+).*/\1/p' "$work/http") && [[ $port ]]; do
  kill -0 %1
  sleep 0.1
done

# As a user copies it.
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
# podman itself sometimes crashes in `podman exec` beside other work: it gets no thread, and ends with status 2.
for attempt in 1 2 3; do
  ANSIBLE_HOME=$work/ansible NO_COLOR=1 molecule test 2>&1 | tee "$work/log" && exit
  grep -qE 'pthread_create failed|exited with result 2|No start of json char' "$work/log" || exit 1
  echo "container: podman crashed in attempt $attempt" >&2
done
exit 1
