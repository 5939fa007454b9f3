# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""docs/wrappers.md tells how an agent gets round each guard rail, and that there is no way out of the fence.

Where one of these goes red, the documentation claims too little or too much. Other ways round are seen where their
subject is: other toolchains and editors in test_guard.py, malloc's tunable in test_environment.py.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from .host import CHANNEL, TRIPLE, Host, eventually

AS = "Max address space"


@pytest.fixture
def taken(host: Host) -> Iterator[Host]:
    """A host on which nobody gets a slot."""
    with contextlib.ExitStack() as stack:
        for path in host.slot_folder.glob("slot.*"):
            fcntl.flock(stack.enter_context(path.open()), fcntl.LOCK_EX)
        yield host


def test_from_inside_the_limit_can_not_be_raised(host: Host) -> None:
    agent = "setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all"
    raised = f'bash "{host.run_limited}" --as 1G -- {agent} prlimit --as=2147483648 echo out'
    result = host.shell(raised)
    assert (result.status, result.out) == (1, "") and "Operation not permitted" in result.err
    assert host.shell(raised.replace("2147483648", "536870912")).out == "out\n"


def test_the_cap_can_be_asked_away(host: Host) -> None:
    assert host.cargo("build", NOVA_CARGO_LIMIT_AS="unlimited").limit(AS) == ("unlimited", "unlimited")


def test_the_toolchain_s_own_cargo_needs_no_slot_and_knows_no_rules(taken: Host) -> None:
    result = taken.cargo("test", "--workspace", script=taken.toolchain(f"{CHANNEL}-{TRIPLE}"))
    assert (result.status, result.args) == (0, ["test", "--workspace"])


def test_a_forged_record_passes_for_a_slot(taken: Host) -> None:
    forged = 'echo "$$ 1" >"$SLOTS/holder.1"; NOVA_CARGO_SLOT=1 bash "$WRAPPER" build; exit "$?"'
    result = taken.shell(
        forged,
        SLOTS=str(taken.slot_folder),
        WRAPPER=str(taken.cargo_agent),
        STANDIN_DO="echo built",
        STANDIN_STATUS="7",
    )
    assert result.out == "built\n" and result.status == 7


def test_who_may_lock_may_keep_a_slot(host: Host) -> None:
    keepers = [
        host.start("flock", "--no-fork", path, "sleep", "60") for path in sorted(host.slot_folder.glob("slot.*"))
    ]
    eventually(lambda: all(host.shell(f'flock -n "{keeper.args[2]}" true').status for keeper in keepers))
    waiter = host.start("bash", host.cargo_agent, "build")
    children = Path(f"/proc/{waiter.pid}/task/{waiter.pid}/children")
    eventually(lambda: len(children.read_text().split()) > len(keepers))  # one for each slot, and the clock
    for process in (waiter, *keepers):
        process.kill()
        process.communicate()


@pytest.mark.parametrize("words", [("x",), ("--config", 'alias.y="test"', "y")])
def test_an_alias_that_is_not_understood_passes_the_rules_under_the_cap(host: Host, words: tuple[str, ...]) -> None:
    (host.checkout / ".cargo").mkdir()
    (host.checkout / ".cargo" / "config.toml").write_text('[alias]\nx = [\n  "test",\n]\n')
    result = host.cargo(*words)
    assert result.args == list(words) and result.limit(AS) == (str(4 << 30),) * 2
