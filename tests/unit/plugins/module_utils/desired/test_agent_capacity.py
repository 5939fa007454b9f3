# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The limits for the number of agents: computed, never lowered, and restored."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.compare.items import conditions_of, drifted
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_capacity, agent_limits
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import (
    HostProblems,
    PolicyProblems,
    retired_of,
)
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Capacity, Given, Setting, Sshd

from ..example_host import SUITABLE, host, policy, wanted

UBUNTU = {
    "fs.file-max": 9_223_372_036_854_775_807,
    "fs.inotify.max_user_instances": 128,
    "fs.inotify.max_user_watches": 524_288,
    "fs.nr_open": 1_048_576,
    "kernel.keys.maxbytes": 20_000,
    "kernel.keys.maxkeys": 200,
    "kernel.pid_max": 4_194_304,
    "kernel.threads-max": 12_000_000,
    "vm.max_map_count": 1_048_576,
}
SSHD = Sshd("9.6", True, {})
DEFAULTS = [Given("/usr/lib/systemd/system/user-.slice.d/10-defaults.conf", "33%")]


def observed(*, writable=True, sshd=SSHD, tasks=DEFAULTS, **changed):
    """A host with Ubuntu's defaults, with some changed kernel settings."""
    kernel = {name: Setting(value, writable) for name, value in UBUNTU.items()}
    kernel.update({name.replace("__", ".").replace("_OF_", "_"): setting for name, setting in changed.items()})
    return replace(SUITABLE, capacity=Capacity(kernel, 1_048_576, 4_194_304, tasks, [], sshd))


def contexts(seen, **given):
    """The template contexts of the wanted files, by path."""
    return {entry.path: entry.content.context for entry in wanted(agent_capacity, seen, **given).entries}


def values(seen, **given):
    found = contexts(seen, **given).get(agent_capacity.SYSCTL_FILE, {"settings": []})
    return {one["name"]: (one["value"], one["before"]) for one in found["settings"]}


def lines(sshd, **given):
    return contexts(observed(sshd=sshd), **given).get(agent_capacity.SSHD_FILE, {"lines": {}})["lines"]


def test_only_too_low_values_are_raised():
    assert values(observed()) == {
        "fs.inotify.max_user_instances": (1024, 128),
        "kernel.keys.maxbytes": (100_000, 20_000),
        "kernel.keys.maxkeys": (1000, 200),
    }


def test_single_account_for_all_agents_needs_higher_limits():
    raised = values(observed(), agent_policy_count_agents="sessions")
    assert raised["fs.inotify.max_user_instances"] == (16 * 300, 128)
    assert raised["fs.inotify.max_user_watches"] == (16_384 * 300, 524_288)
    assert raised["kernel.keys.maxkeys"] == (16 * 300, 200)


@pytest.mark.parametrize(
    ("setting", "raised"),
    [
        (Setting(1000, True, ours=1000, before=200), (1000, 200)),  # the second look
        (Setting(150, True, ours=1000, before=200), (1000, 200)),  # lowered by hand
        (Setting(2000, True, ours=1000, before=200), None),  # raised by hand: the host has enough
        (Setting(200, True, earlier=3000), (3000, 200)),  # a file of others wants more
        (Setting(200, False), None),
    ],
)
def test_next_look_finds_the_same_wanted_value(setting, raised):
    assert values(observed(kernel__keys__maxkeys=setting)).get("kernel.keys.maxkeys") == raised


@pytest.mark.parametrize("now", [150, 1000])
def test_value_not_in_force_is_set_and_a_later_foreign_file_is_named(now):
    lowered = observed(kernel__keys__maxkeys=Setting(150, True, ours=1000, before=200))
    assert conditions_of([wanted(agent_capacity, lowered)]).settings["kernel.keys.maxkeys"] == 1000
    later = observed(kernel__keys__maxkeys=Setting(now, True, 1000, 200, later="/etc/sysctl.d/99-x.conf"))
    assert "kernel.keys.maxkeys" not in conditions_of([wanted(agent_capacity, later)]).settings
    assert any("/etc/sysctl.d/99-x.conf" in one.why for one in drifted([wanted(agent_capacity, later)]))


def test_own_earlier_value_is_lowered_with_the_number_of_agents():
    more = observed(kernel__keys__maxkeys=Setting(4800, True, ours=4800, before=200))
    assert conditions_of([wanted(agent_capacity, more)]).settings["kernel.keys.maxkeys"] == 1000


def test_raised_value_is_restored_if_the_part_or_the_role_is_removed():
    seen = observed(kernel__keys__maxkeys=Setting(1000, True, ours=1000, before=200))
    assert conditions_of([wanted(agent_capacity, seen, agent_capacity_kernel=False)]).settings == {
        "kernel.keys.maxkeys": 200
    }
    assert conditions_of(retired_of(seen, ["agent_limits", "agent_capacity"])).settings == {"kernel.keys.maxkeys": 200}
    changed = observed(kernel__keys__maxkeys=Setting(1500, True, ours=1000, before=200))
    assert conditions_of(retired_of(changed, ["agent_capacity"])).settings == {}


def test_container_has_a_note_and_no_file():
    found = wanted(agent_capacity, observed(writable=False))
    assert agent_capacity.SYSCTL_FILE not in {entry.path for entry in found.entries}
    (note,) = [note for note in found.notes if note.kind == "kernel"]
    assert "kernel.keys.maxkeys=1000 (has 200)" in note.text


@pytest.mark.parametrize(
    ("sshd", "wanted_lines"),
    [
        (SSHD, {"MaxStartups": "400:30:700", "MaxSessions": "64"}),
        (Sshd("9.6", True, {"maxstartups": [Given("/x", "20000")]}), {"MaxSessions": "64"}),
        (
            Sshd("9.6", True, {"maxstartups": [Given("/x", "100:10:5000")]}),
            {"MaxStartups": "400:10:5000", "MaxSessions": "64"},
        ),
        (
            Sshd("9.6", True, {"maxstartups": [Given(agent_capacity.SSHD_FILE, "9000:30:9000")]}),
            {"MaxStartups": "400:30:700", "MaxSessions": "64"},
        ),
        (
            Sshd("9.6", True, {"persourcemaxstartups": [Given("/x", "10")]}),
            {"MaxStartups": "400:30:700", "MaxSessions": "64", "PerSourceMaxStartups": "700"},
        ),
        (Sshd("9.6", False, {}), {}),
        (Sshd(), {}),
    ],
)
def test_drop_in_of_sshd_has_the_expected_lines(sshd, wanted_lines):
    assert lines(sshd) == wanted_lines


def test_controllers_are_exempt_if_sshd_supports_it():
    given = {"agent_capacity_controllers": ["192.0.2.7", "2001:db8::/64"]}
    assert "PerSourcePenaltyExemptList" not in lines(SSHD, **given)
    theirs = {"persourcepenaltyexemptlist": [Given("/x", "10.0.0.0/8")]}
    exempt = lines(Sshd("10.0", True, theirs), **given)["PerSourcePenaltyExemptList"]
    assert exempt == "10.0.0.0/8,192.0.2.7,2001:db8::/64"
    with pytest.raises(PolicyProblems, match="agent_capacity_controllers has 'controller1'"):
        policy(agent_capacity_controllers=["controller1"])


@pytest.mark.parametrize(
    ("socket", "refused"),
    [
        ({}, ""),
        ({"accept": "no"}, ""),
        ({"accept": "yes"}, "64"),
        ({"accept": "True", "maxconnections": "300"}, "300"),
        ({"accept": "yes", "maxconnections": "1000"}, ""),
        ({"accept": "yes", "maxconnections": "1000", "maxconnectionspersource": "5"}, "5"),
    ],
)
def test_socket_that_refuses_connections_is_named(socket, refused):
    seen = observed(sshd=Sshd("9.2", True, {key: [Given("/x", value)] for key, value in socket.items()}))
    notes = [note.text for note in wanted(agent_capacity, seen).notes if note.name == "ssh.socket"]
    assert [f"more than {refused}," in text for text in notes] == [True] * bool(refused)
    assert not [note for note in wanted(agent_capacity, seen, agent_capacity_sshd=False).notes if note.kind == "sshd"]


@pytest.mark.parametrize(
    ("tasks", "count", "wanted_tasks"),
    [
        (DEFAULTS, "accounts", None),
        ([*DEFAULTS, Given("/etc/x.conf", "1000")], "accounts", "12288"),
        ([Given("/etc/x.conf", "infinity")], "sessions", None),
        (DEFAULTS, "sessions", str(4_194_304 * 75 // 100)),
    ],
)
def test_tasks_max_of_an_account_is_computed(tasks, count, wanted_tasks):
    found = contexts(observed(tasks=tasks), agent_policy_count_agents=count)
    assert found.get(agent_capacity.TASKS_FILE, {"tasks_max": None})["tasks_max"] == wanted_tasks


def test_account_whose_own_slice_allows_too_few_tasks_is_named():
    path = "/etc/systemd/system/user-1000.slice.d/95-x.conf"
    own = {"agent1": Given(path, "100"), "agent2": Given("/x", "50%"), "agent3": Given("/x", "infinity")}
    seen = observed()
    seen = replace(seen, capacity=replace(seen.capacity, own_tasks=own))
    (wrong,) = [one for one in drifted([wanted(agent_capacity, seen)]) if one.kind == "systemd"]
    assert "agent1" in wrong.name and path in wrong.why
    assert not [
        one for one in drifted([wanted(agent_capacity, seen, agent_capacity_tasks=False)]) if one.kind == "systemd"
    ]


def test_no_setting_is_larger_than_the_kernel_accepts():
    raised = values(observed(), agent_capacity_agents=999_999, agent_policy_count_agents="sessions")
    assert raised["kernel.threads-max"] == (2**30 - 1, UBUNTU["kernel.threads-max"])
    assert raised["fs.inotify.max_user_watches"] == (2**31 - 1, UBUNTU["fs.inotify.max_user_watches"])


def test_sessions_max_is_raised_above_the_limit_of_logind():
    assert agent_capacity.LOGIND_FILE not in contexts(observed())
    assert contexts(observed(), agent_capacity_agents=2000)[agent_capacity.LOGIND_FILE] == {"sessions_max": 16_000}


def test_nofile_is_limited_to_the_maximum_of_the_host():
    few = replace(SUITABLE, capacity=Capacity(open_files=20_000))
    ours = policy().of(agent_limits.Variables)
    assert agent_limits.limits(ours, SUITABLE)["nofile"] == [65_536, 1_048_576]
    assert agent_limits.limits(ours, few)["nofile"] == [20_000, 20_000]
    with pytest.raises(HostProblems) as caught:
        host(few, agent_limits_nofile="1024:30000")
    assert "agent_limits_nofile is 1024:30000" in str(caught.value)
    assert "1024:20000" in str(caught.value)
    assert "\n" not in str(caught.value)
