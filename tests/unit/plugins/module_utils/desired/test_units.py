# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Which units the paths of files belong to."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Template
from ansible_collections.nova.agent_host.plugins.module_utils.desired.unit_files import drop_in
from ansible_collections.nova.agent_host.plugins.module_utils.desired.units import (
    is_of_systemd,
    is_unit_file,
    unit_of,
)

ETC = "/etc/systemd/system"


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        (f"{ETC}/sweep.timer", "sweep.timer"),
        ("/run/systemd/system/sweep.service", "sweep.service"),
        (f"{ETC}/user.slice.d/90-nova-agent.conf", "user.slice"),
        (f"{ETC}/user-1000.slice.d/90-nova-agent.conf", "user-1000.slice"),
        (f"{ETC}/user.slice.d", ""),
        (f"{ETC}/timers.target.wants/sweep.timer", "sweep.timer"),
        (f"{ETC}/timers.target.wants", ""),
        (f"{ETC}/user@.service.d/90-nova-agent.conf", ""),
        (f"{ETC}/session-.scope.d/90-nova-agent.conf", ""),
        ("/etc/systemd/user/of-a-user.service", ""),
        ("/opt/nova-agent/x.timer", ""),
        (ETC, ""),
    ],
)
def test_unit_of_a_file_follows_from_its_path(path, unit):
    assert unit_of(path) == unit


def test_drop_in_belongs_to_its_unit():
    entry = drop_in("lint@1.service", "90-x.conf", Template("agent_limits_service_template"))
    assert entry.path == f"{ETC}/lint@1.service.d/90-x.conf"
    assert unit_of(entry.path) == "lint@1.service" and is_of_systemd(entry.path) and not is_unit_file(entry.path)


def test_unit_file_and_enabling_link_are_not_drop_ins():
    assert is_unit_file(f"{ETC}/sweep.timer") and is_unit_file(f"{ETC}/timers.target.wants/sweep.timer")
    assert not is_unit_file("/opt/x.timer") and not is_of_systemd("/opt/x.timer")
