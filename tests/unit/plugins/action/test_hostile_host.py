# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Hostile hosts that attack the controller or other hosts, with the real playbooks.

Each host has a STAND-IN for Python, which prints one fixed answer to any module. One host is honest.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.nova.agent_host.tests.unit.playbooks import ansible_playbook

FIXTURE = Path(__file__).parents[1] / "module_utils/data/answer.json"
ANSWER: dict[str, Any] = json.loads(FIXTURE.read_text(encoding="utf-8"))
OUTSIDE = "/tmp/nova-agent-hostile-host"
EXPLOIT = "{{ lookup('ansible.builtin.pipe', 'touch " + OUTSIDE + "') }}"
ESCAPE = "\x1b]0;owned\x07\x1b[31m"
HONEST = "honest"
INTERPRETER = "discovered_interpreter_python"


def answer(**changes: Any) -> str:
    """The fixture with other values, each by its path: part__key=value."""
    data = copy.deepcopy(ANSWER)
    for name, value in changes.items():
        *path, key = name.split("__")
        inner = data
        for step in path:
            inner = inner[step]
        inner[key] = value
    return json.dumps(data)


NESTED: Any = "x"
for _ in range(700):
    NESTED = [NESTED]


def tagged(value: Any) -> dict[str, Any]:
    kind = "_AnsibleTaggedStr" if isinstance(value, str) else "_AnsibleTaggedInt"
    tag = {"__ansible_type": "Deprecated", "msg": ESCAPE, "help_text": ESCAPE, "version": "9"}
    return {"__ansible_type": kind, "value": value, "tags": [tag]}


HOSTS: dict[str, str | bytes] = {
    "facts": answer(ansible_facts={"agent_report_path": OUTSIDE, "agent_audit_json": OUTSIDE}),
    "variable_of_a_role": answer(ansible_facts={"agent_wrappers_guide_template": "/etc/passwd", INTERPRETER: "/bin/sh"}),
    "fact_of_the_interpreter": answer(ansible_facts={INTERPRETER: f"/bin/sh -c 'touch {OUTSIDE}' #"}),
    "facts_as_a_list": answer(ansible_facts=[ESCAPE]),
    "connection": answer(ansible_connection="local"),
    "unknown_key": answer(surprise={"a": 1}),
    "number_for_a_path": answer(files={"/etc/x": 5}),
    "number_for_a_record": answer(manifest__roles={"agent_limits": {"paths": {"/etc/x": 5}, "trees": [], "restarts": []}}),
    "number_for_a_finding": answer(audit_logs=[{"path": 5, "kind": "wide", "text": "x"}]),
    "finding_without_text": answer(audit_logs=[{"path": "", "kind": "", "text": ""}]),
    "no_such_kind": answer(files={"/etc/x": {"kind": "no such"}}),
    "text_for_memory": answer(memory__total="1536G"),
    "negative_memory": answer(memory__total=-1),
    "endless_number": answer(cpus=10**400),
    "no_ids": answer(platform__ids=[]),
    "missing_part": json.dumps({"memory": ANSWER["memory"]}),
    "escapes_in_a_value": answer(platform__version=ESCAPE),
    "escapes_in_a_name": answer(packages={ESCAPE: True}),
    "surrogate": answer(platform__version="\ud800"),
    "template_in_a_value": answer(platform__version=EXPLOIT, platform__ids=["fedora"]),
    "template_in_a_failure": json.dumps({"failed": True, "msg": EXPLOIT}),
    "escapes_in_a_failure": json.dumps({"failed": True, "msg": ESCAPE}),
    "failure_without_text": json.dumps({"failed": True, "msg": {"a": [1]}, "exception": 5}),
    "unreachable": json.dumps({"unreachable": True, "msg": ESCAPE}),
    "skipped": json.dumps({"skipped": True}),
    "list": "[1, 2]",
    "nothing": "",
    "no_json": "Segmentation fault",
    "no_utf8": b'{"memory": "\xff\xfe"}',
    "deep": '{"a": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "warnings": answer(warnings=[ESCAPE, 5], deprecations=[{"msg": ESCAPE}], cpus="x"),
    "deep_warnings": json.dumps({"failed": True, "msg": "x", "warnings": NESTED}),
    "deep_facts": json.dumps({"ansible_facts": NESTED}),
    "deep_part": answer(files=NESTED),
    "digits": '{"cpus": ' + "9" * 5000 + "}",
    "not_a_number": answer(cpus=float("nan"), memory__total=float("inf")),
    "twice": json.dumps(ANSWER)[:-1] + ', "cpus": "x", "cpus": -5}',
    "link_of_a_terminal": answer(platform__version="\x1b]8;;http://evil\x07x\x1b]8;;\x07"),
    "bidi": answer(platform__ids=["\u202eevil\u2066"]),
    "tagged": json.dumps({**ANSWER, "cpus": tagged(4), "packages": {"git": tagged("x")}}),
    "tagged_text": answer(platform__version=tagged("24.04"), platform__ids=[tagged("fedora")]),
    "tagged_interpreter": answer(ansible_facts={INTERPRETER: tagged("/usr/bin/python3")}),
    "tagged_unknown": answer(platform__version={"__ansible_type": "NoSuchType", "value": ESCAPE}),
    "trusted": answer(platform__version={"__ansible_type": "TrustedAsTemplate", "value": EXPLOIT}),
    "warning_summary": answer(warnings=[{"__ansible_type": "WarningSummary", "event": {"__ansible_type": "Event", "msg": ESCAPE}}], cpus="x"),
    "error_summary": json.dumps({"failed": True, "msg": "x", "exception": {"__ansible_type": "ErrorSummary", "event": {"__ansible_type": "Event", "msg": ESCAPE}}}),
    "invocation": answer(invocation={"module_args": ESCAPE}, cpus="x"),
    "another_host": answer(add_host={"host_name": HONEST, "host_vars": {"ansible_connection": "local"}}, changed=True),
    "secrets": answer(_ansible_new_secrets=[HONEST, "drifted", "hosts"], platform__ids=[]),
    "statistics": answer(ansible_stats={"data": {"x": ESCAPE}, "aggregate": True, "per_host": False}),
    "results": json.dumps({"results": [{"ansible_facts": {"x": ESCAPE}}], "ansible_job_id": "1", "started": 1, "finished": 0}),
    "many_warnings": answer(warnings=[f"warning {number}" for number in range(30_000)], cpus="x"),
    "large": answer(packages={f"{number}".ljust(120_000, "x"): True for number in range(150)}),
    "module_stderr": ESCAPE + "SyntaxError: invalid syntax " + ESCAPE,
    "newline": answer(audit_logs=[{"path": "/x\nhonest: all compliant", "kind": "wide", "text": "a\nb"}]),
    "unfit_for_xml": answer(audit_logs=[{"path": "/x\uffff\ufffe", "kind": "wide", "text": "a\ufdd0"}]),
    "own_keys": answer(_ansible_no_log=True, _ansible_delegated_vars={ESCAPE: ESCAPE}, add_host={"host_name": "evil"}),
}  # fmt: skip
# ansible-core takes these keys out of an answer itself; what is left is a usable answer.
USABLE = {
    "another_host",
    "newline",
    "finding_without_text",
    "unfit_for_xml",
    "tagged_interpreter",
    "own_keys",
    "fact_of_the_interpreter",
    "facts_as_a_list",
}
# Answers that are a problem only if the host is compared, which retire does not do.
COMPARED = {"negative_memory", "template_in_a_value"}
PROGRAMS = {"endless": "exec yes '{'"}
# Silent until this process ends, so that no process of them stays.
WAIT = f"exec tail --pid={os.getpid()} -f /dev/null"
SILENT = {"silent": WAIT, "silent_in_between": f"echo '{{'; {WAIT}"}
HOSTS.update(dict.fromkeys(PROGRAMS, ""))
# As documented for users: facts of a host do not become variables. Otherwise site refuses to run.
ENVIRONMENT = {"ANSIBLE_INJECT_FACT_VARS": "false", "ANSIBLE_FORKS": "4", "ANSIBLE_NOCOLOR": "1"}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hosts")
    hosts = {}
    programs = {**PROGRAMS, **SILENT}
    for name, text in {HONEST: answer(), **HOSTS, **dict.fromkeys(SILENT, "")}.items():
        (folder / f"{name}.answer").write_bytes(text if isinstance(text, bytes) else text.encode())
        python = folder / name
        python.write_text(f"#!/bin/sh\n{programs.get(name) or f'cat {folder}/{name}.answer'}\n")
        python.chmod(0o755)
        hosts[name] = {"ansible_python_interpreter": str(python)}
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "agent_policy_users": list(ANSWER["accounts"]["users"]),
    }
    path = folder / "hosts.json"
    path.write_text(json.dumps({"all": {"children": {"agent_hosts": {"hosts": hosts, "vars": variables}}}}))
    return path


def start(playbook: str, inventory: Path, folder: Path, *more: str) -> subprocess.Popen[str]:
    name = f"nova.agent_host.{playbook}" if "/" not in playbook else playbook
    return ansible_playbook.start(name, "-i", str(inventory), *more, cwd=folder, environment=ENVIRONMENT)


def finish(play: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """The result of a play. Check that no answer had an effect on the controller."""
    stdout, stderr = play.communicate()
    assert not os.path.exists(OUTSIDE), "a host wrote a file or ran a command"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", stdout + stderr), "a host controls the terminal"
    assert "Traceback" not in stdout + stderr
    return subprocess.CompletedProcess(play.args, play.returncode, stdout, stderr)


def run(playbook: str, inventory: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    Path(OUTSIDE).unlink(missing_ok=True)
    return finish(start(playbook, inventory, folder, *more))


@pytest.fixture(scope="module", autouse=True)
def audit_of_silent_hosts(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Path]]:
    """A started audit. It waits 30 s for the silent hosts, beside the other tests."""
    folder = tmp_path_factory.mktemp("silent")
    limits = ("--limit", ",".join([HONEST, *SILENT]), "-e", "agent_task_timeout=30")
    play = start("audit", inventory, folder, *limits, "-e", "agent_audit_json=audit.json")
    yield play, folder
    play.kill()


@pytest.fixture(scope="module")
def audited(inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("audit")
    reports = ("-e", "agent_audit_json=audit.json", "-e", "agent_audit_junit=audit.xml")
    done = run("audit", inventory, folder, "--limit", ",".join([HONEST, *HOSTS]), *reports)
    output = done.stdout + done.stderr
    assert done.returncode in (2, 4), output
    assert sorted(path.name for path in folder.iterdir()) == ["audit.json", "audit.xml"], output
    report = json.loads((folder / "audit.json").read_text())
    return output, {record["host"]: record for record in report["hosts"]}, folder


def test_honest_host_is_reported_as_if_it_were_alone(audited):
    output, records, folder = audited
    assert list(records) == [HONEST, *HOSTS]
    honest = records[HONEST]
    assert honest["status"] == "drifted" and "why" not in honest and len(honest["items"]) > 40
    assert f"{HONEST}: " in output and re.search(rf"audit: {len(records)} hosts", output)
    suites = ElementTree.parse(folder / "audit.xml").getroot()
    assert [suite.get("name") for suite in suites] == list(records)


@pytest.mark.parametrize("name", sorted(set(HOSTS) - USABLE))
def test_host_with_an_invalid_answer_is_not_checkable_with_a_reason(audited, name):
    output, records, _folder = audited
    record = records[name]
    assert record["status"] in ("unknown", "unreachable"), record
    assert record["why"] and record["why"].isprintable()
    assert re.search(rf"^.*{name}\s*: ok=", output, re.MULTILINE)
    assert not re.search(rf"^{name}\s*: ok=.*unreachable=0 +failed=0", output, re.MULTILINE)


def test_keys_reserved_for_ansible_have_no_effect(audited):
    _output, records, _folder = audited
    for name in USABLE:
        assert records[name]["status"] in ("unknown", "drifted")
    assert "evil" not in records


def test_number_of_warnings_of_a_host_is_limited(audited):
    output, _records, _folder = audited
    assert len(re.findall(r"warning \d+", output)) <= 20  # which cores before 2.21 do not show at all


# A STAND-IN for ssh to hosts with hostile shells. ansible-core repeats some of their output in errors and warnings.
SHELL = r"""#!/bin/sh
escape=$(printf '\033]0;owned\007\033[31m\033]8;;http://evil\007')
for host; do case $host in shell_*) break ;; esac; done
for command; do :; done
folder=$(printf %s "$command" | sed -n 's/.*mkdir.*\(ansible-tmp-[0-9.-]*\).*/\1/p' | head -n 1)
case $host:$command in
  shell_python*:*FOUND*) printf 'PLATFORM\nLinux\nFOUND\n/usr/bin/python3%s\nENDFOUND\n' "$escape" ;;
  *:*FOUND*) printf 'PLATFORM\nLinux\nFOUND\n/usr/bin/python3\nENDFOUND\n' ;;
  shell_unknown*) echo "$escape"; echo "$escape" >&2; exit 255 ;;
  shell_home*) echo "/home/$escape" ;;
  *:*mkdir*) [ "$host" != shell_refuses ] || { echo "$escape"; exit 1; }; echo "$folder=/tmp/$folder" ;;
  *:*echo*) echo /root ;;
  *) echo "$escape"; echo "$escape" >&2; exit 1 ;;
esac
"""
SHELLS = ("shell_python", "shell_unknown", "shell_home", "shell_refuses", "shell_copy")


@pytest.mark.parametrize("playbook", ["audit", "site"])
def test_shell_of_a_host_does_not_control_the_terminal(inventory, tmp_path, playbook):
    ssh = tmp_path / "ssh"
    ssh.write_text(SHELL)
    ssh.chmod(0o755)
    hosts = json.loads(inventory.read_text())
    group = hosts["all"]["children"]["agent_hosts"]
    programs = {f"ansible_{name}_executable": str(ssh) for name in ("ssh", "sftp", "scp")}
    group["hosts"] = {
        f"{name}{more}": {"ansible_connection": "ssh", "ansible_pipelining": bool(more), **programs}
        for name in SHELLS
        for more in ("", "_pipelined")
    } | {HONEST: group["hosts"][HONEST]}
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    done = run(playbook, tmp_path / "hosts.json", tmp_path, "--check")
    assert "owned" in done.stdout + done.stderr
    assert re.search(rf"^{HONEST}\s*: ok=", done.stdout, re.MULTILINE)
    assert len(re.findall(r"^shell_\w+\s*: ok=.*(?:unreachable=1|failed=1)", done.stdout, re.MULTILINE)) == 2 * len(
        SHELLS
    )


MODULES = {
    "nova.agent_host.ai_audit_log": {"logs": [{"path": "/a/b", "owner": "games"}]},
    "nova.agent_host.rustup_toolchain": {"path": "/opt/x/toolchain", "state": "absent"},
}
SAMPLE = (
    "failure_without_text",
    "escapes_in_a_failure",
    "warnings",
    "connection",
    "no_json",
    "variable_of_a_role",
    "endless",
)


@pytest.mark.parametrize("module", MODULES)
def test_answer_of_each_own_module_is_decoded(inventory, tmp_path, module):
    tasks = [
        {module: MODULES[module], "register": "result", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": ["result is failed", "result.keys() | difference(allowed) | length == 0"]}},
    ]
    variables = {"allowed": ["failed", "msg", "changed", "exception", "warnings", "deprecations"]}
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": ",".join(SAMPLE), "gather_facts": False, "vars": variables, "tasks": tasks}]))
    done = run(str(play), inventory, tmp_path, "--diff")
    assert done.returncode == 0, done.stdout + done.stderr


def test_programs_of_a_connection_keep_the_limits_of_the_user(inventory, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\nulimit -S -v >>{tmp_path}/limits\ncat {inventory.parent}/{HONEST}.answer\n")
    python.chmod(0o755)
    hosts = json.loads(inventory.read_text())
    hosts["all"]["children"]["agent_hosts"]["hosts"] = {HONEST: {"ansible_python_interpreter": str(python)}}
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    run("audit", tmp_path / "hosts.json", tmp_path)
    limit = subprocess.run(["sh", "-c", "ulimit -S -v"], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert set((tmp_path / "limits").read_text().splitlines()) == {limit.strip()}


# Hostile answers to builtin modules (group, user, apt). The answer to the look is honest, and lacks accounts and packages, so
# that these modules run.
BUILTIN = {
    "changed": True,
    "rc": 0,
    "msg": EXPLOIT,
    "stdout": EXPLOIT,
    "name": EXPLOIT,
    "invocation": {"module_args": {"name": EXPLOIT}},
    "diff": {"before": EXPLOIT, "after": EXPLOIT},
    "ansible_facts": {
        "agent_policy_prefix": OUTSIDE, "agent_report_path": OUTSIDE, "agent_wrappers_guide_template": "/etc/passwd",
        "ansible_connection": "local", "ansible_check_mode": False, INTERPRETER: f"/bin/sh -c 'touch {OUTSIDE}' #",
    },
    "add_host": {"host_name": HONEST, "groups": ["agent_hosts"], "host_vars": {"agent_policy_prefix": OUTSIDE}},
    "add_group": "evil",
    "ansible_stats": {"data": {"x": EXPLOIT}, "aggregate": True, "per_host": False},
    "results": [{"ansible_facts": {"agent_report_path": OUTSIDE}, "item": EXPLOIT}],
    "_ansible_delegated_vars": {HONEST: {"ansible_host": "evil"}},
    "_ansible_item_label": EXPLOIT,
    "_ansible_verbose_override": True,
}  # fmt: skip
APPLIED = {"changed": True, "changed_paths": [], "changed_units": [], "kept": [], "pending": []}


def test_answers_of_builtin_modules_run_no_code_and_set_no_variables(inventory, tmp_path):
    nobody = {name: {"exists": False, "groups": []} for name in ANSWER["accounts"]["users"]}
    none = dict.fromkeys(ANSWER["packages"], False)
    for name, output in {
        "look": answer(accounts__group_id=None, accounts__users=nobody, accounts__members=[], packages=none),
        "host_state": json.dumps(APPLIED),
        "builtin": json.dumps(BUILTIN),
    }.items():
        (tmp_path / name).write_text(output)
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\ncd {tmp_path}\ncase $1 in *agent_host_info*) cat look ;; *host_state*) cat host_state ;; "
        "*) echo ${1##*/} >>modules; cat builtin ;; esac\n"
    )
    python.chmod(0o755)
    hosts = json.loads(inventory.read_text())
    hosts["all"]["children"]["agent_hosts"]["hosts"] = {
        HONEST: hosts["all"]["children"]["agent_hosts"]["hosts"][HONEST],
        "later": {"ansible_python_interpreter": str(python)},
    }
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    folder = tmp_path / "run"
    folder.mkdir()
    done = run("site", tmp_path / "hosts.json", folder, "-e", "agent_policy_create_users=true")
    output = done.stdout + done.stderr
    assert {"AnsiballZ_group.py", "AnsiballZ_user.py"} <= set((tmp_path / "modules").read_text().split()), output
    assert list(folder.iterdir()) == []
    assert "root:x:0:0" not in output
    assert re.search(rf"^{HONEST}\s*: ok=", output, re.MULTILINE)


def test_no_file_of_the_controller_is_shown(audited):
    output, _records, folder = audited
    for text in (output, (folder / "audit.json").read_text(), (folder / "audit.xml").read_text()):
        assert "root:x:0:0" not in text


def test_report_page_lists_every_host(inventory, tmp_path):
    done = run("report", inventory, tmp_path, "--limit", ",".join([HONEST, *HOSTS]))
    assert done.returncode in (2, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["agent-hosts.html"]
    page = (tmp_path / "agent-hosts.html").read_text()
    assert [name for name in (HONEST, *HOSTS) if name not in page] == []
    assert "root:x:0:0" not in page


@pytest.mark.parametrize("playbook", ["site", "retire"])
def test_hosts_with_invalid_answers_are_not_changed_and_fail(inventory, tmp_path, playbook):
    hostile = ",".join(name for name in HOSTS if name not in USABLE | COMPARED)
    done = run(playbook, inventory, tmp_path, "--limit", hostile, "--check")
    output = done.stdout + done.stderr
    assert done.returncode in (2, 4), output
    for name in hostile.split(","):
        assert re.search(rf"^{name}\s*: ok=\d+ +changed=0 .*(unreachable=1|failed=1)", output, re.MULTILINE), (
            name,
            output,
        )
    assert list(tmp_path.iterdir()) == []


# The last test, because its play runs beside the others.
def test_silent_host_does_not_block_the_report_of_others(audit_of_silent_hosts):
    play, folder = audit_of_silent_hosts
    done = finish(play)
    records = {record["host"]: record for record in json.loads((folder / "audit.json").read_text())["hosts"]}
    assert {name: "why" in record for name, record in records.items()} == {
        HONEST: False, "silent": True, "silent_in_between": True,
    }, done.stdout  # fmt: skip
