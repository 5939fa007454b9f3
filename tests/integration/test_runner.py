# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""site, audit and report with ansible-runner, in a project that imports them, as in AWX."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

# Bytes of an event in the database of AWX: at most 2,048 of a result, and what runner adds to each.
LARGEST = 2048 + 1200

pytestmark = pytest.mark.usefixtures("toolchain")


@pytest.fixture
def run(lab: Any, tmp_path: Path) -> Any:
    """Run a playbook of the collection, and return the runner."""

    def run(playbook: str, **variables: Any) -> ansible_runner.Runner:
        project = tmp_path / "project"
        project.mkdir(exist_ok=True)
        plays = [{"import_playbook": f"nova.agent_host.{playbook}"}]
        (project / f"{playbook}.yml").write_text(yaml.safe_dump(plays))
        _, environment = lab.command(playbook)
        runner: ansible_runner.Runner = ansible_runner.run(
            private_data_dir=str(tmp_path),
            playbook=f"{playbook}.yml",
            inventory=json.loads(Path(lab.inventory).read_text()),
            extravars={**lab.variables, **variables},
            envvars=environment,
            quiet=True,
        )
        large = [event for event in runner.events if len(json.dumps(event)) > LARGEST]
        assert [(event["event_data"]["task"], len(json.dumps(event))) for event in large] == []
        return runner

    return run


def test_site_twice_then_audit_and_report_with_small_events(run: Any, tmp_path: Path) -> None:
    assert run("site").rc == 0
    again = run("site")
    assert again.rc == 0 and not again.stats["changed"], again.stats
    audit = run("audit")
    assert audit.rc == 0 and not audit.stats["changed"], audit.stats
    assert len(list(audit.events)) > 5
    page = tmp_path / "page.html"
    assert run("report", agent_report_path=str(page)).rc == 0
    assert "host1" in page.read_text(encoding="utf-8")
