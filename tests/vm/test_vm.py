# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The ceiling on a host with its own kernel, whose agents request many times its memory. The tests run in order.

tools/vm/experiment.py measures the time of answers under load.
"""

from __future__ import annotations

import pytest
from experiment import LOGINS, PLAY, PROBES, STEP_SECONDS, VARIABLES, Seen, observe, row, survived
from sessions import living, open_session, take_memory

SUITE = None
CEILING = {"agent_ceiling_enabled": True}
ON = {**VARIABLES, **CEILING}
FORCED = 64 << 10  # pages that the kernel charges above the limit, if it can't wait
USERS = "/sys/fs/cgroup/user.slice"


@pytest.fixture(scope="module")
def seen(machine) -> Seen:
    result = observe(machine, ceiling=True, timeout=STEP_SECONDS)
    print(row("with the ceiling", result))  # shown if a test fails
    return result


def test_agents_log_in_by_every_kind_of_login(seen):
    assert seen.logins == len(LOGINS)


def test_all_processes_of_agents_are_below_the_ceiling_with_and_without_load(seen):
    assert seen.strays == {"before": [], "under load": []}


def test_ceiling_is_the_available_memory_and_was_not_exceeded(seen, ceiling_mib):
    assert seen.ceiling == ceiling_mib << 20
    assert seen.peak <= seen.ceiling + FORCED


def test_ceiling_has_no_swap_no_throttle_and_a_limit_on_processes(machine):
    other = "/etc/systemd/system/user.slice.d/50-other.conf"  # read before the drop-in of the role
    found = machine.run(
        f"printf '[Slice]\\nMemoryHigh=64M\\n' >{other}; systemctl daemon-reload; cd {USERS}; "
        f"cat memory.swap.max memory.high pids.max; rm {other}; systemctl daemon-reload"
    )
    swap, high, processes = found.split()
    assert (swap, high) == ("0", "max")
    assert processes.isdigit()


def test_memory_is_reserved_for_every_administrator(machine):
    assert machine.run(f"cat {USERS}/user-1000.slice/memory.min").strip() == str(64 << 20)
    # Root is not logged in, so its slice does not exist yet.
    assert machine.run("systemctl show --property MemoryMin --value user-0.slice").strip() == str(64 << 20)


def test_all_kills_are_by_the_ceiling_and_none_by_the_host(seen):
    assert seen.killed_by_ceiling > 0
    assert seen.killed_by_host == 0


def test_sshd_journald_and_uninvolved_processes_survive(seen):
    assert seen.died == []


def test_host_answers_while_agents_request_memory(seen):
    """The load does not end by itself."""
    assert len(seen.load.kept) == len(seen.load.fresh) == PROBES
    assert None not in seen.load.kept + seen.load.fresh
    assert seen.outlived


def test_agent_survives_the_memory_requests_of_its_compilers(machine, seen):
    assert survived(machine, 20) == 20


def test_killed_process_does_not_end_its_session(machine, seen):
    session = open_session(machine, "agent1", "process")
    take_memory(machine, session)
    assert living(machine, session.agent, session.idle) == [session.agent, session.idle]
    machine.run(f"touch /tmp/stop; kill {session.idle}")
    session.connection.wait()


def test_killing_whole_sessions_is_refused_if_systemd_does_not_support_it(machine):
    version = int(machine.run("systemctl --version").split()[1])
    if version >= 253:
        pytest.skip(f"systemd {version} supports it; test_kill_session.py tests it")
    refused = machine.play(PLAY, **{**ON, "agent_ceiling_kill": "session"})
    assert refused.returncode != 0
    assert (
        f"agent_ceiling_kill is session, which needs systemd 253 or newer, but the host has {version}: set it to process"
        in refused.stdout
    )
    assert machine.run("find /etc/systemd/system -path '*session-*nova-agent*'") == ""


def test_nofile_above_the_kernel_limit_is_refused_before_any_change(machine):
    """PAM would keep the old value without a message. Containers refuse such numbers for another reason."""
    most = int(machine.run("cat /proc/sys/fs/nr_open"))
    before = machine.run("cat /etc/security/limits.d/90-nova-agent.conf")
    refused = machine.play(PLAY, **ON, agent_limits_nofile=f"1024:{most + 1}")
    assert refused.returncode != 0
    assert f"set it to 1024:{most}, or to auto" in " ".join(refused.stdout.split())
    assert machine.run("cat /etc/security/limits.d/90-nova-agent.conf") == before


def test_agent_status_shows_the_ceiling_and_advice(seen, ceiling_mib):
    output = " ".join(seen.status.split())
    assert f"in use by all sessions, of at most {ceiling_mib} MiB" in output
    assert "pressure at least one process waited for memory" in output
    assert "processes since the boot, because memory was short" in output
    assert "journalctl -k" in output


def test_second_apply_changes_nothing_and_finds_the_same_budget(machine):
    assert machine.changed(machine.play(PLAY, **ON)) == 0


def use_memory(machine, mebibytes):
    """Start a process of an agent with this much memory. Return its pid."""
    machine.run(
        f'setsid su agent1 -c \'exec python3 -c "import time; held = b\\"x\\" * ({mebibytes} << 20); time.sleep(36000)"\' >/dev/null 2>&1 </dev/null &\n'
        f"until [ $(sed -n 's/^anon //p' {USERS}/memory.stat) -gt {mebibytes << 20} ]; do sleep 1; done"
    )
    return machine.run("pgrep -n -u agent1 python3").strip()


def test_lower_ceiling_ends_no_process_and_is_refused_below_the_memory_in_use(machine, ceiling_mib):
    pid = use_memory(machine, 500)
    lower = machine.play(PLAY, **{**ON, "agent_policy_headroom": "148M"})
    machine.changed(lower)
    assert machine.run(f"cat {USERS}/memory.max").strip() == str(ceiling_mib - 20 << 20)
    refused = machine.play(PLAY, **{**ON, "agent_policy_headroom": "200M"})
    assert refused.returncode != 0
    assert (
        f"more than the ceiling of {ceiling_mib - 72} MiB, so processes would be killed at once: end some"
        in refused.stdout
    )
    machine.run(f"kill -0 {pid}; kill {pid}")


def test_play_waits_for_memory_in_use_if_configured(machine, ceiling_mib):
    pid = use_memory(machine, 530)
    playing = machine.start_play(PLAY, **{**ON, "agent_policy_headroom": "200M", "agent_ceiling_wait": 60})
    while "RETRYING" not in (line := playing.stdout.readline()):
        assert line, "it did not wait"
    machine.run(f"kill {pid}")
    output, _ = playing.communicate()
    assert playing.returncode == 0, output
    assert machine.run(f"cat {USERS}/memory.max").strip() == str(ceiling_mib - 72 << 20)
    machine.changed(machine.play(PLAY, **ON))


def test_service_of_agents_is_below_the_ceiling_after_its_next_start(machine):
    unit = "[Service]\\nUser=agent1\\nExecStart=/bin/sleep inf\\n"
    machine.run(
        f"printf '{unit}' >/etc/systemd/system/build-runner.service; systemctl daemon-reload; systemctl start build-runner"
    )
    machine.changed(machine.play(PLAY, **{**ON, "agent_ceiling_services": ["build-runner"]}))
    where = "cut -d: -f3 /proc/$(systemctl show --property MainPID --value build-runner)/cgroup"
    assert machine.run(where).strip() == "/system.slice/build-runner.service"  # it was not restarted
    machine.run("systemctl restart build-runner")
    assert machine.run(where).strip() == "/user.slice/user-nova.slice/build-runner.service"


def etc(machine):
    """Everything below /etc by path: the hash of a file, or the type. Without the files of groups, which groupadd and gpasswd write."""
    listed = machine.run(
        "find /etc -type f ! -name 'group*' ! -name 'gshadow*' -exec sha256sum {} +; find /etc ! -type f -printf '%y %p\\n'"
    )
    return dict(reversed(line.split(maxsplit=1)) for line in listed.splitlines())


def test_retire_removes_the_ceiling_from_the_running_system(machine):
    machine.changed(machine.play("nova.agent_host.retire", agent_retire_all_hosts=True))
    assert machine.run(f"cat {USERS}/memory.max {USERS}/pids.max").split() == ["max", "max"]
    assert machine.run("find /etc/systemd/system -name '*nova-agent*'") == ""
    assert machine.run("cut -d: -f3 /proc/$(pgrep -o -x cron)/cgroup").strip() == "/system.slice/cron.service"


def test_check_mode_lists_every_file_and_an_apply_edits_no_foreign_file(machine, ceiling_mib):
    before = etc(machine)
    checked = machine.play(PLAY, "--check", "--diff", **ON)
    assert machine.changed(checked) > 0
    assert f"+MemoryMax={ceiling_mib}M" in checked.stdout
    assert etc(machine) == before
    assert machine.run(f"cat {USERS}/memory.max").strip() == "max"
    machine.changed(machine.play(PLAY, **ON))
    after = etc(machine)
    assert {path: after.get(path) for path in before} == before
    machine.changed(machine.play("nova.agent_host.retire", agent_retire_all_hosts=True))
    assert etc(machine) == before
