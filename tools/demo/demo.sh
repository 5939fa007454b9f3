#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh up | down: one throwaway host on this machine, provisioned by nova.agent_host.site, and a build on it.
# V=1 shows all output.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
hosts=$checkout/tools/hosts/hosts.sh
run=demo-$(cksum <<<"$checkout" | cut -d' ' -f1)
state=$checkout/.cache/demo
log=$state/log

if [[ ${1-} == down ]]; then
  "$hosts" down "$run"
  rm -rf "$state"
  exit
fi

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

# quietly COMMAND...: writes the output to the log, and to the terminal with V=1 or after a failure.
quietly() {
  if [[ ${V-0} == 1 ]]; then "$@" 2>&1 | tee -a "$log"; return; fi
  "$@" >"$log" 2>&1 || { status=$?; cat "$log" >&2; exit "$status"; }
}
on_host() { "$hosts" ssh "$run" host1 -- "$@"; }
as_agent() { on_host sudo -iu agent1 -- bash -c "'$1'"; }
from_mirror() { python -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$state/mirror.json" "$1"; }

mkdir -p "$state"
export ANSIBLE_PIPELINING=1 ANSIBLE_INJECT_FACT_VARS=false ANSIBLE_HOME=$state/ansible ANSIBLE_LOCALHOST_WARNING=0
unset ANSIBLE_CONFIG TEST_HOSTS_OWNER  # the host stays after this script has ended

[[ $("$hosts" list) != *"$run:"* ]] || "$hosts" down "$run"
say "booting a host: its own systemd, sshd and address on this machine (the first time an image is built)"
inventory=$("$hosts" up "$run" host1 2> >(sed 's/^/        /' >&2))
controller=$(on_host true && "$hosts" describe "$run" | python -c 'import json, sys; print(json.load(sys.stdin)["controller"])')

say "choosing a Rust toolchain"
choose_mirror() { python "$checkout/tools/rust_mirror/demo_mirror.py" >"$state/mirror.json"; }
quietly choose_mirror
say "  $(from_mirror label)"

# site needs the mirror. It ends with this script.
: >"$state/http"
python -u -m http.server --bind "$controller" --directory "$(from_mirror path)" 0 >"$state/http" 2>&1 &
trap 'kill %1' EXIT
until port=$(sed -nE "s/.*port ([0-9]+).*/\1/p" "$state/http") && [[ $port ]]; do kill -0 %1; sleep 0.1; done
python "$here/variables.py" "$state/mirror.json" "http://$controller:$port" >"$state/variables.json"

say "provisioning it: ansible-playbook nova.agent_host.site"
quietly ansible-playbook -i "$inventory" -e "@$state/variables.json" nova.agent_host.site
say "the budget of the host:"
ansible-playbook -i "$inventory" -e "@$state/variables.json" "$here/budget.yml" | sed -nE 's/^ *"((Total|Usable|System|Headroom|Available|Per agent|Maximum|Recommended|Slots|Jobs|---)[^"]*)",?$/          \1/p'

say "building on the host as agent1: bash /opt/nova-agent/bin/cargo_agent.sh test --locked -p demo"
tar -C "$here" -c crate | on_host sudo -iu agent1 tar -x
as_agent "cd crate && bash /opt/nova-agent/bin/cargo_agent.sh test --locked --offline -p demo 2>&1" | sed 's/^/          /'

say "applying the site again"
quietly ansible-playbook -i "$inventory" -e "@$state/variables.json" nova.agent_host.site
changed=$(sed -nE 's/^host1 .*changed=([0-9]+).*/\1/p' "$log" | tail -n 1)
say "  changed=$changed"
[[ $changed == 0 ]]

say "done.  Log in:  tools/hosts/hosts.sh ssh $run host1     Remove the host:  make demo-down"
