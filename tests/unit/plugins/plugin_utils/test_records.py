# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Every host of a play has a record, also after an error."""

from __future__ import annotations

import pytest
from ansible import constants
from ansible_collections.nova.agent_host.plugins.module_utils.report.rows import NOT_SEEN
from ansible_collections.nova.agent_host.plugins.plugin_utils.records import keep, kept_records


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


def record(host):
    return {"host": host, "status": "ok", "items": []}


def variables(**hosts):
    return {"ansible_play_hosts_all": list(hosts), "hostvars": hosts}


def test_stored_records_are_read_in_the_order_of_the_play():
    paths = {host: keep(record(host), {"cpus": 4}) for host in ("b", "a")}
    found = kept_records(variables(**{host: {"seen": {"record": path}} for host, path in paths.items()}), "seen")
    assert list(found) == ["b", "a"]
    assert found["a"] == {"record": record("a"), "view": {"cpus": 4}}


@pytest.mark.parametrize("host", ["../../etc/passwd", "a/b", "x" * 300, "\udcff", "a\nb"])
def test_names_of_hosts_cannot_leave_the_folder(temporary, host):
    keep(record(host), {})
    assert len(list(temporary.iterdir())) == 1


@pytest.mark.parametrize(
    "result",
    [{}, {"seen": {}}, {"seen": None}, {"seen": {"skipped": True}}, {"seen": {"record": "/nonexistent"}}],
)
def test_host_without_a_record_is_unknown_in_its_place(result):
    path = keep(record("b"), {})
    found = kept_records(variables(a=result, b={"seen": {"record": path}}), "seen")
    assert [(host, one["record"]["status"]) for host, one in found.items()] == [("a", "unknown"), ("b", "ok")]
    assert found["a"]["record"]["why"] and found["a"]["view"] == NOT_SEEN


def test_damaged_record_counts_as_missing(temporary):
    (temporary / "x").write_text("{")
    assert kept_records(variables(a={"seen": {"record": str(temporary / "x")}}), "seen")["a"]["record"]["why"]
