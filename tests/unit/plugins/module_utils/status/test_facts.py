# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What agent-status reads, from FIXTURES of /proc, /sys and the records of the roles."""

from __future__ import annotations

import grp
import json
import os
import pwd

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.state.manifest import Manifest, Record, RoleRecord
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import ABSENT, PathState, sha256
from ansible_collections.nova.agent_host.plugins.module_utils.status.drift import observe_drift
from ansible_collections.nova.agent_host.plugins.module_utils.status.facts import gather
from ansible_collections.nova.agent_host.plugins.module_utils.status.memory import observe_trouble
from ansible_collections.nova.agent_host.plugins.module_utils.status.processes import command_line, harmless
from ansible_collections.nova.agent_host.plugins.module_utils.status.slots import observe_slots
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.status_example import facts

ME = pwd.getpwuid(os.geteuid()).pw_name
MY_GROUP = grp.getgrgid(os.getegid()).gr_name
POLICY = {
    "group": "no-such-group",
    "channel": "1.92.0",
    "toolchain": "/opt/nova-agent/toolchain",
    "slots": "/run/nova-agent/slots",
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


@pytest.fixture
def slots(root):
    """Two slots; the locks are named as the kernel does it."""
    folder = root / "run/nova-agent/slots"
    for name in ("turn", "slot.1", "slot.2", "holder.1", "holder.2", "slot.x", "slot.0"):
        write(folder / name)
    (root / "proc/self/ns").mkdir(parents=True)
    (root / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    write(root / "proc/locks")
    return folder


def lock(path, pid, waits=False):
    found = path.stat()
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return f"1: {'-> ' if waits else ''}FLOCK  ADVISORY  WRITE {pid} {device} 0 EOF\n"


def seen(root):
    return observe_slots("/run/nova-agent/slots", str(root))


def test_a_slot_is_held_by_the_process_that_its_record_names(root, slots):
    process(root, 50, 1, "cargo", "/opt/x/bin/cargo\0build\0", [slots / "slot.2"])
    write(slots / "holder.2", "50 1790000000 1001 cargo build")
    write(root / "proc/locks", lock(slots / "slot.2", 49))
    (held,) = seen(root)["held"]
    assert (held["slot"], held["pid"], held["user"], held["command"]) == (2, 50, ME, "cargo build")
    assert held["verified"] and seen(root)["total"] == 2


def test_a_record_outlives_its_holder_and_then_says_nothing(root, slots):
    process(root, 50, 1, "cargo", "cargo\0build\0")
    write(slots / "holder.1", "50 1790000000 1001 cargo build")
    assert seen(root)["held"] == []


def test_the_head_of_the_queue_comes_before_who_waits_for_the_turn(root, slots):
    for wrapper, child in ((60, 61), (70, 71)):
        process(root, wrapper, 1, "bash", f"bash\0/opt/bin/cargo_agent.sh\0build\0{wrapper}\0")
        process(root, child, wrapper, "flock")
    process(root, 72, 70, "flock")
    waiters = lock(slots / "turn", 61, True) + lock(slots / "slot.1", 71, True) + lock(slots / "slot.2", 72, True)
    write(root / "proc/locks", waiters)
    assert [caller["command"] for caller in seen(root)["waiting"]] == [
        "cargo_agent.sh build 70",
        "cargo_agent.sh build 60",
    ]


def test_in_a_container_waiters_are_found_by_their_open_files(root, slots):
    (root / "proc/self/ns/pid").unlink()
    process(root, 60, 1, "bash", "bash\0cargo_agent.sh\0build\0")
    process(root, 61, 60, "flock", files=[slots / "turn"])
    process(root, 62, 1, "flock", files=[root / "proc/uptime"])
    assert [caller["pid"] for caller in seen(root)["waiting"]] == [60]


def test_a_host_without_slots_says_who_makes_them(root):
    assert seen(root)["problem"] == "there are none in /run/nova-agent/slots: role agent_wrappers makes them"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cargo build", "cargo build"),
        ("\x1b[31mred\n", r"\x1b[31mred\n"),
        ("\u202egnihtyna", r"\u202egnihtyna"),
        ("x" * 201, "x" * 197 + "..."),
        ("", ""),
    ],
)
def test_texts_of_agents_are_made_harmless(text, shown):
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (b"bash\0/opt/bin/cargo_agent.sh\0build\0", "cargo_agent.sh build"),
        (b"bash\0-c\0sleep 1\0", "bash -c sleep 1"),
        (b"/usr/bin/cargo\0--version\0", "cargo --version"),
        (b"\xff\xfe\0", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_commands_are_shown_without_folders_and_shells(root, words, shown):
    (root / "proc/1/cmdline").write_bytes(words)
    assert command_line(1, str(root)) == shown


def test_pressure_and_kills_are_those_of_the_sessions_where_the_kernel_counts_them(root):
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


def test_drift_is_what_differs_from_the_record(root):
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
        ("{", None, ["/var/lib/nova-agent/targets.json can't be read (JSONDecodeError): the next sweep of target folders writes it anew"]),
        ("[]", None, ["/var/lib/nova-agent/targets.json can't be read (TypeError): the next sweep of target folders writes it anew"]),
        (
            json.dumps({"measured_at": 5, "folders": [{"path": "/a", "bytes": 1, "owner": "x"}, {"path": "/\x1b", "bytes": 9, "owner": "y"}], "more": 1}),
            {"measured_at": 5.0, "folders": [{"path": "/\\x1b", "bytes": 9, "owner": "y"}, {"path": "/a", "bytes": 1, "owner": "x"}]},
            [],
        ),
    ],
)  # fmt: skip
def test_target_folders_are_those_of_the_last_sweep(root, text, disk, note):
    if text is not None:
        write(root / "var/lib/nova-agent/targets.json", text)
    told = gather(POLICY, str(root))
    assert told["disk"] == disk
    assert [line for line in told["notes"] if "targets" in line] == note


def test_what_is_missing_is_said_and_nothing_is_raised(root):
    (root / "proc/1/stat").unlink()
    write(root / "var/lib/nova-agent/manifest.json", "{")
    told = gather(POLICY, str(root))
    starts = (
        "there is no group no-such-group",
        "/proc hides",
        "/var/lib/nova-agent/manifest.json can't be read",
    )
    for note in told["notes"]:
        print(note)
    assert len(told["notes"]) == len(starts)
    assert all(any(start in note for note in told["notes"]) for start in starts)
    assert told["drift"] is None and told["toolchain"] is None


def test_a_toolchain_that_is_recorded_and_gone_is_a_problem(root):
    manifest = {"collection": "nova.agent_host", "version": "0", "roles": {"agent_toolchain": {"paths": {}, "trees": ["/opt/nova-agent/toolchain"]}}}  # fmt: skip
    write(root / "var/lib/nova-agent/manifest.json", json.dumps(manifest))
    toolchain = gather(POLICY, str(root))["toolchain"]
    assert toolchain["problems"] == ["Rust 1.92.0 is pinned and is not installed"]
