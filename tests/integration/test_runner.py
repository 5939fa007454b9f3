# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""site, audit and report by ansible-runner, in a project that imports them: as AWX runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml

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
        return runner

    return run


def test_site_twice_then_audit_and_report(run: Any, tmp_path: Path) -> None:
    assert run("site").rc == 0
    again = run("site")
    assert again.rc == 0 and not again.stats["changed"], again.stats
    audit = run("audit")
    assert audit.rc == 0 and not audit.stats["changed"], audit.stats
    page = tmp_path / "page.html"
    assert run("report", agent_report_path=str(page)).rc == 0
    assert "host1" in page.read_text(encoding="utf-8")


def test_a_host_that_is_right_does_not_fill_the_database_of_events(run: Any) -> None:
    events = list(run("audit").events)
    assert len(events) > 5
    assert max(len(json.dumps(event)) for event in events) < 8_000
