# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Every way in which a variable can be wrong, with the exact sentence that says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.nova.agent_host.plugins.module_utils.policy.variables import CHECKS, policy_problems, typed

FILES = sorted((Path(__file__).parents[5] / "roles").glob("*/meta/argument_specs.yml"))
SPECS = {
    name: spec
    for file in FILES
    for name, spec in yaml.safe_load(file.read_text())["argument_specs"]["main"]["options"].items()
}

SIZE = "write a whole number with K, M, G or T, as in 4G, 4GiB or 4096M"
PATH = (
    "allowed is an absolute path of letters, digits, _ . - and /, that is no folder of the system and not below /tmp, "
    "such as /opt/nova-agent"
)
NAME = "allowed is a name of lower-case letters, digits, _ and -, such as nova-agents"
URL = "allowed is http://, https:// or file://, such as https://static.rust-lang.org"
COUNT = "allowed is a whole number from 1, or nothing for the rule's"


TOOLCHAIN = {
    **{
        name: spec["default"]
        for name, spec in SPECS.items()
        if name.startswith("agent_toolchain_") and "default" in spec
    },
    "agent_policy_rust_channel": "1.92.0",
    "agent_toolchain_channel": "1.92.0",
    "agent_toolchain_update_root": "https://static.rust-lang.org/rustup",
}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"agent_policy_memory_per_agent": "lots"}, f"agent_policy_memory_per_agent is 'lots', which is not a size; {SIZE}"),
        ({"agent_policy_memory_per_agent": "-4G"}, f"agent_policy_memory_per_agent is '-4G', which is not a size; {SIZE}"),
        ({"agent_policy_headroom": 4096}, f"agent_policy_headroom is 4096, a number without a unit: 4096 bytes or 4096 MiB (4096M)? {SIZE[0].upper()}{SIZE[1:]}"),
        ({"agent_policy_memory_per_agent": "256M"}, "agent_policy_memory_per_agent is 256M: rustc fails below 512M, the least allowed"),
        (
            {"agent_policy_memory_per_agent": "32G", "agent_policy_memory_hard_limit": "16G"},
            "agent_policy_memory_per_agent is 32G, above agent_policy_memory_hard_limit, which is 16G; lower the one or raise the other",
        ),
        (
            {"agent_policy_memory_hard_limit": "16G", "agent_limits_login_address_space": "8G"},
            "agent_policy_memory_hard_limit is 16G, above agent_limits_login_address_space, which is 8G; lower the one or raise the other",
        ),
        ({"agent_policy_prefix": "/"}, f"agent_policy_prefix is '/'; {PATH}"),
        ({"agent_policy_prefix": "opt/nova"}, f"agent_policy_prefix is 'opt/nova'; {PATH}"),
        ({"agent_policy_prefix": "/opt/../etc"}, f"agent_policy_prefix is '/opt/../etc'; {PATH}"),
        ({"agent_policy_prefix": "/usr/local"}, f"agent_policy_prefix is '/usr/local'; {PATH}"),
        ({"agent_policy_prefix": "/tmp/nova"}, f"agent_policy_prefix is '/tmp/nova'; {PATH}"),
        ({"agent_policy_prefix": "/opt/a b$(id)"}, f"agent_policy_prefix is '/opt/a b$(id)'; {PATH}"),
        ({"agent_policy_group": "two words"}, f"agent_policy_group is 'two words'; {NAME}"),
        ({"agent_policy_group": "agents\n"}, f"agent_policy_group is 'agents\\n'; {NAME}"),
        ({"agent_policy_group": "sudo"}, "agent_policy_group is 'sudo', a group of the system; name one that only agents belong to"),
        ({"agent_policy_users": ["ok", "not ok"]}, f"agent_policy_users: an entry is 'not ok'; {NAME}"),
        ({"agent_policy_group": "docker"}, "agent_policy_group is 'docker', a group of the system; name one that only agents belong to"),
        ({"agent_policy_users": "agent1,agent2"}, "agent_policy_users is 'agent1,agent2'; allowed is a list, such as [one, two]"),
        ({"agent_limits_extra": "nice=5"}, "agent_limits_extra is 'nice=5'; allowed is a dictionary, such as {key: value}"),
        ({"agent_limits_core": -1}, "agent_limits_core is -1; allowed is a whole number from 0"),
        ({"agent_ceiling_wait": "-5"}, "agent_ceiling_wait is '-5'; allowed is a whole number from 0"),
        ({"agent_wrappers_checkouts": ["rel/../x"]}, "agent_wrappers_checkouts has 'rel/../x'; allowed is an absolute, normalized path, such as /srv/nova"),
        ({"agent_wrappers_checkouts": ["/srv/nova/"]}, "agent_wrappers_checkouts has '/srv/nova/'; allowed is an absolute, normalized path, such as /srv/nova"),
        (
            {**TOOLCHAIN, "agent_toolchain_rustup_checksums": {"x86_64": "zz"}},
            "agent_toolchain_rustup_checksums.x86_64 is 'zz'; allowed is a name such as 4acc9acc… with 64 hexadecimal digits (quoted in YAML)",
        ),
        (
            {**TOOLCHAIN, "agent_toolchain_extra": [{"channel": "1.92.0"}]},
            "agent_toolchain_extra names 1.92.0 twice: list each channel once, with all it needs",
        ),
        (
            {**TOOLCHAIN, "agent_toolchain_extra": ["nightly"]},
            "agent_toolchain_extra[0] is 'nightly'; allowed is a dictionary such as {channel: 1.93.0}",
        ),
        (
            {**TOOLCHAIN, "agent_toolchain_channel": "1.93.0", "agent_wrappers_guard": "redirect"},
            "agent_toolchain_channel is 1.93.0, but the wrappers run agent_policy_rust_channel, 1.92.0: set that one, which the toolchain "
            "follows, and list further channels in agent_toolchain_extra",
        ),
        ({"agent_policy_recommended_agents": "many"}, f"agent_policy_recommended_agents is 'many'; {COUNT}"),
        ({"agent_policy_create_users": "perhaps"}, "agent_policy_create_users is 'perhaps'; allowed is true or false"),
        ({"agent_policy_rust_channel": "newest"}, "agent_policy_rust_channel is 'newest'; allowed is a version such as 1.92.0, or a dated channel such as nightly-2026-01-15"),
        ({"agent_toolchain_dist_server": "mirror.local"}, f"agent_toolchain_dist_server is 'mirror.local'; {URL}"),
        (
            {"agent_toolchain_dist_server": "https://me:s3cret@mirror.local"},
            "agent_toolchain_dist_server holds a user name or password, which logs and process lists would show: use a server that this host may read without one, or a file:// mirror",
        ),
        ({"agent_wrappers_slots": "0"}, "agent_wrappers_slots is '0'; allowed is auto or a whole number from 1 to 9999"),
        ({"agent_wrappers_jobs": "all"}, "agent_wrappers_jobs is 'all'; allowed is auto, cargo or a whole number from 1 to 9999"),
        ({"agent_limits_core": "big"}, "agent_limits_core is 'big'; allowed is a whole number"),
        ({"agent_limits_nofile": "unlimited"}, "agent_limits_nofile is 'unlimited'; allowed is a whole number, or SOFT:HARD such as 65536:1048576"),
        ({"agent_limits_extra": {"as": 1}}, "agent_limits_extra has as, which has a variable of its own: set agent_limits_login_address_space"),
        ({"agent_limits_services": ["a.service"]}, "agent_limits_services has 'a.service'; allowed is a service's name without .service, such as build-runner"),
        ({"agent_limits_services": ["../x"]}, "agent_limits_services has '../x'; allowed is a service's name without .service, such as build-runner"),
        ({"agent_limits_services": ["ssh"]}, "agent_limits_services has 'ssh', which serves administrators too; name services that run agents"),
        ({"agent_ceiling_services": ["systemd-logind"]}, "agent_ceiling_services has 'systemd-logind', which serves administrators too; name services that run agents"),
        ({"agent_ceiling_tasks_max": "most"}, "agent_ceiling_tasks_max is 'most'; allowed is a share such as 75%, or a whole number from 10"),
        ({"agent_ceiling_kill": "agent"}, "agent_ceiling_kill is 'agent'; allowed is process or session"),
        ({"agent_hygiene_target_max": "100"}, f"agent_hygiene_target_max is 100, a number without a unit: 100 bytes or 100 MiB (100M)? {SIZE[0].upper()}{SIZE[1:]}"),
        ({"agent_hygiene_workspaces": ["/home/**"]}, "agent_hygiene_workspaces has the path '/home/**'; allowed is an absolute path of two names or more, with * ? [...] but not **, or one below ~/, such as /home/*/nova or ~/nova"),
        ({"agent_hygiene_jitter": "soon"}, "agent_hygiene_jitter is 'soon'; allowed is a number of s, min or h, such as 90min, or 0"),
        ({"agent_hygiene_schedule": "$(id)"}, "agent_hygiene_schedule is '$(id)'; allowed is a calendar event of systemd's, such as daily or *-*-* 00/6:00"),
        ({"agent_hygiene_audit_schedule": "$(id)"}, "agent_hygiene_audit_schedule is '$(id)'; allowed is a calendar event of systemd's, such as daily or *-*-* 00/6:00"),
        ({"agent_hygiene_audit_logs": [{"path": "/a/b"}]}, "agent_hygiene_audit_logs has {'path': '/a/b'}; allowed is {path: /home/agent1/nova-audit.log, owner: agent1}"),
        ({"agent_limits_nofile": "9:8"}, "agent_limits_nofile is '9:8': the soft limit is above the hard one"),
        (
            {"agent_policy_memory_per_agnet": "4G"},
            "agent_policy_memory_per_agnet is not a variable of this collection; did you mean agent_policy_memory_per_agent?",
        ),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named_with_what_it_held_and_what_is_allowed(variables, message):
    assert policy_problems(variables, SPECS) == [message]


def test_the_defaults_of_all_roles_are_right():
    defaults = {
        name: spec["default"] for name, spec in SPECS.items() if "default" in spec and "{{" not in str(spec["default"])
    }
    assert len(defaults) > 10
    assert policy_problems(defaults, SPECS) == []


def test_a_role_that_stands_alone_may_have_a_channel_of_its_own():
    assert policy_problems({**TOOLCHAIN, "agent_toolchain_channel": "1.93.0"}, SPECS) == []


SWITCHES = [name for name, spec in SPECS.items() if spec["type"] == "bool"]
NUMBERS = [name for name, spec in SPECS.items() if spec["type"] == "int"]


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_may_be_text(name):
    for text, value in (("false", False), ("no", False), ("0", False), ("true", True), ("yes", True)):
        assert policy_problems({name: text}, SPECS) == []
        assert typed({name: text}, SPECS) == {name: value}


def test_a_number_may_be_text():
    assert typed(dict.fromkeys(NUMBERS, "5"), SPECS) == dict.fromkeys(NUMBERS, 5)
    assert typed({"agent_policy_prefix": "5", "other": "5"}, SPECS) == {"agent_policy_prefix": "5", "other": "5"}


@pytest.mark.parametrize("name", [*SWITCHES, "agent_ceiling_wait"])
def test_no_role_takes_text_for_a_switch_or_computes_with_it(name):
    """`-e x=false` and inventories in INI give text, and any text is true. An option of a module has a type of its own."""
    sources = [
        file
        for folder in ("roles", "playbooks")
        for file in (FILES[0].parents[3] / folder).rglob("*")
        if file.suffix in (".yml", ".j2") and file.parent.name not in ("defaults", "meta")
    ]
    uses = [
        line.strip()
        for file in sources
        for line in file.read_text().splitlines()
        if name in line and not line.lstrip().startswith("#") and f'"{{{{ {name} }}}}"' not in line
    ]
    assert [line for line in uses if not re.search(rf"\b{name} \| (bool|int)\b", line)] == []


def test_all_problems_are_told_at_once():
    assert len(policy_problems({"agent_policy_prefix": "/", "agent_policy_headroom": "lots"}, SPECS)) == 2


def test_variables_of_others_that_only_look_like_ours_are_left_alone():
    assert policy_problems({"agent_status_page": "https://example.org", "agent_policy_owner": "team"}, SPECS) == []


def test_every_checked_variable_exists():
    roles = {path.parents[1].name for path in FILES}
    assert [name for name in CHECKS if name not in SPECS and any(name.startswith(f"{role}_") for role in roles)] == []
