# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The lines that end an apply."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.policy.summary import done_line, host_summary
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.budgets import memory_budget

QUIET = {"overcommit_memory": 0, "shm_used": 0, "container_users": []}
BIG = {"budget": memory_budget(1536 * GIB, cpus=192), "parallelism": {"slots": 10, "jobs": 32}}


def test_a_host_in_order_is_one_line():
    observed = {**BIG, "memory": {"swap": 0}, "fences": QUIET}
    assert host_summary(observed, "build1") == (
        "build1: 300 agents (326 at most) of 4 GiB; 10 cargo commands at once, 32 jobs each"
    )


def test_the_last_line_names_the_hosts_that_are_not_done():
    assert done_line(["a", "b"], ["a", "b"]) == "done: 2 of 2 hosts"
    assert done_line(["c", "a", "b"], ["a"]) == "done: 1 of 3 hosts; not reached or failed: c, b"


def test_a_host_s_name_can_not_steer_a_terminal_or_end_a_line():
    name = "h\nost: 9 agents\x1b[31m\u202e"
    assert done_line([name], []) == r"done: 0 of 1 hosts; not reached or failed: h\nost: 9 agents\x1b[31m\u202e"
    observed = {**BIG, "memory": {"swap": GIB}, "fences": QUIET}
    lines = host_summary(observed, name).splitlines()
    assert [line.partition(r"\u202e: ")[0] for line in lines] == [r"h\nost: 9 agents\x1b[31m"] * 2


def test_slots_and_jobs_are_those_that_hold_there():
    observed = {**BIG, "memory": {"swap": 0}, "fences": QUIET, "parallelism": {"slots": 1, "jobs": 7}}
    assert host_summary(observed, "h").endswith("; 1 cargo command at once, 7 jobs each")


@pytest.mark.parametrize(
    ("swap", "fences", "note"),
    [
        (2 * GIB, {}, "swap is on (2 GiB): a host short of memory then thrashes instead of ending a process; turn it off with swapoff and in /etc/fstab"),
        (0, {"overcommit_memory": 2}, "vm.overcommit_memory is 2: address space that builds reserve and never touch counts as used, and allocations fail early; set it to 0"),
        (0, {"container_users": ["a1 (docker)", "a2 (lxd)"]}, "a1 (docker), a2 (lxd) may start containers, which are under no limit of the agents': take them out of that group"),
        (0, {"shm_used": 3 * GIB}, "files in /dev/shm hold 3 GiB of memory that no process's limit counts: remove them"),
    ],
)  # fmt: skip
def test_what_defeats_a_limit_is_told(swap, fences, note):
    observed = {**BIG, "memory": {"swap": swap}, "fences": {**QUIET, **fences}}
    assert host_summary(observed, "h").splitlines()[1:] == [f"h: note: {note}"]
