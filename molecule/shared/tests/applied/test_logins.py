# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The limits apply to agents after each kind of login, and to no other account. Each test uses a new login."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from testinfra.host import Host

Limits = dict[str, tuple[str, str]]

KEY = "/run/way-in"
SSH = f"ssh -i {KEY} -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR"
LOOK = "cat /proc/self/limits"
# Root runs each command. It prints the output of LOOK for USER. Daemons write it to a FIFO in FOLDER.
LOGINS = {
    "ssh command": f"{SSH} USER@127.0.0.1 {LOOK}",
    "ssh shell": f"echo exec {LOOK} | {SSH} -tt USER@127.0.0.1",
    "su": f"su - USER -c '{LOOK}'",
    "sudo": f"sudo -u USER {LOOK}",
    "runuser": f"runuser -u USER -- {LOOK}",
    # `@reboot` avoids waiting for the next full minute.
    "cron": f'echo "@reboot USER {LOOK} >FOLDER/answer" >/etc/cron.d/way-in; rm -f /run/crond.reboot;'
    " systemctl restart cron; timeout 30 cat FOLDER/answer; rm /etc/cron.d/way-in",
    "at": f"echo {LOOK} '>'FOLDER/answer | runuser -u USER -- at now 2>&1; timeout 30 cat FOLDER/answer",
    # A unit can name any PAM service; this one exists on every host.
    "service with PAM": f"systemd-run --quiet --pipe --wait -p User=USER -p PAMName=su-l {LOOK}",
    # The user manager logs in, so it must be a new one. `--pipe` would need the user's D-Bus.
    "user unit": "id=$(id -u USER); systemctl restart user@$id.service;"
    f' runuser -u USER -- env XDG_RUNTIME_DIR=/run/user/$id systemd-run --user --quiet sh -c "{LOOK} >FOLDER/answer";'
    " timeout 30 cat FOLDER/answer; systemctl stop user@$id.service",
}
OTHERS = [(user, login) for user in ("ubuntu", "root") for login in LOGINS if (user, login[:3]) != ("root", "ssh")]


@pytest.fixture(scope="module", autouse=True)
def key(host: Host) -> Iterator[None]:
    """Allow root of the host to log in by ssh, with a key file beside authorized_keys, which sshd reads too."""
    host.check_output(f"ssh-keygen -q -t ed25519 -N '' -f {KEY} </dev/null")
    for user in ("agent1", "ubuntu"):
        own = f"-o {user} -g {user}"
        host.check_output(
            f"cd ~{user} && install -d -m 700 {own} .ssh && install {own} {KEY}.pub .ssh/authorized_keys2"
        )
    yield
    host.check_output(f"rm {KEY} {KEY}.pub ~agent1/.ssh/authorized_keys2 ~ubuntu/.ssh/authorized_keys2")


@pytest.fixture(scope="module")
def agents_limits(host: Host) -> Limits:
    """The default limits. Root of a container can't set a limit of open files above its own."""
    most = int(host.check_output("ulimit -Hn"))
    soft, hard = (str(min(wanted, most)) for wanted in (65536, 1048576))
    login = str(64 << 30)
    return {"Max address space": (login, login), "Max core file size": ("0", "0"), "Max open files": (soft, hard)}


def limits(host: Host, user: str, login: str) -> Limits:
    """The output of LOOK for a user after this kind of login."""
    if login in ("cron", "at") and not host.exists(login):
        pytest.skip(f"{login} is not installed on this host, so it starts no session")
    command = LOGINS[login].replace("USER", user).replace("FOLDER", "$folder")
    # at works in the current folder, and other accounts may not enter that of the login user.
    folder = f"folder=$(mktemp -d) && cd $folder && mkfifo answer && chown -R {user} ."
    return parsed(host.run(f"{folder} && {{ {command}; cd /; rm -r $folder; }}").stdout)


def parsed(output: str) -> Limits:
    """Soft and hard limit of each resource, as /proc/PID/limits names them."""
    found = re.findall(r"^(Max [a-z ]+?) {2,}(\w+) +(\w+) ", output, re.MULTILINE)
    assert found, output
    return {name: (soft, hard) for name, soft, hard in found}


@pytest.mark.parametrize("login", LOGINS)
def test_agent_has_the_limits(host: Host, agents_limits: Limits, login: str) -> None:
    if (
        login == "sudo"
        and host.run("grep -qs pam_limits /etc/pam.d/sudo /etc/pam.d/common-session-noninteractive").failed
    ):
        pytest.skip("this host's sudo does not load pam_limits (Debian 11), which audit reports")
    expected = dict(agents_limits)
    if login == "user unit":  # systemd sets its default soft limit for each unit
        expected["Max open files"] = ("1024", agents_limits["Max open files"][1])
    assert expected.items() <= limits(host, "agent1", login).items()


@pytest.mark.parametrize(("user", "login"), OTHERS)
def test_other_accounts_are_not_limited(host: Host, user: str, login: str) -> None:
    assert limits(host, user, login)["Max address space"] == ("unlimited", "unlimited")


def test_service_has_the_limits_if_it_is_listed(host: Host, agents_limits: Limits) -> None:
    service = f"systemd-run --quiet --pipe --wait -p User=agent1 --unit=NAME {LOOK}"
    listed = parsed(host.check_output(service.replace("NAME", "nova-agent-listed")))
    assert agents_limits.items() <= listed.items()
    other = parsed(host.check_output(service.replace("NAME", "nova-agent-other")))
    assert other["Max address space"] == ("unlimited", "unlimited")
