# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The facts of agent-status, from FIXTURES of /proc, /sys and files of the roles."""

from __future__ import annotations

import ctypes
import grp
import json
import os
import pwd

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, PathState, sha256
from ansible_collections.nova.agent_host.plugins.module_utils.status import pool as pool_module
from ansible_collections.nova.agent_host.plugins.module_utils.status.drift import observe_drift
from ansible_collections.nova.agent_host.plugins.module_utils.status.facts import gather
from ansible_collections.nova.agent_host.plugins.module_utils.status.memory import observe_trouble
from ansible_collections.nova.agent_host.plugins.module_utils.status.pool import observe_pool
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.status_example import facts

ME = pwd.getpwuid(os.geteuid()).pw_name
MY_GROUP = grp.getgrgid(os.getegid()).gr_name
POLICY = {
    "group": "no-such-group",
    "channel": "1.92.0",
    "toolchain": "/opt/nova-agent/toolchain",
    "pool": "/run/nova-agent/pool",
    "count_agents": "accounts",
    "agent_programs": [],
    "memory_hard_limit": 16 << 30,
    "budget": facts()["budget"],
}


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def process(root, pid, parent, name, cmdline="", files=()):
    folder = root / "proc" / str(pid)
    fields = ["S", parent, *[0] * 17, 500, 0, 25, 0]
    write(folder / "stat", f"{pid} ({name}) {' '.join(map(str, fields))}\n")
    write(folder / "cmdline", cmdline)
    (folder / "fd").mkdir()
    for number, path in enumerate(files):
        (folder / "fd" / str(number)).symlink_to(path)


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "proc/uptime", "1000.00 1.00\n")
    process(tmp_path, 1, 0, "systemd")
    return tmp_path


LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def pool(root):
    """A pool of 8 units of 1 GiB, 3 of them free, and of 300 slots, 298 of them free."""
    number = LIBC.semget(0, 6, 0o600)
    for place, value in enumerate((3, 8, 1, 298, 300, 0)):
        LIBC.semctl(number, place, 16, value)  # SETVAL
    write(root / "run/nova-agent/pool", f"{number} {1 << 30} 30000 0 {16 << 30}\n")
    yield number
    LIBC.semctl(number, 0, 0)  # IPC_RMID


def pool_of(root):
    return observe_pool("/run/nova-agent/pool", str(root))


def test_totals_come_from_the_kernel(root, pool):
    found = pool_of(root)
    assert (found.pool["total"], found.pool["held"]) == (8 << 30, 5 << 30)
    assert (found.slots["total"], found.slots["held"]) == (300, 2)


def test_holding_and_waiting_processes_are_found_by_their_titles(root, pool):
    process(root, 50, 1, "perl", "memory-gate: holds 1073741824 for rustc serde\0\0\0")
    process(root, 51, 1, "perl", "memory-gate: holds 4294967296 for rustc \x1b[31msyn")
    process(root, 52, 1, "perl", "memory-gate: waits for 4294967296 for test nova-core")
    process(root, 53, 1, "perl", "cargo_agent: holds a slot for cargo build")
    process(root, 54, 1, "perl", "cargo_agent: waits for a slot for cargo test -p x")
    process(root, 55, 1, "perl", "memory-gate: holds much")
    found = pool_of(root)
    assert [
        (caller["pid"], caller["memory"] >> 30, caller["command"], caller["user"]) for caller in found.pool["holders"]
    ] == [
        (51, 4, r"rustc \x1b[31msyn", ME),
        (50, 1, "rustc serde", ME),
    ]
    assert [caller["command"] for caller in found.pool["waiting"]] == ["test nova-core"]
    assert [caller["command"] for caller in found.slots["holders"]] == ["cargo build"]
    assert [caller["command"] for caller in found.slots["waiting"]] == ["cargo test -p x"]


def test_process_that_does_not_answer_hides_only_the_titles(root, pool, monkeypatch):
    """A process whose title is a file on a dead file system."""
    monkeypatch.setattr(pool_module, "TITLES_SECONDS", 0.3)
    process(root, 50, 1, "perl", "memory-gate: holds 1073741824 for rustc serde")
    process(root, 51, 1, "perl", "")
    (root / "proc/51/cmdline").unlink()
    os.mkfifo(root / "proc/51/cmdline")
    found = pool_of(root)
    assert (found.pool["held"], found.pool["holders"]) == (5 << 30, [])
    assert "titles" in found.note


@pytest.mark.parametrize("text", [None, "", "x", "2147483647 1 1 0 0"])
def test_missing_pool_names_the_service_that_creates_it(root, text):
    if text is not None:
        write(root / "run/nova-agent/pool", text)
    found = pool_of(root)
    assert found.pool["total"] is None and "nova-agent-pool.service" in found.pool["problem"]


def test_pressure_and_kills_of_sessions_are_shown_if_the_kernel_counts_them(root):
    users = root / "sys/fs/cgroup/user.slice"
    line = "avg10=12.50 avg60=3.00 avg300=0.10 total=5\n"
    write(users / "memory.pressure", f"some {line}full {line}")
    write(users / "memory.events", "low 0\noom 3\noom_kill 7\noom_group_kill 0\n")
    write(root / "proc/vmstat", "nr_free 5\noom_kill 9\n")
    both = {"avg10": 12.5, "avg60": 3.0}
    assert observe_trouble(True, str(root)) == {
        "scope": "sessions",
        "pressure": {"some": both, "full": both},
        "killed": 7,
    }
    assert observe_trouble(False, str(root)) == {"scope": "host", "pressure": None, "killed": 9}


def test_drift_is_the_difference_from_the_manifest(root):
    for name in ("mode", "content", "right", "kept"):
        write(root / "etc" / name, "" if name in ("mode", "right") else "edited").chmod(0o644)
    (root / "etc/mode").chmod(0o777)
    (root / "etc/link").symlink_to("elsewhere")
    file = PathState("file", "0644", ME, MY_GROUP, sha256(b""))
    paths = {f"/etc/{name}": Record(file, ABSENT) for name in ("mode", "content", "right", "gone")}
    paths["/etc/kept"] = Record(file, ABSENT, kept=True)
    paths["/etc/link"] = Record(PathState("link", owner=ME, group=MY_GROUP, target="right"), ABSENT)
    drift = observe_drift(Manifest({"agent_x": RoleRecord(paths)}), str(root))
    assert drift["recorded"] == 5 and drift["unreadable"] == []
    assert {change["path"]: change["what"] for change in drift["changed"]} == {
        "/etc/content": "other content",
        "/etc/gone": "is missing",
        "/etc/link": "leads to elsewhere, not to right",
        "/etc/mode": "mode 0777, not 0644",
    }


@pytest.mark.parametrize(
    ("text", "disk", "note"),
    [
        (None, None, []),
        ("", None, []),
        ("{", None, ["/var/lib/nova-agent/targets.json can't be read (JSONDecodeError): the next sweep of target folders writes it again"]),
        ("[]", None, ["/var/lib/nova-agent/targets.json can't be read (TypeError): the next sweep of target folders writes it again"]),
        (
            json.dumps({"measured_at": 5, "folders": [{"path": "/a", "bytes": 1, "owner": "x"}, {"path": "/\x1b", "bytes": 9, "owner": "y"}], "more": 1}),
            {"measured_at": 5.0, "folders": [{"path": "/\\x1b", "bytes": 9, "owner": "y"}, {"path": "/a", "bytes": 1, "owner": "x"}], "file_systems": [], "last": None},
            [],
        ),
    ],
)  # fmt: skip
def test_target_folders_come_from_the_last_sweep(root, text, disk, note):
    if text is not None:
        write(root / "var/lib/nova-agent/targets.json", text)
    found = gather(POLICY, str(root))
    assert found["disk"] == disk
    assert [line for line in found["notes"] if "targets" in line] == note


def test_free_space_is_current_and_has_its_marks(root):
    disks = [{"path": path, "free_min": 0.1, "free_goal": 0.2} for path in ("/dev/shm", "/gone")]
    report = {"measured_at": None, "folders": [], "disks": disks, "last": {"at": 5, "freed": 7, "folders": 1}}
    write(root / "var/lib/nova-agent/targets.json", json.dumps(report))
    disk = gather(POLICY, str(root))["disk"]
    assert (disk["measured_at"], disk["last"]) == (None, {"at": 5.0, "freed": 7.0, "folders": 1.0})
    (shown,) = disk["file_systems"]
    assert (shown["path"], shown["free_min"], shown["free_goal"]) == ("/dev/shm", 0.1, 0.2)
    assert 0 < shown["free"] <= shown["size"] and 0 < shown["free_share"] <= 1


def test_missing_files_are_noted_without_an_exception(root):
    (root / "proc/1/stat").unlink()
    write(root / "var/lib/nova-agent/manifest.json", "{")
    found = gather(POLICY, str(root))
    starts = (
        "there is no group no-such-group",
        "/proc hides",
        "/var/lib/nova-agent/manifest.json",
    )
    assert len(found["notes"]) == len(starts)
    assert all(any(start in note for note in found["notes"]) for start in starts)
    assert found["drift"] is None and found["toolchain"] is None


def test_recorded_toolchain_that_is_missing_is_a_problem(root):
    manifest = {"collection": "nova.agent_host", "version": "0", "roles": {"agent_toolchain": {"paths": {}, "trees": ["/opt/nova-agent/toolchain"]}}}  # fmt: skip
    write(root / "var/lib/nova-agent/manifest.json", json.dumps(manifest))
    toolchain = gather(POLICY, str(root))["toolchain"]
    assert toolchain["problems"] == ["Rust 1.92.0 is pinned, but not installed"]


@pytest.mark.parametrize("path", ["sys/fs/cgroup/user.slice/memory.current", "proc/pressure/cpu", "proc/vmstat"])
def test_unreadable_file_is_a_note_and_the_other_facts_stay(root, path):
    (root / path).mkdir(parents=True)
    found = gather(POLICY, str(root))
    assert f"{root}/{path} can't be read: Is a directory; repair it on the host" in found["notes"]
    assert (found["memory"]["scope"], found["trouble"]["killed"], found["pressure"]) == ("processes", None, {})
