# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Wrong values of every variable: the message has the variable, its value, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.nova.agent_host.plugins.module_utils.desired import (
    agent_ceiling,
    agent_limits,
    agent_policy,
    agent_toolchain,
    agent_wrappers,
)
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import FEATURES, PolicyProblems
from ansible_collections.nova.agent_host.plugins.module_utils.desired.variables import UNSAFE_FOLDERS
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import GIB
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import SPECS, policy
from hypothesis import given, settings
from hypothesis import strategies as st


def problem(**variables: Any) -> str:
    with pytest.raises(PolicyProblems) as error:
        policy(**variables)
    return str(error.value)


def test_defaults_of_all_roles_have_no_problems():
    ours = policy()
    assert [feature.ROLE for feature in FEATURES if not isinstance(ours.of(feature.Variables), feature.Variables)] == []
    assert ours.of(agent_policy.Variables).memory_per_agent == 4 * GIB
    assert ours.of(agent_limits.Variables).nofile is None  # auto
    assert ours.of(agent_limits.Variables).nproc is None
    assert ours.of(agent_policy.Variables).headroom is None


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("agent_policy_memory_per_agent", "lots", "4G"),
        ("agent_policy_memory_per_agent", "-4G", "4G"),
        ("agent_policy_memory_per_agent", "256M", "512M"),
        ("agent_policy_memory_hard_limit", "0", "4G"),
        ("agent_policy_headroom", 4096, "4096M"),
        ("agent_policy_system_reserve", "4 G", "4G"),
        ("agent_policy_prefix", "/", "/opt/nova-agent"),
        ("agent_policy_prefix", "opt/nova", "/opt/nova-agent"),
        ("agent_policy_prefix", "/opt/nova/", "/opt/nova-agent"),
        ("agent_policy_prefix", "/opt/../etc", "/opt/nova-agent"),
        ("agent_policy_prefix", "/usr/local", "/opt/nova-agent"),
        ("agent_policy_prefix", "/opt/a b$(id)", "/opt/nova-agent"),
        ("agent_policy_group", "two words", "nova-agents"),
        ("agent_policy_group", "agents\n", "nova-agents"),
        ("agent_policy_group", "-agents", "nova-agents"),
        ("agent_policy_group", "sudo", "choose a group that only agents belong to"),
        ("agent_policy_group", "docker", "choose a group that only agents belong to"),
        ("agent_policy_users", ["ok", "not ok"], "agent1"),
        ("agent_policy_users", ["-rf"], "agent1"),
        ("agent_policy_users", ["../x"], "agent1"),
        ("agent_policy_users", "agent1,agent2", "a list, such as [one, two]"),
        ("agent_policy_users", {"agent1": {}}, "a list"),
        ("agent_policy_users", ["agent1", 7], "in quotes"),
        ("agent_policy_recommended_agents", "many", "a whole number from 1"),
        ("agent_policy_recommended_agents", 0, "a whole number from 1"),
        ("agent_policy_create_users", "perhaps", "true or false"),
        ("agent_policy_rust_channel", "newest", "1.92.0"),
        ("agent_policy_rust_channel", "1.92", "1.92.0"),
        ("agent_policy_rust_channel", "stable", "1.92.0"),
        ("agent_toolchain_profile", "smallest", "minimal"),
        ("agent_toolchain_components", "clippy", "a list"),
        ("agent_toolchain_components", ["Clip py"], "clippy"),
        ("agent_toolchain_targets", ["$(id)"], "wasm32-unknown-unknown"),
        ("agent_toolchain_extra", ["nightly"], "{channel: 1.93.0}"),
        ("agent_toolchain_extra", [{"channel": "1.93.0", "colour": "red"}], "channel, profile, components, targets"),
        ("agent_toolchain_extra", [{"channel": "1.92.0"}], "list each channel once"),
        ("agent_toolchain_rustup_version", "latest", "1.29.0"),
        ("agent_toolchain_rustup_checksums", {"x86_64": "zz"}, "64 hexadecimal digits"),
        ("agent_toolchain_rustup_checksums", {"m68k": "0" * 64}, "aarch64, x86_64"),
        ("agent_toolchain_dist_server", "mirror.example", "https://"),
        ("agent_toolchain_dist_server", "ftp://mirror.example", "https://"),
        ("agent_toolchain_update_root", "https://mirror.example/a b", "https://"),
        ("agent_wrappers_slots", "0", "a whole number from 1 to 9999"),
        ("agent_wrappers_slots", 10_000, "a whole number from 1 to 9999"),
        ("agent_warm_keep", "auto", "allowed is a whole number from 1 to 99"),
        ("agent_wrappers_jobs", "all", "auto, cargo or a whole number from 1 to 9999"),
        ("agent_wrappers_guard", "perhaps", "none"),
        ("agent_wrappers_checkouts", ["rel/../x"], "/srv/nova"),
        ("agent_wrappers_checkouts", ["/srv/nova/"], "/srv/nova"),
        ("agent_wrappers_checkouts", ["/srv"], "/srv/nova"),
        ("agent_wrappers_nova_memory_total", "some", "4G"),
        ("agent_limits_login_address_space", "0", "4G"),
        ("agent_limits_core", -1, "a whole number from 0"),
        ("agent_limits_core", "big", "a whole number"),
        ("agent_limits_nofile", "unlimited", "SOFT:HARD"),
        ("agent_limits_nofile", "1:2:3", "SOFT:HARD"),
        ("agent_limits_nofile", "9:8", "the soft limit is above the hard limit"),
        ("agent_limits_nproc", True, "SOFT:HARD"),
        ("agent_limits_extra", "nice=5", "{key: value}"),
        ("agent_limits_services", ["a.service"], "build-runner"),
        ("agent_limits_services", ["../x"], "build-runner"),
        ("agent_limits_services", ["ssh"], "list only services that run agents"),
        ("agent_limits_template", ["mine.conf.j2"], "text, such as"),
        ("agent_status_template", {"src": "mine.j2"}, "text, such as"),
        ("agent_ceiling_services", ["systemd-logind"], "list only services that run agents"),
        ("agent_ceiling_schedulers", ["user.slice"], "build-runner"),
        ("agent_ceiling_tasks_max", "most", "75%"),
        ("agent_ceiling_tasks_max", "100%", "75%"),
        ("agent_ceiling_kill", "agent", "process or session"),
        ("agent_ceiling_enabled", "perhaps", "true or false"),
        ("agent_ceiling_administrator_memory", "1", "1M"),
        ("agent_ceiling_wait", "-5", "a whole number from 0"),
        ("agent_hygiene_target_max", "100", "100M"),
        ("agent_hygiene_workspaces", ["/home/**"], "/home/*/nova"),
        ("agent_hygiene_workspaces", [{"path": "/a/b", "owner": "x"}], "/home/*/nova"),
        ("agent_hygiene_jitter", "soon", "90min"),
        ("agent_hygiene_schedule", "$(id)", "daily"),
        ("agent_hygiene_audit_schedule", "$(id)", "daily"),
        ("agent_hygiene_audit_logs", [{"path": "/a/b"}], "owner"),
        ("agent_hygiene_audit_logs", ["/a/b/c"], "owner"),
    ],
    ids=str,
)
def test_wrong_value_is_named_with_its_variable_and_allowed_values(variable, value, allowed):
    # Variables whose default follows this one are named too.
    (line,) = [line for line in problem(**{variable: value}).splitlines() if line.startswith(variable)]
    assert allowed in line
    assert [part for part in parts(value) if str(part).replace("\n", "\\n") in line]


def parts(value: Any) -> Iterator[Any]:
    """The texts and numbers in a value. A message shows at least the wrong one."""
    if isinstance(value, dict):
        yield from value
        yield from parts(list(value.values()))
    elif isinstance(value, list):
        for part in value:
            yield from parts(part)
    else:
        yield value


EMPTY_ALLOWED = {name for name, spec in SPECS.items() if spec.get("default") in ("", None)}


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("variable", sorted(SPECS))
def test_empty_value_is_refused_unless_it_is_the_default(variable, value):
    """For example an undefined reference to another variable, or a line without a value in YAML."""
    if variable in EMPTY_ALLOWED and SPECS[variable].get("type") != "list":
        policy(**{variable: value})
    else:
        lines = problem(**{variable: value}).splitlines()
        assert [line for line in lines if line.startswith(f"{variable} is empty") and "allowed is" in line]


def test_only_variables_with_an_empty_default_may_be_empty():
    assert {
        "agent_capacity_agents",
        "agent_limits_nproc",
        "agent_policy_headroom",
        "agent_policy_recommended_agents",
        "agent_policy_system_reserve",
        "agent_wrappers_nova_memory_total",
    } == EMPTY_ALLOWED


@pytest.mark.parametrize("folder", UNSAFE_FOLDERS)
def test_prefix_in_a_shared_or_temporary_folder_is_refused(folder):
    for prefix in (folder, f"{folder}/nova", f"{folder}/a/b"):
        assert prefix in problem(agent_policy_prefix=prefix)
    assert {"/tmp", "/var/tmp", "/home", "/run"} <= set(UNSAFE_FOLDERS)


@pytest.mark.parametrize("prefix", ["/opt/nova-agent", "/usr/local/nova", "/srv/agents/x_1", "/homes/nova", "/data"])
def test_allowed_prefixes(prefix):
    assert policy(agent_policy_prefix=prefix).of(agent_policy.Variables).prefix == prefix


@pytest.mark.parametrize("variable", ["agent_limits_nofile", "agent_limits_nproc", "agent_limits_extra"])
@pytest.mark.parametrize("pair", ["10:20", "2:4", "5:10", "8:16", "16:32", "20:40", "50:59"])
def test_soft_and_hard_parsed_as_a_number_by_yaml_are_refused(variable, pair):
    def variables(text):
        value = yaml.safe_load(text)
        return {variable: {"memlock": value} if variable == "agent_limits_extra" else value}

    number = yaml.safe_load(pair)
    line = problem(**variables(pair))
    assert f"'{pair}'" in line and f"'{number}'" in line
    assert policy(**variables(f"'{number}'")) and policy(**variables(f"'{pair}'"))


@pytest.mark.parametrize(
    "value", [*(2**power for power in range(17)), 70, 80, 90, 99, 100, 200, 500, 1000, 2000, 2500, 4000, "1024:4096"]
)
def test_numbers_may_be_yaml_numbers(value):
    assert isinstance(policy(agent_limits_nofile=value).of(agent_limits.Variables).nofile[0], int)
    assert policy(agent_limits_extra={"memlock": value})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("agent_limits_extra: {nice: 10:19}", "'10:19'"),
        ("agent_limits_extra: {nice: -10:5}", "'-10:5'"),
        ("agent_limits_extra: {priority: 19:10}", "in quotes"),
        ("agent_limits_nofile: 1e3", "1e3"),
        ("agent_limits_nofile: 0o2000", "0o2000"),
        ("agent_limits_nofile: 1.5e+3", "1500.0"),
        ("agent_limits_nproc: yes", "True"),
        ("agent_limits_core: off", "False"),
        ("agent_policy_users: [no, agent1]", "agent_policy_users"),
        ("agent_policy_users: [1001]", "agent_policy_users"),
        ("agent_policy_group: on", "True"),
        ("agent_policy_rust_channel: 1.92", "1.92.0"),
        ("agent_toolchain_extra: [{channel: 1.90}]", "quoted in YAML"),
        ("agent_toolchain_rustup_version: 1.29", "quoted in YAML"),
        ("agent_policy_memory_per_agent: 4:30", "270"),
        ("agent_hygiene_schedule: 10:30", "in quotes"),
        ("agent_hygiene_audit_schedule: 12:30:45", "in quotes"),
    ],
)
def test_unquoted_text_parsed_as_another_type_is_refused(text, part):
    (name, value), *_ = yaml.safe_load(text).items()
    line = problem(**{name: value})
    assert name in line and part in line


@pytest.mark.parametrize("name", ["g++", "libc6:amd64", "gcc=4:12.2.0-3", "gcc:amd64=4:12*", "libstdc++6", "0ad"])
def test_comparable_packages_are_allowed(name):
    assert policy(agent_toolchain_packages=[name]).of(agent_toolchain.Variables).packages == (name,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5h://me:s3cret@proxy.example"),
        ("https_proxy", "SOCKS4://proxy.example"),
        ("RUSTUP_HOME", "/x"),
        ("CARGO_HTTP_PROXY", "x"),
        ("RUSTUP_DIST_SERVER", "https://me:s3cret@mirror.example"),
        ("TMPDIR", "/x"),
    ],
)
def test_environment_variable_that_cannot_be_passed_on_is_refused_by_name(name, value):
    line = problem(agent_toolchain_environment={name: value})
    assert "agent_toolchain_environment" in line and name in line and "s3cret" not in line


@pytest.mark.parametrize("value", ["daily; rm", "%n", "a\nb", "x" * 101, 630], ids=repr)
@pytest.mark.parametrize("name", [name for name in SPECS if name.endswith("_schedule")])
def test_schedule_that_is_not_a_calendar_event_is_refused(name, value):
    assert problem(**{name: value}).startswith(f"{name} is {value!r}; allowed is a calendar event of systemd, such as")


@pytest.mark.parametrize("value", ["1", "h", "1.5h", "-1h", "1 h", "1d", "123456s"])
@pytest.mark.parametrize("name", [name for name in SPECS if name.endswith("_jitter")])
def test_jitter_without_a_valid_unit_is_refused(name, value):
    assert problem(**{name: value}) == f"{name} is {value!r}; allowed is a number of s, min or h, such as 90min, or 0"


@pytest.mark.parametrize(
    "name", ["make>=4.0", "make/bookworm", "make-", "GCC", "bash:any", "make=", "lib*", "-y", "a b"]
)
def test_packages_that_cannot_be_compared_are_refused(name):
    assert f"agent_toolchain_packages has {name!r}" in problem(agent_toolchain_packages=[name])


@pytest.mark.parametrize(
    "name", ["agent1", "jane.doe", "Jane", "1user", "machine$", "a" * 64, r"DOM\jane", "jane@dom.example"]
)
def test_account_names_of_directories_are_allowed(name):
    assert policy(agent_policy_users=[name]).of(agent_policy.Variables).users == (name,)


@pytest.mark.parametrize(
    ("variables", "parts"),
    [
        (
            {"agent_policy_memory_per_agent": "32G", "agent_policy_memory_hard_limit": "16G"},
            ("agent_policy_memory_per_agent", "32G", "agent_policy_memory_hard_limit", "16G"),
        ),
        (
            {"agent_policy_memory_hard_limit": "16G", "agent_limits_login_address_space": "8G"},
            ("agent_policy_memory_hard_limit", "16G", "agent_limits_login_address_space", "8G"),
        ),
        (
            {"agent_toolchain_channel": "1.93.0"},
            ("agent_toolchain_channel", "1.93.0", "agent_policy_rust_channel", "1.92.0", "agent_toolchain_extra"),
        ),
        ({"agent_policy_memory_per_agnet": "4G"}, ("agent_policy_memory_per_agnet", "agent_policy_memory_per_agent?")),
    ],
)
def test_conflicting_values_are_both_named(variables, parts):
    line = problem(**variables)
    assert [part for part in parts if part not in line] == [] and "\n" not in line


@pytest.mark.parametrize(
    ("item", "limit", "allowed"),
    [
        ("as", 4096, "agent_limits_login_address_space"),
        ("nofile", 4096, "agent_limits_nofile"),
        ("stak", 4096, "stack"),
        ("stack", "8M", "a whole number, unlimited"),
        ("stack", "1:2:3", "SOFT:HARD"),
        ("stack", "unlimited:8192", "the soft limit is above the hard limit"),
        ("nice", "unlimited", "a number from -99 to 99"),
    ],
)
def test_invalid_extra_limit_is_named(item, limit, allowed):
    line = problem(agent_limits_extra={item: limit})
    assert "agent_limits_extra" in line and item in line and allowed in line


def test_password_in_a_url_is_not_shown():
    line = problem(agent_toolchain_dist_server="https://me:s3cret@mirror.example")
    assert "agent_toolchain_dist_server" in line and "s3cret" not in line


def test_all_problems_are_reported_at_once():
    lines = problem(agent_policy_prefix="/", agent_policy_headroom="lots", agent_limits_core="x").splitlines()
    assert [line.split()[0] for line in sorted(lines)] == [
        "agent_limits_core",
        "agent_policy_headroom",
        "agent_policy_prefix",
    ]


def test_foreign_variables_with_similar_names_are_ignored():
    assert policy(agent_status_page="https://example.org", agent_policy_owner="team")


BOOLEANS = sorted(name for name, spec in SPECS.items() if spec["type"] == "bool")


@pytest.mark.parametrize("name", BOOLEANS)
def test_boolean_may_be_text(name):
    """`-e x=false` and inventories in INI give text, and Python treats any text as true."""
    feature = next(feature for feature in FEATURES if name.startswith(f"{feature.ROLE}_"))
    field = name.removeprefix(f"{feature.ROLE}_")
    for text, value in (("false", False), ("no", False), ("0", False), ("true", True), ("yes", True)):
        assert getattr(policy(**{name: text}).of(feature.Variables), field) is value


def test_number_may_be_text():
    ours = policy(agent_limits_core="5", agent_ceiling_wait="6", agent_wrappers_slots="3", agent_wrappers_jobs=4)
    assert ours.of(agent_limits.Variables).core == 5 and ours.of(agent_ceiling.Variables).wait == 6
    assert (ours.of(agent_wrappers.Variables).slots, ours.of(agent_wrappers.Variables).jobs) == (3, 4)


def test_toolchain_uses_the_channel_of_the_policy():
    ours = policy(agent_policy_rust_channel="1.93.0")
    assert ours.of(agent_toolchain.Variables).channel == "1.93.0"


@pytest.mark.parametrize("value", [True, [0, [1], 0], [2**63, None, None], "1.5", "many", 1e400], ids=repr)
def test_values_other_than_integers_are_refused(value):
    assert "agent_wrappers_orphan_minutes" in problem(agent_wrappers_orphan_minutes=value)


KEYS = st.text(max_size=5) | st.integers(-5, 5) | st.booleans() | st.none()
SCALAR = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
YAML = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OF_TYPE = {"list": st.lists(YAML, max_size=3), "dict": st.dictionaries(KEYS, YAML, max_size=3)}


@given(st.sampled_from(sorted(SPECS)), st.data())
@settings(max_examples=1000)
def test_any_yaml_value_is_a_policy_or_a_problem_with_the_variable(name, data):
    value = data.draw(YAML | OF_TYPE.get(SPECS[name]["type"], YAML))
    try:
        policy(**{name: value})
    except PolicyProblems as error:
        assert name in str(error)


def test_name_that_is_listed_twice_counts_once():
    twice = ["one", "one"]
    lists = {"agent_limits_services": twice, "agent_ceiling_schedulers": twice, "agent_policy_users": twice}
    ours = policy(**lists, agent_wrappers_checkouts=["/srv/nova", "/srv/nova"])
    assert ours.of(agent_limits.Variables).services == ("one",)
    assert ours.of(agent_ceiling.Variables).schedulers == ("one",)
    assert ours.of(agent_policy.Variables).users == ("one",)
    assert ours.of(agent_wrappers.Variables).checkouts == ("/srv/nova",)
