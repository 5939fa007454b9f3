# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Every host of a play has a record, whatever became of it."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.plugin_utils.play_records import play_records

RECORD = {"host": "b", "status": "ok", "items": []}


@pytest.mark.parametrize("left", [{}, {"audited": {"skipped": True}}, {"audited": None}])
def test_a_host_without_a_record_is_unknown_in_its_place(left):
    variables = {"ansible_play_hosts_all": ["b", "a"], "hostvars": {"a": left, "b": {"audited": {"record": RECORD}}}}
    broken = {"host": "a", "status": "unknown", "why": "looking at this host broke off", "items": []}
    assert list(play_records(variables, "audited").items()) == [("b", RECORD), ("a", broken)]
