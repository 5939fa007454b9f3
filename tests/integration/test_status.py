# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""agent-status on a host, for root, agents and other accounts."""

from __future__ import annotations

import json

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

ROLES = ("agent_wrappers", "agent_status")
AGENTS = {"agent_policy_users": ["agent1", "agent2"], "agent_policy_create_users": True, "agent_wrappers_slots": 1}
# A STAND-IN for cargo. It compiles one crate until the test removes the file.
CARGO = (
    r"""#!/bin/bash\n"$RUSTC_WRAPPER" bash -c "while [ -e /run/hold-builds ]; do sleep 0.05; done" --crate-name x\n"""
)
BUILD = (
    "setsid -f su {user} -c 'cd; bash /opt/nova-agent/bin/cargo_agent.sh build -p {package}' </dev/null >/dev/null 2>&1"
)


@pytest.fixture(scope="module", autouse=True)
def clean(lab):
    """The host before the roles."""
    before = lab.snapshot("host1")
    play(lab).succeeded()
    return before


def play(lab, **changed):
    """Apply the roles with one look at the host."""
    return lab.site("--tags", ",".join(ROLES), **{**AGENTS, **changed})


def facts(lab, user="root"):
    return json.loads(lab.run("host1", f"su - {user} -c 'agent-status --json'"))


def test_agent_status_uses_the_policy_of_the_play(lab):
    assert facts(lab)["budget"]["per_agent"] == 4 << 30
    play(lab, agent_policy_memory_per_agent="2G", agent_policy_recommended_agents=1).succeeded()
    budget = facts(lab, "agent1")["budget"]
    assert (budget["per_agent"], budget["recommended_agents"]) == (2 << 30, 1)
    play(lab).succeeded()


def test_idle_host_has_no_advice_for_root_and_for_other_users(lab):
    found = {user: facts(lab, user) for user in ("root", "agent1", "ubuntu")}
    assert all(one["drift"]["changed"] == [] for one in found.values())
    assert found["root"]["drift"]["unreadable"] == [] and found["agent1"]["drift"]["unreadable"] == []
    for user in ("root", "agent1"):
        assert (found[user]["slots"]["total"], found[user]["pool"]["problem"]) == (1, None)
    assert all(one["budget"] and one["disk"] is None and one["toolchain"] is None for one in found.values())
    for user in found:
        output = lab.run("host1", f"su - {user} -c agent-status")
        assert "Traceback" not in output and max(map(len, output.splitlines())) <= 80


def test_holder_of_a_slot_and_waiting_command_are_named(lab):
    lab.run("host1", f"touch /run/hold-builds; printf '{CARGO}' >/usr/bin/cargo; chmod 0755 /usr/bin/cargo")
    try:
        for number, user in enumerate(("agent1", "agent2", "agent1"), 1):
            lab.run("host1", BUILD.format(user=user, package=f"crate{number}"))
            for _attempt in range(300):
                found = facts(lab)
                if len(found["pool"]["holders"]) + len(found["slots"]["waiting"]) == number:
                    break
        logged_in = {agent["user"]: agent["processes"] for agent in facts(lab, "ubuntu")["agents"]["logged_in"]}
    finally:
        lab.run(
            "host1",
            "rm -f /run/hold-builds /usr/bin/cargo; until ! pgrep -u agent1,agent2 -f cargo_agent; do sleep 0.1; done",
        )
    assert [caller["user"] for caller in found["pool"]["holders"]] == ["agent1"]
    assert [caller["user"] for caller in found["slots"]["waiting"]] == ["agent2", "agent1"]
    assert sorted(logged_in) == ["agent1", "agent2"]


def test_changes_of_the_pool_by_an_agent_end_with_its_process(lab):
    before = facts(lab)
    numbers = (
        "open F, q(/run/nova-agent/pool); ($s) = split / /, <F>; semctl $s, $_, 16, 0 or die $! for 0, 1, 2, 3, 4, 1006"
    )
    timer = "nova-agent-pool-check.timer"
    lab.run("host1", f"systemctl is-active {timer} && systemctl stop {timer}")
    lab.run("host1", f"su agent1 -c \"perl -e '{numbers.replace('$', chr(92) + '$')}'\"")
    assert facts(lab)["slots"]["total"] == 0
    lab.run("host1", f"systemctl start nova-agent-pool-check.service {timer}")
    after = facts(lab)
    assert (after["pool"], after["slots"]) == (before["pool"], before["slots"])


# An agent that writes false records: with long waits, and for other accounts.
FALSE_RECORDS = """import socket
fields = {"COMMAND": "cargo build", "SLOT_MS": 0, "MEMORY_MS": 10**8, "RAN_MS": 1, "CAP_BYTES": 1, "ENDED": "exit 0"}
lines = ["SYSLOG_IDENTIFIER=cargo_agent", "_UID=0", "MESSAGE=x", *(f"NOVA_CARGO_{name}={value}" for name, value in fields.items())]
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for _ in range(2000):
    out.sendto("\\n".join([*lines, ""]).encode(), "/run/systemd/journal/socket")
"""


def test_ledger_has_each_command_and_false_records_affect_only_their_account(lab):
    lab.run("host1", "printf '#!/bin/sh\\n' >/usr/bin/cargo; chmod 0755 /usr/bin/cargo")
    build = "cd; for n in 1 2 3; do bash /opt/nova-agent/bin/cargo_agent.sh build -p honest$n; done"
    try:
        lab.run("host1", f"su - agent2 -c '{build}'; su - agent1 -c '{build}'")
    finally:
        lab.run("host1", "rm /usr/bin/cargo")
    lab.run(
        "host1",
        f"cat >/run/false_records.py <<'END'\n{FALSE_RECORDS}END\nsu - agent1 -c 'python3 /run/false_records.py'; rm /run/false_records.py",
    )
    lab.run("host1", "journalctl --sync")
    written = lab.run(
        "host1", "journalctl -o cat -t cargo_agent _UID=$(id -u agent2) --output-fields=NOVA_CARGO_COMMAND"
    )
    assert [line for line in written.split("\n") if "honest" in line] == [
        f"cargo build -p honest{n}" for n in (1, 2, 3)
    ]
    waits = facts(lab)["ledger"]["waits"]
    assert waits["accounts"] == 2 and 6 < waits["commands"] < 1000
    assert waits["memory"] == {"p50": 0, "p95": 10**8}  # half of the accounts
    assert facts(lab, "agent2")["ledger"]["waits"]["accounts"] == 1  # an agent can read only its own records
    families = text_string_to_metric_families(lab.run("host1", "agent-status --metrics"))
    (waited,) = (family for family in families if family.name == "nova_agent_command_wait_seconds")
    assert {sample.labels["for"] for sample in waited.samples} == {"slot", "memory"}


def test_changed_paths_are_named_with_advice(lab):
    lab.run("host1", "echo >>/opt/nova-agent/bin/run_limited.sh; chmod 0600 /opt/nova-agent/GUIDE.md")
    drift = facts(lab)["drift"]
    assert {change["path"]: change["what"] for change in drift["changed"]} == {
        "/opt/nova-agent/bin/run_limited.sh": "other content",
        "/opt/nova-agent/GUIDE.md": "mode 0600, not 0644",
    }
    output = lab.run("host1", "su - agent1 -c agent-status")
    assert "1 path of " in output and "to do     files differ from the last apply" in output
    play(lab).succeeded()
    assert facts(lab)["drift"]["changed"] == []


def test_values_unknown_to_the_kernel_are_noted(lab):
    if "memory" in lab.run("host1", "cat /sys/fs/cgroup/cgroup.controllers"):
        pytest.skip("this machine gives its containers the memory controller")
    output = " ".join(lab.run("host1", "agent-status").split())
    assert "no cgroup v2 with the memory controller" in output


def test_hidden_processes_are_noted(lab):
    try:
        hidden = lab.run("host1", "mount -o remount,hidepid=2 /proc && echo hidden || true")
        if "hidden" not in hidden:
            pytest.skip("this machine's containers can't remount /proc")
        found = facts(lab, "agent1")
    finally:
        lab.run("host1", "mount -o remount,hidepid=0 /proc || true")
    assert any(note.startswith("/proc hides") for note in found["notes"])


def test_timer_writes_metrics_for_prometheus(lab):
    file = "/var/lib/nova-agent/metrics.prom"
    play(lab, agent_status_metrics=True).succeeded()
    disk = "/home/disk"  # FIXTURE: a file system of 48 MiB that the sweep knows
    report = (
        f'{{"measured_at": null, "folders": [], "disks": [{{"path": "{disk}", "free_min": 0.1, "free_goal": 0.2}}]}}'
    )
    lab.run(
        "host1",
        f"mkdir {disk}; mount -t tmpfs -o size=48m none {disk}; echo '{report}' >/var/lib/nova-agent/targets.json",
    )
    try:
        lab.run("host1", "systemctl is-active nova-agent-metrics.timer && systemctl start nova-agent-metrics.service")
        families = {family.name: family for family in text_string_to_metric_families(lab.run("host1", f"cat {file}"))}
    finally:
        lab.run("host1", f"umount {disk}; rmdir {disk}; rm /var/lib/nova-agent/targets.json")
    assert {"nova_agent_agents_recommended", "nova_agent_pool_bytes", "nova_agent_drift_paths"} <= set(families)
    assert [sample.value for sample in families["nova_agent_disk_free_bytes"].samples] == [48 << 20]
    assert play(lab, agent_status_metrics=True).succeeded().changed == {}
    play(lab).succeeded()
    assert (
        lab.run(
            "host1", f"test -e {file} || systemctl list-timers --all | grep -c [n]ova-agent-metrics || true"
        ).strip()
        == "0"
    )


def test_retire_leaves_the_host_as_it_was(lab, clean):
    lab.retire().succeeded()
    lab.remove_accounts("host1", "agent1", "agent2")
    assert sorted(set(lab.snapshot("host1").splitlines()) ^ set(clean.splitlines())) == []
