# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A hostile account on a host: the policy is still applied, other agents work, and no owner of a file changes."""

from __future__ import annotations

import json

import pytest

ROLES = ("agent_limits", "agent_wrappers", "agent_hygiene", "agent_status")
CHECKOUTS = ["/home/agent1/nova", "/home/agent1/special", "/home/agent1/shared", "/home/agent2/nova"]
LOGS = [{"path": f"/home/{user}/audit.log", "owner": user} for user in ("agent1", "agent2")]
VARIABLES = {
    "agent_policy_users": ["agent1", "agent2"],
    "agent_policy_create_users": True,
    "agent_wrappers_checkouts": CHECKOUTS,
    "agent_hygiene_audit_logs": LOGS,
    "agent_hygiene_workspaces": ["~/nova*"],
}
TARGET = "/opt/nova-agent/bin/cargo_agent.sh"
# Runs as agent1, until it is killed.
ATTACK = r"""
import ctypes, fcntl, os, signal, socket, stat, subprocess, sys, threading, time
libc, me = ctypes.CDLL(None), os.geteuid()
os.chdir("/home/agent1")
def swap():
    # Half of the time, the checkout is a link to /srv/other.
    while True:
        libc.renameat2(-100, b"nova", -100, b"evil", 2)  # RENAME_EXCHANGE
def slow_down():
    # The kernel allows this for each process with the account's effective user id.
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                uids = [line for line in open(f"/proc/{pid}/status") if line.startswith("Uid")][0].split()[1:3]
                if uids == ["0", str(me)]:
                    os.sched_setscheduler(int(pid), os.SCHED_IDLE, os.sched_param(0))
                    os.sched_setaffinity(int(pid), {min(os.sched_getaffinity(0))})
                    os.kill(int(pid), signal.SIGSTOP)
            except (OSError, IndexError):
                pass
def lease():
    # A process that opens the file waits for 45 s.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    descriptor = os.open("nova/scripts/run_limited.sh", os.O_RDWR)
    try:
        fcntl.fcntl(descriptor, 1024, 1)  # F_SETLEASE, F_WRLCK
    except OSError as error:
        print("no lease:", error)
    return descriptor
leased = lease()
for name in ("special/scripts/cargo_agent.sh",):
    try:
        os.mknod(name, stat.S_IFCHR | 0o600, 0)  # a whiteout, which every account may create
    except OSError as error:
        print("no whiteout:", error)
        os.mkfifo(name)
os.chmod("shared/scripts", 0o2777)
os.mkfifo("audit.log.1"); os.mkdir("audit.log.2", 0); socket.socket(socket.AF_UNIX).bind("audit.log.3")
os.symlink("/etc/shadow", "audit.log.4"); open(b"audit.log.\xff\x1b[2J\n\r", "w")
os.makedirs("nova\x1b]0;x\x07 \n/target"); open("nova-file", "w")
title = "memory-gate: holds 99999999999 for \x1b[2J\n"
namespace = subprocess.Popen(["unshare", "-Urm", "sh", "-c", "mount -t tmpfs x /opt && mount -t tmpfs y /etc; exec sleep 1000"])
subprocess.Popen([title, "1000"], executable="/bin/sleep")
libc.prctl(15, b"x\n\x1b[2J\r")
if os.fork() == 0:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    while True: pass
threading.Thread(target=slow_down).start()
threading.Thread(target=swap).start()
print("ready", flush=True)
"""


@pytest.fixture(scope="module")
def under_attack(lab):
    """The host, and the run of the roles during the attack."""
    roles = ("--tags", ",".join(ROLES))
    lab.site(*roles, **{**VARIABLES, "agent_wrappers_checkouts": []}).succeeded()
    folders = " ".join(f"{checkout}/scripts" for checkout in CHECKOUTS[:3])
    lab.run(
        "host1",
        f"mkdir -p /srv/other/scripts; touch /srv/other/scripts/run_limited.sh; su agent2 -c 'mkdir -p {CHECKOUTS[3]}'\n"
        f"su agent1 -c 'cd; rm -rf nova; mkdir -p {folders}; touch nova/scripts/run_limited.sh; ln -s /srv/other evil'\n"
        f"cat >/home/agent1/attack.py <<'END'\n{ATTACK}END\n"
        "su agent1 -c 'setsid -f python3 -W ignore ~/attack.py >~/output 2>&1 </dev/null'\n"
        "until grep ready /home/agent1/output; do sleep 0.1; done",
    )
    yield lab, lab.site(*roles, **VARIABLES, agent_policy_memory_per_agent="3G")
    lab.run("host1", "pkill -KILL -u agent1; rm -rf /srv/other", check=False)


@pytest.fixture
def attacked(under_attack):
    return under_attack[0]


def test_policy_is_applied_and_other_agents_get_their_files_during_attacks(under_attack):
    attacked, played = under_attack
    assert "\x1b" not in played.succeeded().text
    assert f"MEMORY_PER_AGENT={3 << 30}" in attacked.run("host1", "cat /opt/nova-agent/etc/policy.env")
    assert attacked.run("host1", f"readlink {CHECKOUTS[3]}/scripts/cargo_agent.sh").strip() == TARGET
    assert attacked.run("host1", "stat -c '%U %a' /home/agent2/audit.log").strip() == "agent2 600"


def test_attacks_change_no_owner_of_files(attacked):
    found = attacked.run("host1", "find /home/agent1 -xdev -user root ! -name attack.py")
    assert found == ""
    assert (
        attacked.run("host1", "find /etc /opt /usr /srv /var/lib -xdev ! -user root ! -user ubuntu -user agent1") == ""
    )
    assert attacked.run("host1", "ls -A /srv/other /srv/other/scripts").split() == [
        "/srv/other:", "scripts", "/srv/other/scripts:", "run_limited.sh",
    ]  # fmt: skip


def test_audit_ends_and_reports_only_paths_of_the_attacker(attacked, tmp_path):
    report = tmp_path / "audit.json"
    played = attacked.play(
        "nova.agent_host.audit", **VARIABLES, agent_policy_memory_per_agent="3G", agent_audit_json=str(report)
    )
    assert played.status in (0, 2) and "\x1b" not in played.text
    (host,) = json.loads(report.read_text())["hosts"]
    findings = {item["item"] for item in host["items"] if item["status"] in ("drifted", "unknown", "missing")}
    assert "/home/agent1/audit.log.1" in findings and not [item for item in findings if "agent2" in item]


def test_agent_status_and_the_sweep_end_during_attacks(attacked):
    output = attacked.run("host1", "agent-status")
    assert "\x1b" not in output and "Traceback" not in output
    attacked.run("host1", "systemctl start nova-agent-sweep.service")
    # It fails, and names the logs that it can't protect.
    journal = attacked.run(
        "host1", "systemctl start nova-agent-audit-log.service; journalctl -o cat -u nova-agent-audit-log.service"
    )
    assert "/home/agent1/audit.log.4" in journal and "agent2" not in journal and "\x1b" not in journal
