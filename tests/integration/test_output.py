# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The output of a play for people and programs."""

from __future__ import annotations

import json
import subprocess

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.features import ROLES
from conftest import CHECKOUT

LARGEST = 2048  # bytes that one task may print of one host with -v, or put into an event
TABLES = ["audit_report"]  # modules whose result is a table for people
PLAYBOOKS = ["site", "audit", "report", "retire"]


@pytest.fixture(scope="module", autouse=True)
def variables(lab, toolchain):
    lab.variables.update(
        agent_policy_users=["agent1", "agent2"],
        agent_policy_create_users=True,
        agent_limits_services=["agent-runner"],
        agent_hygiene_workspaces=["/home/agent1/nova"],
        agent_hygiene_audit_logs=[{"path": "/home/agent1/audit.log", "owner": "agent1"}],
    )


def test_task_results_are_small(lab, tmp_path):
    """For a new, compliant, drifted and retired host."""
    plays = [lab.site().succeeded(), lab.site().succeeded(), lab.play("nova.agent_host.audit")]
    lab.run("host1", "find /opt/nova-agent -type f -exec chmod 0600 {} +")
    plays += [lab.play("nova.agent_host.audit"), lab.site().succeeded()]
    plays += [lab.play("nova.agent_host.report", agent_report_path=str(tmp_path / "page.html")), lab.retire()]
    results = [one for played in plays for one in played.results if one["action"] not in TABLES]
    assert len(results) > 30
    for one in results:
        one["result"].pop("invocation", None)  # the options, which only -vvv shows
    large = [one for one in results if len(json.dumps(one["result"])) > LARGEST]
    assert [(one["task"], {key: len(str(value)) for key, value in one["result"].items()}) for one in large] == []


# After the test that retires the host.
def test_tag_applies_only_its_role(lab):
    assert len(lab.site("--check", "--diff").succeeded().text.splitlines()) < 1000  # on a new host
    lab.site("--tags", "agent_limits").succeeded()
    assert set(lab.manifest("host1")["roles"]) == {"agent_limits", "agent_policy"}  # with the accounts that it needs


def callback_results(text):
    """The results in the output of a callback for programs: one JSON document, or a line of JSON for each event."""
    try:
        plays = json.loads(text)["plays"]
    except (ValueError, KeyError):
        events = map(json.loads, text.splitlines())
        return [
            result
            for event in events
            for result in event.get("hosts", {event.get("host"): event.get("result")}).items()
        ]
    return [result for one in plays for task in one["tasks"] for result in task["hosts"].items()]


@pytest.fixture(scope="module")
def provisioned(lab, variables):
    lab.site().succeeded()


@pytest.mark.parametrize("callback", ["only_json", "ansible.posix.json", "ansible.posix.jsonl"])
def test_output_of_the_json_callback_parses(lab, provisioned, callback, tmp_path):
    """Only the callback prints, and all messages for people are in results."""
    posix = [
        path.parents[2]
        for path in CHECKOUT.glob(".cache/community/lib/*/site-packages/ansible_collections/ansible/posix")
    ]
    if callback != "only_json" and not posix:
        pytest.skip("ansible.posix is missing: make .cache/community/.ready")
    playbooks = [{"import_playbook": f"nova.agent_host.{name}"} for name in PLAYBOOKS]
    command, environment = lab.command(playbooks, "--check", agent_report_path=str(tmp_path / "page.html"))
    environment["ANSIBLE_STDOUT_CALLBACK"] = callback
    environment["ANSIBLE_COLLECTIONS_PATH"] += "".join(f":{path}" for path in posix)
    done = subprocess.run(command, check=True, text=True, capture_output=True, env=environment)
    assert done.stderr == ""
    results = [(host, result) for host, result in callback_results(done.stdout) if result]
    assert {host for host, _ in results} == {"host1"}
    assert [result for _, result in results if len(json.dumps(result)) > LARGEST] == []
    lines = [line for _, result in results for line in result.get("msg", []) if isinstance(result.get("msg"), list)]
    for start in ("reached: 1 of 1 hosts", "audit: 1 host", "report: 1 host"):
        assert any(line.startswith(start) for line in lines)


def test_output_of_plan_parses(lab, monkeypatch):
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "only_json")
    command, environment = lab.command("nova.agent_host.plan", memory="1536G", cpus=192)
    done = subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=environment)
    lines = [line for one in map(json.loads, done.stdout.splitlines()) for line in one["result"].get("msg", [])]
    assert any("Recommended" in line and "300" in line for line in lines)


LIMITS = ("agent_policy", "agent_limits")  # the roles of --tags agent_limits: every role needs the accounts


def last_line(played):
    """The last message of site."""
    (reported,) = played.of("site_report")
    return next(line for line in reported["msg"] if line.startswith(("done: ", "reached: ")))


OTHERS = ", ".join(role for role in ROLES if role not in LIMITS)


@pytest.mark.parametrize(
    ("arguments", "not_done"),
    [
        (["--tags", "nosuch"], "no role was selected (--tags, --skip-tags), so nothing was looked at"),
        (["--skip-tags", "agent_status"], "not looked at: agent_status (--tags, --skip-tags)"),
        (["--tags", "agent_limits"], f"not looked at: {OTHERS} (--tags, --skip-tags)"),
        (["--check"], "check mode: nothing was changed"),
        (["--check", "--tags", "agent_limits"], f"not looked at: {OTHERS} (--tags, --skip-tags); check mode: nothing was changed"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_summary_lists_what_was_not_done(lab, provisioned, arguments, not_done):
    assert last_line(lab.site(*arguments).succeeded()) == f"reached: 1 of 1 hosts; {not_done}"


def test_summary_of_a_complete_run_lists_nothing_else(lab):
    assert last_line(lab.site().succeeded()) == "done: 1 of 1 hosts"


def test_password_of_a_proxy_is_in_no_output_command_line_or_file(lab):
    """The journal has the command line of each sudo."""
    secret = f"http://me:s3cret@{lab.controller}"  # no process listens there
    lab.run("host1", "rm -rf /opt/nova-agent/.toolchain")
    failed = lab.site("-v", agent_toolchain_environment={"ALL_PROXY": secret, "RUSTUP_MAX_RETRIES": "0"}).failed()
    assert "through the proxy in http_proxy" in failed.messages and "agent_toolchain_update_root" in failed.messages
    lab.site("-v", agent_toolchain_environment={"ALL_PROXY": secret, "no_proxy": lab.controller}).succeeded()
    assert "s3cret" not in failed.text + json.dumps(failed.results)
    # The journal has the command of this check too, so it does not contain the password.
    assert "s3cret" not in lab.run("host1", "journalctl --sync && journalctl -q")
    lab.run("host1", "! grep -rl s3[c]ret /etc /opt /run /var/lib/nova-agent")


@pytest.mark.parametrize("name", ["ALL_PROXY", "http_proxy"])
def test_apt_uses_the_proxy_of_the_environment(lab, name):
    own_file = "/etc/apt/apt.conf.d/99test-hosts"
    _, proxy, *_ = lab.run("host1", f"cat {own_file}; mv {own_file} /run/own-proxy; rm -rf /var/lib/apt/lists").split(
        '"'
    )
    try:
        environment = {name: proxy, "no_proxy": lab.controller}  # the mirror of toolchains
        lab.roles(
            "agent_toolchain", agent_toolchain_packages=["hello"], agent_toolchain_environment=environment
        ).succeeded()
        lab.run("host1", "hello && ! ls /run/nova-agent-apt.conf")
    finally:
        lab.run("host1", f"mv /run/own-proxy {own_file}; apt-get -qqy purge hello")


def test_packages_that_apt_cannot_install_are_named_with_the_variable(lab):
    wrong = {"agent_toolchain_packages": ["no-such-package"]}
    assert lab.roles("agent_toolchain", **wrong).failed().messages.splitlines()[-1] == (
        "no-such-package (agent_toolchain_packages) can't be installed from the host's apt sources; a proxy can be set in"
        " agent_toolchain_environment: No package matching 'no-such-package' is available"
    )


def test_injected_facts_are_refused_with_the_name_of_the_setting(lab, monkeypatch):
    command, environment = lab.command("nova.agent_host.site")
    environment["ANSIBLE_INJECT_FACT_VARS"] = "true"
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)  # fmt: skip
    assert done.returncode == 2 and "inject_facts_as_vars = false" in done.stdout


def test_retire_of_all_hosts_needs_a_variable_or_a_limit(lab):
    lab.site().succeeded()
    refused = lab.play("nova.agent_host.retire").failed()
    assert refused.changed == {}
    assert refused.messages == (
        "this would retire all hosts of the inventory (1): name some with --limit, or set -e agent_retire_all_hosts=true"
    )
    shown = lab.play("nova.agent_host.retire", "--check", "--diff").succeeded()
    assert "/opt/nova-agent/bin/cargo_agent.sh" in shown.shown() and len(shown.text.splitlines()) < 300
    lab.play("nova.agent_host.retire", "--limit", "host1").succeeded()
    lab.run("host1", "! ls /var/lib/nova-agent/manifest.json")
