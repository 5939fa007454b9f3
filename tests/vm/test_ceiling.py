# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The ceiling in one machine and a few minutes, for `make test`. test_vm.py has the other tests. The tests run in order."""

from __future__ import annotations

from experiment import UNINVOLVED, for_agents, survived
from sessions import open_session, take_memory

SUITE = None
PLAYED = ("nova.agent_host.site", "--tags", "agent_ceiling,agent_wrappers")
CEILING = {
    "agent_ceiling_enabled": True,
    "agent_policy_users": ["agent1"],
}  # one account, because each needs some seconds under emulation
USERS = "/sys/fs/cgroup/user.slice"
FORCED = 64 << 10  # pages that the kernel charges above the limit, if it can't wait
ROUNDS = 3


def test_agents_above_the_ceiling_are_killed_and_the_host_is_not_affected(machine):
    before = machine.run(UNINVOLVED)
    session = open_session(machine, "agent1", "greedy")
    take_memory(machine, session)
    peak, most = machine.run(f"cd {USERS}; cat memory.peak memory.max").split()
    log = machine.run("journalctl --sync; journalctl -k -o cat --grep 'oom-kill:constraint'")
    machine.run(f"touch /tmp/stop; kill {session.idle}")
    session.connection.wait()
    assert int(most) == for_agents(machine) << 20
    assert int(peak) <= int(most) + FORCED
    assert "constraint=CONSTRAINT_MEMCG" in log and "constraint=CONSTRAINT_NONE" not in log
    assert machine.run(UNINVOLVED) == before


def test_agent_survives_the_memory_requests_of_its_compilers(machine):
    assert survived(machine, ROUNDS) == ROUNDS


def test_agent_is_killed_if_its_compilers_have_no_higher_score(machine):
    assert survived(machine, 1, equal=True) == 0
