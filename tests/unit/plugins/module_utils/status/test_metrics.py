# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The metrics, read by Prometheus' own parsers of both formats."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.status import command
from ansible_collections.nova.agent_host.plugins.module_utils.status.metrics import metrics
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from ..status_example import GIB, facts


@pytest.mark.parametrize("read", [openmetrics.text_string_to_metric_families, parser.text_string_to_metric_families])
def test_both_formats_have_the_same_numbers(read):
    families = {family.name: family for family in read(metrics(facts()))}
    values = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
    }
    assert {family.type for family in families.values()} == {"gauge"}
    assert values["nova_agent_memory_available_bytes",] == 1304 * GIB
    assert values["nova_agent_agents_running", ("counted_by", "accounts")] == 1
    assert values["nova_agent_pressure_waiting_ratio", ("kind", "some"), ("resource", "cpu")] == 0.855
    assert values["nova_agent_pool_held_bytes",] == 652 * GIB
    assert values["nova_agent_command_wait_seconds", ("for", "memory"), ("quantile", "0.95")] == 12.345
    assert values["nova_agent_command_run_seconds", ("quantile", "0.5")] == 9
    assert values["nova_agent_command_cap_hit_ratio",] == 0.01


def test_unknown_values_are_absent():
    text = metrics(facts(drift=None, pressure={}, ledger=None, pool={**facts()["pool"], "total": None}))
    names = {family.name for family in openmetrics.text_string_to_metric_families(text)}
    assert not names & {"nova_agent_drift_paths", "nova_agent_pressure_waiting_ratio", "nova_agent_pool_held_bytes"}
    assert "nova_agent_command_wait_seconds" not in names
    assert "nova_agent_agents_running" in names


@pytest.mark.parametrize("mount", ["/srv/b\u00e4ume", '/srv/a"b\\c\nd} 1'])
def test_name_of_a_mount_point_is_a_label(tmp_path, monkeypatch, mount):
    (file_system,) = facts()["disk"]["file_systems"]
    seen = facts(disk={**facts()["disk"], "file_systems": [{**file_system, "path": mount}]})
    monkeypatch.setattr(command, "gather", lambda *_: seen)
    (tmp_path / "policy.json").write_text("{}")
    assert command.main(["--metrics", f"{tmp_path}/agent.prom"], f"{tmp_path}/policy.json") == 0
    text = (tmp_path / "agent.prom").read_text(encoding="utf-8")
    (family,) = (
        one for one in openmetrics.text_string_to_metric_families(text) if one.name == "nova_agent_disk_free_bytes"
    )
    assert [sample.labels for sample in family.samples] == [{"mount": mount}]
