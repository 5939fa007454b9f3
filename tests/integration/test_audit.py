# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The audit on two hosts: each item is damaged, found and repaired by site. Also hosts that can't be read.

The tests leave both hosts compliant.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from conftest import Lab, Played

PREFIX = "/opt/nova-agent"
GUIDE = f"{PREFIX}/GUIDE.md"
BIN = f"{PREFIX}/bin"
ETC = f"{PREFIX}/etc"
NUMBERS = f"{ETC}/policy.env"
AUDIT_LOG = "/home/agent1/nova-audit.log"


class Fleet(Lab):
    """Hosts with a FIXTURE toolchain mirror, and the results of their last audit."""

    compliant: dict[str, dict[str, dict]]  # the items of each compliant host

    def audit(self, *arguments: str, **variables: object) -> Played:
        for path in (self.json, self.junit):
            path.unlink(missing_ok=True)
        reports = {"agent_audit_json": str(self.json), "agent_audit_junit": str(self.junit)}
        return self.play("nova.agent_host.audit", *arguments, **reports, **variables)

    @property
    def json(self) -> Path:
        return self.folder / "audit.json"

    @property
    def junit(self) -> Path:
        return self.folder / "audit.xml"

    def items(self, host: str, *statuses: str) -> dict[str, dict]:
        """The items of a host in the last audit with one of these statuses, by kind and name."""
        (record,) = (record for record in json.loads(self.json.read_text())["hosts"] if record["host"] == host)
        return {f"{item['kind']} {item['item']}": item for item in record["items"] if item["status"] in statuses}

    def differing(self, host: str) -> dict[str, list[str]]:
        assert self.items(host, "unknown") == {}
        return {name: item["differs"] for name, item in self.items(host, "drifted").items()}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    hosts = Fleet(f"audit-{os.getpid()}", ["host1", "host2"], tmp_path_factory.mktemp("audit"))
    try:
        hosts.variables.update(
            **hosts.serve_toolchain("fixture"),
            agent_policy_users=["agent1"],
            agent_policy_create_users=True,
            agent_limits_services=["agent-runner"],
            agent_hygiene_workspaces=["/home/agent1/nova"],
            agent_hygiene_audit_logs=[{"path": AUDIT_LOG, "owner": "agent1"}],
        )
        hosts.site().succeeded()
        hosts.audit().succeeded()
        hosts.compliant = {host: hosts.items(host, "ok") for host in hosts.addresses}
        yield hosts
    finally:
        hosts.down()


@pytest.fixture
def broken(fleet: Fleet) -> Iterator[Fleet]:
    """Hosts that a test damages. Afterwards one site repairs them, and the audit finds nothing."""
    yield fleet
    fleet.site().succeeded()
    fleet.audit().succeeded()


def test_audit_of_compliant_hosts_is_one_line_one_trip_and_no_change(fleet):
    before = fleet.snapshot("host1"), fleet.trips("host1")
    played = fleet.audit().succeeded()
    assert fleet.trips("host1") - before[1] == 1
    assert fleet.snapshot("host1") == before[0]
    assert played.changed == {}
    count = sum(len(fleet.items(host, "ok")) for host in fleet.addresses)
    (reported,) = played.of("audit_report")
    notes = sum(len(fleet.items(host, "note")) for host in fleet.addresses)
    assert reported["msg"][-1] == f"audit: 2 hosts, {count + notes} items: all compliant"
    assert "drifted" not in played.messages and "not checkable" not in played.messages
    kinds = {item["kind"] for item in fleet.items("host1", "ok").values()}
    assert kinds >= {"file", "directory", "link", "toolchain", "unit", "group", "account", "member", "limits", "login", "package", "audit log"}  # fmt: skip
    assert f"file {NUMBERS}" in fleet.items("host1", "ok")


# Before the tests that damage the record of the accounts, because only this record has the added members.
def test_drift_of_accounts_units_and_settings_is_found(broken):
    broken.run(
        "host1",
        "rm -f /opt/nova-agent/toolchain/rustup/toolchains/*/bin/rustc\n"
        "echo 'agent1 hard nofile 2000' > /etc/security/limits.d/99-other.conf\n"
        "sed -i 's/^\\(session.*pam_limits\\)/#\\1/' /etc/pam.d/cron\n"
        "sed -i 's/^UsePAM yes/UsePAM no/' /etc/ssh/sshd_config\n"
        "systemctl stop nova-agent-sweep.timer\n"
        "touch /etc/systemd/system/nova-agent-audit-log.timer\n"
        f"chmod 0644 {AUDIT_LOG}",
    )
    broken.run(
        "host2",
        "gpasswd --delete agent1 nova-agents; install -D /bin/true ~agent1/.cargo/bin/cargo; mkdir ~agent1/.rustup",
    )
    try:
        played = broken.audit()
        assert (played.status, played.changed) == (2, {})
        assert broken.differing("host1") == {
            "toolchain /opt/nova-agent/toolchain": ["damaged"],
            "limits agent1": ["nofile"],
            "login /etc/pam.d/cron": ["pam"],
            "login sshd": ["pam"],
            "unit nova-agent-sweep.timer": ["active"],
            "unit nova-agent-audit-log.timer": ["load"],
            f"audit log {AUDIT_LOG}": ["wide"],
        }
        why = broken.items("host1", "drifted")["limits agent1"]["why"]
        assert "nofile 2000" in why
        # An account that is not a member has no limits.
        assert broken.differing("host2") == {
            "member agent1 in nova-agents": ["kind"],
            "limits agent1": ["as", "nofile"],
        }
        why = broken.items("host2", "note")["own rustup agent1"]["why"]
        assert "/home/agent1/.cargo/bin/cargo, /home/agent1/.rustup" in why
        assert f"  note: own rustup agent1: {why}" in played.messages
    finally:
        broken.run(
            "host1",
            "rm /etc/security/limits.d/99-other.conf; sed -i 's/^#\\(session.*pam_limits\\)/\\1/' /etc/pam.d/cron;"
            " sed -i 's/^UsePAM no/UsePAM yes/' /etc/ssh/sshd_config",
        )


def moved(path: str) -> str:
    """The commands that move a folder, for example to another disk, and replace it by a link."""
    return f"mv {path} /srv/moved && ln -s /srv/moved {path}"


def test_drift_of_special_cases_is_found(broken):
    """Cases that are not visible if all items are damaged at once."""
    broken.run("host1", "systemctl disable nova-agent-sweep.timer")
    broken.run("host1", "chmod 0750 /var/lib/nova-agent; chown agent1 /var/lib/nova-agent/manifest.json")
    broken.run("host1", f"chown agent1 {PREFIX}/.toolchain; chown -h agent1 {PREFIX}/toolchain")
    broken.run("host2", "gpasswd --delete agent1 nova-agents; groupdel nova-agents")
    played = broken.audit()
    assert (played.status, played.changed) == (2, {})
    assert broken.differing("host1") == {
        "link /etc/systemd/system/timers.target.wants/nova-agent-sweep.timer": ["kind"],
        "unit nova-agent-sweep.timer": ["enabled"],
        "directory /var/lib/nova-agent": ["mode"],
        "file /var/lib/nova-agent/manifest.json": ["owner"],
        f"toolchain {PREFIX}/toolchain": ["damaged"],
    }
    found = broken.differing("host2")
    assert (
        found.items()
        >= {
            "group nova-agents": ["kind"],
            "member agent1 in nova-agents": ["kind"],
            "limits agent1": ["as", "nofile"],
        }.items()
    )


# For each kind of path: shell commands that damage the path in {}, and the differences.
WAYS = {
    "deleted": ({"file": "rm {}", "link": "rm {}"}, "kind"),
    "edited": ({"file": "echo edited >> {}"}, "content"),
    "chmod": ({"file": "chmod 0606 {}", "directory": "chmod 0705 {}"}, "mode"),
    "chown": (dict.fromkeys(("file", "link"), "chown -h ubuntu {}"), "owner"),
    "replaced by a link": ({"file": "ln -sf /bin/true {}", "link": "ln -sfn /bin/true {}"}, "link"),
}


def damage(fleet: Fleet, host: str, way: str) -> dict[str, list[str]]:
    """Damage every path of a host in this way. Return the expected findings."""
    commands, differs = WAYS[way]
    expected, script = {}, []
    manifest = json.loads(fleet.run(host, "cat /var/lib/nova-agent/manifest.json"))
    records = {path: record for role in manifest["roles"].values() for path, record in role["paths"].items()}
    for name, item in fleet.compliant[host].items():
        kind, path = item["kind"], item["item"]
        if kind not in commands or (differs not in ("mode", "owner") and path not in records):
            continue  # without its manifest, a host counts as new
        if way == "edited" and "sha256" not in records[path]:
            continue  # its content belongs to its users
        script.append(commands[kind].format(shlex.quote(path)))
        expected[name] = [{"file": "kind", "link": "target"}[kind] if differs == "link" else differs]
    fleet.run(host, "set -e\n" + "\n".join(script))
    return expected


@pytest.mark.parametrize("ways", [("deleted", "edited"), ("chmod", "chown"), ("replaced by a link", None)])
def test_exactly_the_damaged_paths_are_found(broken, ways):
    expected = {host: damage(broken, host, way) if way else {} for host, way in zip(broken.addresses, ways)}
    assert len(expected["host1"]) > 20
    played = broken.audit()
    assert played.status == 2
    for host in broken.addresses:
        found = broken.differing(host)
        # Limits in a damaged file are not in force, and systemd has not read its damaged files.
        consequences = {name for name in found if name.startswith(("limits ", "unit "))}
        assert {name: what for name, what in found.items() if name not in consequences} == expected[host]
    assert played.failed_hosts == {host for host, names in expected.items() if names}


def test_content_of_a_folder_open_to_others_is_unknown(broken):
    """Root follows no path there, because others can replace the files."""
    broken.run("host1", f"chmod 0777 {BIN}; echo >>{BIN}/run_limited.sh")
    played = broken.audit("--limit", "host1")
    assert (played.status, played.changed) == (2, {})
    assert set(broken.items("host1", "drifted")) == {f"directory {BIN}"}
    assert f"file {BIN}/run_limited.sh" in broken.items("host1", "unknown")


def test_moved_folder_is_found_with_its_content(broken):
    """The fixture checks that one apply restores it."""
    broken.run("host1", moved(f"{PREFIX}/libexec"))
    broken.run("host2", moved(PREFIX))
    assert broken.audit().status == 2
    found = broken.differing("host1")
    assert found.pop(f"directory {PREFIX}/libexec") == ["kind"]
    assert all(name.split()[1].startswith(f"{PREFIX}/libexec/") for name in found)
    assert broken.differing("host2")[f"directory {PREFIX}"] == ["kind"]


def test_missing_package_is_one_item(fleet):
    """Without package lists, as on a new instance."""
    played = fleet.audit("--limit", "host1", agent_toolchain_packages=["build-essential", "strace"])
    assert (played.status, played.changed) == (2, {})
    assert fleet.differing("host1") == {"package strace": ["kind"]}


def test_unreadable_list_of_packages_makes_the_host_not_checkable(fleet):
    status = "/var/lib/dpkg/status"
    fleet.run("host1", f"mv {status} {status}.away && mkdir {status}")
    try:
        for played in (fleet.audit(), fleet.site()):
            assert (played.status, played.changed) == (2, {})
            assert f"{status} can't be read: Is a directory" in played.messages
    finally:
        fleet.run("host1", f"rmdir {status} && mv {status}.away {status}")
    assert fleet.items("host1", "ok", "drifted") == {}
    assert fleet.items("host2", "drifted", "unknown") == {}


def test_diff_shows_both_sides_and_hostile_content_is_escaped(broken):
    broken.run(
        "host1",
        rf"printf 'bell \a escape \033[31m <&\" \xff\n' > {GUIDE}; printf 'one\r\n\001two\n' >> {BIN}/run_limited.sh",
    )
    assert broken.audit().status == 2
    diff = broken.items("host1", "drifted")[f"file {BIN}/run_limited.sh"]["diff"]
    assert f"--- {BIN}/run_limited.sh (found)\n+++ {BIN}/run_limited.sh (wanted)\n" in diff
    assert "\n-one\\r\n-\\x01two" in diff
    root = ElementTree.parse(broken.junit).getroot()
    counts = {name: int(root.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    cases = root.findall("testsuite/testcase")
    assert counts == {"tests": len(cases), "failures": 2, "errors": 0, "skipped": 0}
    assert [suite.get("name") for suite in root] == ["host1", "host2"]
    failed = {case.get("name"): case.find("failure") for case in cases if case.find("failure") is not None}
    assert set(failed) == {f"file {GUIDE}", f"file {BIN}/run_limited.sh"}
    assert r"\x01two" in failed[f"file {BIN}/run_limited.sh"].text


def test_policy_that_was_never_applied_is_drift(fleet):
    played = fleet.audit("--limit", "host1", agent_policy_memory_hard_limit="15G", agent_wrappers_guard="none")
    assert played.status == 2
    found = fleet.differing("host1")
    assert found.pop("file /opt/nova-agent/libexec/cargo-guard") == ["kind"]
    assert f"file {NUMBERS}" in found and set(map(tuple, found.values())) == {("content",)}


def test_without_root_every_item_is_not_checkable(fleet):
    played = fleet.audit("--limit", "host1", ansible_become=False)
    assert played.status == 2
    unknown = fleet.items("host1", "unknown")
    (why,) = {item["why"].removeprefix("not compared: ") for item in unknown.values()}
    assert "become: true" in why and f"file {GUIDE}" in unknown
    assert f"host1: not checkable: {why}" in played.messages
    assert fleet.items("host1", "ok", "drifted") == {}
    suite = ElementTree.parse(fleet.junit).getroot()[0]
    assert (suite.get("errors"), suite.get("skipped")) == ("1", str(len(unknown)))


DEAD = 'dead "1" <&'


@contextlib.contextmanager
def dead_host(fleet: Fleet) -> Iterator[tuple[list[str], list[int]]]:
    """A host with a server that is not ssh: arguments of ansible-playbook for it, and a list that grows by
    one with each connection."""
    connections: list[int] = []
    with socket.create_server((fleet.controller, 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, (_address, port) = server.accept()
                    connections.append(port)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        host = {"ansible_host": fleet.controller, "ansible_port": server.getsockname()[1]}
        inventory = fleet.folder / "dead.json"
        inventory.write_text(json.dumps({"all": {"children": {"agent_hosts": {"hosts": {DEAD: host}}}}}))
        try:
            yield ["-i", str(inventory)], connections
        finally:
            server.shutdown(socket.SHUT_RDWR)


def test_dead_host_is_contacted_once_and_listed_and_sets_the_status(broken):
    broken.run("host2", f"chmod 0600 {GUIDE}")
    with dead_host(broken) as (inventory, connections):
        played = broken.audit(*inventory)
        assert played.status == 4
        assert len(connections) == 1
        assert f"{DEAD}: not reached: " in played.messages and "1 not reached" in played.messages
        assert broken.differing("host1") == {} and broken.differing("host2") == {f"file {GUIDE}": ["mode"]}
        report = json.loads(broken.json.read_text())
        assert report["status"] == "unreachable"
        assert report["totals"]["hosts"] == {"ok": 1, "drifted": 1, "unknown": 0, "unreachable": 1}
        (suite,) = (suite for suite in ElementTree.parse(broken.junit).getroot() if suite.get("name") == DEAD)
        assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
        recap = next(line for line in played.text.splitlines() if line.startswith(DEAD) and "ok=" in line)
        assert "unreachable=1" in recap and "failed=0" in recap
        # Also if there is no other host.
        assert broken.audit(*inventory, "--limit", "dead*").status == 4
        assert len(connections) == 2
        assert [record["status"] for record in json.loads(broken.json.read_text())["hosts"]] == ["unreachable"]


def root_of(address: str) -> Path:
    """The files of a test host on this machine, because a container may not set all attributes."""
    for status in Path("/proc").glob("[0-9]*/status"):
        network = status.parent / "root/etc/systemd/network/10-test-hosts.network"
        with contextlib.suppress(OSError):
            pids = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(pids) > 1 and pids[-1] == "1" and f"Address={address}/" in network.read_text():
                return status.parent / "root"
    raise AssertionError(f"no init process at {address}")


@contextlib.contextmanager
def immutable(fleet: Fleet) -> Iterator[str]:
    path = f"{root_of(fleet.addresses['host1'])}{GUIDE}"
    done = subprocess.run(["chattr", "+i", path], check=False, text=True, stderr=subprocess.PIPE)
    if done.returncode:
        pytest.skip(f"no immutable files on this file system: {done.stderr.strip()}")
    try:
        yield f"{GUIDE}: Operation not permitted; {GUIDE} is immutable or append-only: chattr -ia {GUIDE}; "
    finally:
        subprocess.run(["chattr", "-i", path], check=True)


@contextlib.contextmanager
def mounted(fleet: Fleet, script: str, message: str) -> Iterator[str]:
    fleet.run("host1", f"set -e; {script}")
    try:
        yield message
    finally:
        fleet.run("host1", f"umount {ETC}")


READ_ONLY = f"mount --bind {ETC} {ETC}; mount -o remount,bind,ro {ETC}"
FULL = f"mount -t tmpfs -o size=64k,mode=0755 none {ETC}; cat /dev/zero >{ETC}/filler || true; rm -f {GUIDE}"


OBSTACLES = {
    "immutable": immutable,
    "read-only": lambda fleet: mounted(fleet, READ_ONLY, f"{NUMBERS}: Read-only file system; "),
    "full": lambda fleet: mounted(fleet, FULL, f"{NUMBERS}: No space left on device; "),
}


def test_host_that_cannot_be_repaired_fails_with_the_reason_and_others_continue(broken, subtests):
    """A policy that changes many files meets an obstacle on one host."""
    for number, (name, obstacle) in enumerate(OBSTACLES.items()):
        with subtests.test(name):
            policy = {"agent_policy_memory_hard_limit": f"{15 - number}G"}
            with obstacle(broken) as message:
                played = broken.site(**policy)
                assert played.status == 2
                assert message in played.messages and "the next apply continues there" in played.messages, played.text
                assert played.paths("host2") and "host2" not in played.failed_hosts
                if name == "read-only":
                    assert broken.audit(**policy).status == 2
                    assert f"file {NUMBERS}" in broken.differing("host1")
                    assert broken.differing("host2") == {}
