# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The numbers from the records of wrapped commands, some of which are false."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.ledger import parse_records, summary
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB

ENTRY = {
    "NOVA_CARGO_COMMAND": "cargo test -p nova-core",
    "NOVA_CARGO_SLOT_MS": "0",
    "NOVA_CARGO_MEMORY_MS": "100",
    "NOVA_CARGO_RAN_MS": "2000",
    "NOVA_CARGO_CAP_BYTES": str(4 * GIB),
    "NOVA_CARGO_ENDED": "exit 0",
}


def entry(**changed):
    return {**ENTRY, **{f"NOVA_CARGO_{name}": str(value) for name, value in changed.items()}}


def records(account, *entries):
    return parse_records(account, entries)


@pytest.mark.parametrize(
    "changed",
    [
        {"SLOT_MS": ""},
        {"SLOT_MS": "-1"},
        {"MEMORY_MS": "1e9"},
        {"RAN_MS": "9" * 12},
        {"RAN_MS": "9" * 5000},
        {"CAP_BYTES": str(1 << 62)},
        {"COMMAND": "rm -rf /"},
        {"COMMAND": "cargo build\x1b[2J"},
        {"COMMAND": "cargo build -p " + "x" * 500},
        {"HIT": "link $(id)"},
        {"HIT": "x"},
    ],
)
def test_invalid_records_are_ignored(changed):
    assert records("agent1", ENTRY, entry(**changed), {}) == records("agent1", ENTRY)
    assert len(records("agent1", ENTRY)) == 1


def test_p50_and_p95_are_computed():
    waits = summary(records("agent1", *(entry(MEMORY_MS=number) for number in range(1, 101))))["waits"]
    assert (waits["memory"], waits["commands"], waits["accounts"]) == ({"p50": 50, "p95": 95}, 100, 1)


def test_account_with_many_records_has_the_same_weight():
    honest = [record for number in range(30) for record in records(f"agent{number}", ENTRY)]
    liar = records("liar", *[entry(MEMORY_MS=10**8, SLOT_MS=10**8, HIT="link nova", ENDED="exit 101")] * 500)
    waits, alone = summary([*honest, *liar])["waits"], summary(honest)["waits"]
    assert (waits["memory"], waits["slot"]) == (alone["memory"], alone["slot"])
    (hit,) = summary([*honest, *liar])["hits"]
    assert hit["share"] == waits["hit_share"] == 32  # one of 31 accounts


def test_commands_of_several_accounts_come_before_those_of_one():
    hits_cap = entry(HIT="link nova", ENDED="exit 101")
    honest = [record for number in range(10) for record in records(f"agent{number}", hits_cap, *[ENTRY] * 30)]
    invented = [entry(COMMAND=f"cargo build -p x{number}", HIT="link x") for number in range(50)]
    hits = summary([*honest, *records("liar", *invented)])["hits"]
    assert (hits[0]["process"], hits[0]["share"], len(hits)) == ("link nova", 32, 20)


def test_commands_that_hit_the_cap_are_counted_and_a_sufficient_cap_is_found():
    build = {"COMMAND": "cargo build -p nova-lsp"}
    hits_cap = entry(**build, HIT="link nova-lsp", ENDED="exit 101")
    ledger = summary(
        records(
            "agent1",
            hits_cap,
            hits_cap,
            *[entry(**build)] * 6,
            entry(**build, CAP_BYTES=8 * GIB),
            entry(**build, CAP_BYTES=6 * GIB),
            entry(**build, CAP_BYTES=5 * GIB, ENDED="exit 101"),
            entry(CAP_BYTES=5 * GIB),
        )
    )
    assert ledger["waits"]["hit_share"] == 167  # 2 of 12
    (hit,) = ledger["hits"]
    assert (hit["process"], hit["command"]) == ("link nova-lsp", "cargo build -p nova-lsp")
    assert (hit["cap"], hit["hit"], hit["of"], hit["enough"]) == (4 * GIB, 2, 11, 6 * GIB)


def test_commands_that_copied_a_seed_are_counted():
    seed = "nova-0123456789ab"
    commands = records("agent1", entry(SEED=seed), entry(SEED=seed), entry(), entry(SEED="x\x1b[2J"))
    assert summary(commands)["waits"]["seeded"] == 2
