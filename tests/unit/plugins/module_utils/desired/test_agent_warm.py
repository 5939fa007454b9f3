# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The role has entries only for projects, and the program reads the file of the role."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired import agent_warm
from ansible_collections.nova.agent_host.plugins.module_utils.warm.policy import (
    Project,
    WarmError,
    check_projects,
    load_policy,
)
from ansible_collections.nova.agent_host.plugins.module_utils.warm.seeds import Seed
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import SUITABLE, wanted

PROJECT = {"name": "nova", "source": "/srv/nova", "packages": ["nova-core"]}
URL = {"name": "other", "source": "https://git.example.net/other.git", "revision": "main"}
DAMAGED = Seed("nova-0123456789ab", 212, 230, 1, 1, "debug/deps/x has other content")


def test_no_projects_mean_no_entries():
    role = wanted(agent_warm, SUITABLE)
    assert (role.entries, role.units, role.libraries) == ((), (), ())


def test_each_project_has_a_timer_and_the_program_reads_the_variables(tmp_path):
    role = wanted(
        agent_warm, SUITABLE, agent_warm_projects=[PROJECT, URL], agent_warm_keep="3", agent_warm_max_size="1G"
    )
    assert [unit.name for unit in role.units if unit.active] == [
        "nova-agent-warm-nova.timer",
        "nova-agent-warm-other.timer",
    ]
    (entry,) = [one for one in role.entries if one.path.endswith("warm.json")]
    (tmp_path / "warm.json").write_text(entry.content)
    policy = load_policy(str(tmp_path / "warm.json"))
    assert policy.project("nova") == Project("nova", "/srv/nova", packages=("nova-core",))
    assert (policy.keep, policy.max_bytes, policy.project("other").revision) == (3, 1 << 30, "main")


def test_damaged_seed_is_drift_and_missing_seed_is_a_note():
    role = wanted(agent_warm, replace(SUITABLE, warm=[DAMAGED]), agent_warm_projects=[PROJECT, URL])
    assert [(one.name, one.found) for one in role.conditions] == [(DAMAGED.name, False)]
    assert [note.name for note in role.notes] == ["other"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"name": "Nova"}, "'Nova'"),
        ({"source": "nova"}, "'nova'"),
        ({"source": "/srv/../etc/x"}, "'/srv/../etc/x'"),
        ({"source": "ext::sh -c id", "revision": "main"}, "ext::sh"),
        ({"source": "https://me:secret@git.example.net/x", "revision": "main"}, "without a password"),
        ({"source": "https://git.example.net/x"}, "needs a revision"),
        ({"revision": "main"}, "no revision"),
        ({"revision": "--upload-pack=id", "source": "https://git.example.net/x"}, "--upload-pack"),
        ({"packages": "nova-core"}, "'nova-core'"),
        ({"packages": ["--config=x"]}, "--config=x"),
        ({"profiles": []}, "no profiles"),
        ({"flags": "x"}, "'flags'"),
        ({"sha256": "0123"}, "'0123'"),
        ({"sha256": "0" * 64}, "and packages"),
    ],
)
def test_invalid_project_is_refused_with_its_variable(changed, named):
    with pytest.raises(WarmError, match="agent_warm_projects has") as error:
        check_projects("agent_warm_projects", [{**PROJECT, **changed}])
    assert named in str(error.value) and "\n" not in str(error.value)
