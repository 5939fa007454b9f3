# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Every kind of wrong setting, and the policy that the programs read."""

from __future__ import annotations

import json

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.policy import (
    AuditLog,
    HygieneError,
    Workspaces,
    check_audit_logs,
    check_workspaces,
    load_policy,
    target_max,
)

GIVEN = {
    "target_max": "100G",
    "workspaces": ["/home/*/nova", {"path": "~/nova-[ab]?", "users": ["agent1", "agent2"]}],
    "audit_logs": [{"path": "/home/agent1/audit.log", "owner": "agent1"}],
    "group": "nova-agents",
    "report": "/var/lib/nova-agent/targets.json",
    "free_min": "10%",
    "free_goal": "1T",
}
NAMES = r"agent1, jane.doe or DOM\jane"
PATTERN = "allowed is an absolute path of two names or more, with * ? [...] but not **, or one below ~/, such as /home/*/nova or ~/nova"


@pytest.mark.parametrize(
    "path",
    [
        "nova",
        "/",
        "/home",
        "",
        "~",
        "~agent1/nova",
        "/home/**/nova",
        "/home/../etc",
        "/home/./x",
        "/home//x",
        "/home/x/",
        "/a/b\nc",
        3,
        None,
    ],
)
def test_invalid_path_of_a_workspace_is_named(path):
    with pytest.raises(HygieneError) as error:
        check_workspaces("agent_hygiene_workspaces", [{"path": path}])
    assert str(error.value) == f"agent_hygiene_workspaces has the path {path!r}; {PATTERN}"


@pytest.mark.parametrize("item", [3, {}, {"users": []}, {"path": "/a/b", "owner": "x"}, ["/a/b"]])
def test_invalid_shape_of_a_workspace_is_named(item):
    with pytest.raises(HygieneError) as error:
        check_workspaces("agent_hygiene_workspaces", [item])
    assert (
        str(error.value)
        == f"agent_hygiene_workspaces has {item!r}; allowed is a path such as /home/*/nova, or {{path: ..., users: [...]}}"
    )


@pytest.mark.parametrize("users", ["agent1", [3], ["a b"], ["-r"], ["a:b"], ["a\n"], [""]])
def test_invalid_users_are_named(users):
    with pytest.raises(HygieneError) as error:
        check_workspaces("agent_hygiene_workspaces", [{"path": "/a/b", "users": users}])
    assert (
        str(error.value)
        == f"agent_hygiene_workspaces has the users {users!r}; allowed is a list of account names, such as {NAMES}"
    )


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("/a/b", "agent_hygiene_audit_logs has '/a/b'; allowed is {path: /home/agent1/nova-audit.log, owner: agent1}"),
        ({"path": "/a/b"}, "agent_hygiene_audit_logs has {'path': '/a/b'}; allowed is {path: /home/agent1/nova-audit.log, owner: agent1}"),
        ({"path": "b.log", "owner": "a"}, "agent_hygiene_audit_logs has the path 'b.log'; allowed is an absolute path of two names or more"),
        ({"path": "/a/../b", "owner": "a"}, "agent_hygiene_audit_logs has the path '/a/../b'; allowed is an absolute path of two names or more"),
        ({"path": "/a/b", "owner": "a b"}, f"agent_hygiene_audit_logs has the owner 'a b'; allowed is an account's name, such as {NAMES}"),
    ],
)  # fmt: skip
def test_invalid_audit_log_is_named(item, message):
    with pytest.raises(HygieneError) as error:
        check_audit_logs("agent_hygiene_audit_logs", [item])
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["jane.doe", "Jane", r"DOM\jane", "jane@dom.example", "jürgen", "1user", "host$"])
def test_account_names_of_directories_are_accepted(name):
    (workspaces,) = check_workspaces("agent_hygiene_workspaces", [{"path": "/a/b", "users": [name]}])
    (log,) = check_audit_logs("agent_hygiene_audit_logs", [{"path": "/a/b", "owner": name}])
    assert (workspaces.users, log.owner) == ((name,), name)


def written(folder, **changed):
    path = folder / "hygiene.json"
    path.write_text(json.dumps({**GIVEN, **changed}))
    return str(path)


def test_programs_read_the_file_of_the_role(tmp_path):
    policy = load_policy(written(tmp_path))
    assert policy.target_max == 100 << 30
    assert policy.workspaces == (Workspaces("/home/*/nova"), Workspaces("~/nova-[ab]?", ("agent1", "agent2")))
    assert policy.audit_logs == (AuditLog("/home/agent1/audit.log", "agent1"),)


def test_damaged_file_is_named(tmp_path):
    path = written(tmp_path, target_max="lots")
    with pytest.raises(HygieneError, match=f"^{path}: target_max is 'lots', which is not a size"):
        load_policy(path)
    (tmp_path / "hygiene.json").write_text("{}")
    with pytest.raises(HygieneError) as error:
        load_policy(path)
    assert str(error.value) == f"{path} is damaged ('target_max'); ask an operator to apply role agent_hygiene"
    (tmp_path / "hygiene.json").unlink()
    with pytest.raises(HygieneError, match=f"^{path}: No such file or directory; "):
        load_policy(path)


@pytest.mark.parametrize(
    ("given", "size"), [({}, 100 << 30), ({"TARGET_MAX_GB": ""}, 100 << 30), ({"TARGET_MAX_GB": "7"}, 7 << 30)]
)
def test_target_max_gb_overrides_the_policy(tmp_path, given, size):
    assert target_max(given, load_policy(written(tmp_path))) == size


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "100G", "1e3", " 5", "99999999", "$(id)"])
def test_invalid_target_max_gb_is_named(tmp_path, value):
    with pytest.raises(HygieneError) as error:
        target_max({"TARGET_MAX_GB": value}, load_policy(written(tmp_path)))
    assert str(error.value) == f"TARGET_MAX_GB is {value!r}; allowed is a whole number of GiB from 1, such as 100"
