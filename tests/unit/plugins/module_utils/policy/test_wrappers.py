# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The entries for slots and checkouts."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.policy.wrappers import checkout_entries, slot_entries
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import wanted_state


def test_agents_lock_the_locks_and_write_the_records_and_own_nothing():
    entries = slot_entries(2, "/run/slots", "agents")
    assert {entry["path"].rpartition("/")[2]: entry["mode"] for entry in entries} == {
        "slots": "0750", "turn": "0640", "slot.1": "0640", "slot.2": "0640", "holder.1": "0660", "holder.2": "0660",
    }  # fmt: skip
    assert {(state["owner"], state["group"]) for state in map(wanted_state, entries)} == {("root", "agents")}


def test_each_checkout_gets_both_wrappers():
    assert checkout_entries(["/srv/a b"], "/opt/nova-agent/bin") == [
        {"path": "/srv/a b/scripts/cargo_agent.sh", "state": "link", "target": "/opt/nova-agent/bin/cargo_agent.sh"},
        {"path": "/srv/a b/scripts/run_limited.sh", "state": "link", "target": "/opt/nova-agent/bin/run_limited.sh"},
    ]
