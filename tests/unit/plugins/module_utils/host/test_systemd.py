# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""In which order units are stopped, with a STAND-IN for systemctl. Integration tests stop real units."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host import systemd

TIMER, SERVICE = "x.timer", "x.service"


@pytest.fixture
def states(monkeypatch, tmp_path) -> dict[str, str]:
    """State of each unit. The timer starts its service just before it is stopped, and a stopped service has failed."""
    states = {TIMER: "active", SERVICE: "inactive"}

    def run(command: list[str]) -> None:
        verb, *names = [word for word in command[1:] if word != "--"]
        for name in names:
            if (verb, name) == ("stop", TIMER):
                states[SERVICE] = "active"
            after_stop = "failed" if name == SERVICE else "inactive"
            states[name] = {"stop": after_stop, "reset-failed": "inactive"}[verb]

    monkeypatch.setattr(systemd, "BOOTED", str(tmp_path))
    monkeypatch.setattr(systemd, "run", run)
    monkeypatch.setattr(
        systemd, "observe_units", lambda names: {name: SimpleNamespace(active=states[name]) for name in names}
    )
    return states


@pytest.mark.parametrize("names", [[TIMER, SERVICE], [SERVICE, TIMER]])
def test_service_that_a_timer_starts_during_the_stop_is_stopped_too(states, names):
    assert systemd.Systemd().stop(names) == [f"stop {TIMER}", f"stop {SERVICE}"]
    assert states == {TIMER: "inactive", SERVICE: "inactive"}


def test_stop_of_units_that_do_not_run_does_nothing(states):
    states[TIMER] = "inactive"
    assert systemd.Systemd().stop([TIMER, SERVICE]) == []
