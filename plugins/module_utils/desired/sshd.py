# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The settings of sshd with which all agents can log in at once. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from ..observed.shapes import Sshd
from .shapes import NOT_JUDGED, Condition, Note
from .units import SSHD_FILE

CHANNELS = 64  # sessions over one connection of ssh that one agent needs
NEWCOMERS = 100  # connections of other users while all agents log in
DEFAULT_STARTUPS, DEFAULT_CHANNELS = "10:30:100", 10
CONNECTIONS = 2  # of one agent at the same time
DEFAULT_CONNECTIONS = 64  # of a socket of systemd with Accept=yes
PENALTIES_SINCE = (9, 8)

# Reads the new file before the host's own configuration, in the same order as sshd. It creates what sshd needs to
# start, because a host that starts sshd by a socket may not have it yet.
TRY = (
    # Not the installed file: it may be broken, and the new one repairs it.
    'sh -c \'mkdir -p -m 0755 /run/sshd && keys=$(mktemp -d) && trap "rm -r $keys" EXIT && '
    # A new image has no host keys yet, and sshd checks no configuration without one.
    'ssh-keygen -q -t ed25519 -N "" -f $keys/key || exit 1; try() { { cat "$1"; echo; '
    "for one in /etc/ssh/sshd_config.d/*.conf; do "
    f'[ "$one" = {SSHD_FILE} ] || [ ! -e "$one" ] || echo "Include $one"; done; '
    'grep -vi "^[[:space:]]*Include[[:space:]].*sshd_config[.]d/" /etc/ssh/sshd_config; } | '
    "/usr/sbin/sshd -t -h $keys/key -f /dev/stdin 2>&1; }; "
    'why=$(try "$1") && exit; try /dev/null >/dev/null && echo "$why" && exit 1; '
    # Wrong without the new file, too. This names the file and the line.
    "echo sshd refuses the configuration that the host has, so correct it and apply again; "
    f"/usr/sbin/sshd -t -h $keys/key 2>&1; exit {NOT_JUDGED}' sh %s"
)


def lines(agents: int, together: int, controllers: tuple[str, ...], sshd: Sshd) -> dict[str, str]:
    """The keywords and values of the role's file for ``agents``, of which ``together`` use one account. A keyword whose
    value is high enough on the host is left out."""
    start, full = agents + NEWCOMERS, 2 * agents + NEWCOMERS
    has_start, rate, has_full = _startups(_of_others(sshd, "maxstartups") or DEFAULT_STARTUPS)
    channels = max(CHANNELS, together)
    found = {}
    if has_start < start or has_full < full:
        found["MaxStartups"] = f"{max(start, has_start)}:{rate}:{max(full, has_full)}"
    if count(_of_others(sshd, "maxsessions"), DEFAULT_CHANNELS) < channels:
        found["MaxSessions"] = str(channels)
    if count(_of_others(sshd, "persourcemaxstartups"), full) < full:
        found["PerSourceMaxStartups"] = str(full)
    if controllers and _version(sshd.version) >= PENALTIES_SINCE:
        theirs = _of_others(sshd, "persourcepenaltyexemptlist")
        exempt = [*(theirs.split(",") if theirs and theirs != "none" else ()), *controllers]
        found["PerSourcePenaltyExemptList"] = ",".join(dict.fromkeys(exempt))
    return found


def _of_others(sshd: Sshd, keyword: str) -> str:
    return next((given.value for given in sshd.settings.get(keyword, []) if given.path != SSHD_FILE), "")


def _value(sshd: Sshd, keyword: str) -> str:
    """The value that is in force; empty if no file sets it."""
    return next((given.value for given in sshd.settings.get(keyword, [])), "")


def _startups(value: str) -> tuple[int, int, int]:
    """MaxStartups as START:RATE:FULL, or one number."""
    parts = value.split(":")
    if not all(part.isdecimal() for part in parts) or len(parts) not in (1, 3):
        return 0, 30, 0
    return int(parts[0]), int(parts[1]) if len(parts) == 3 else 30, int(parts[-1])


def count(value: str, default: int) -> int:
    """The number in a configuration file, or ``default``."""
    return int(value) if value.isdecimal() else default


def _version(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def conditions(sshd: Sshd) -> Iterator[Condition]:
    """Keywords that another file sets before the role's file."""
    for keyword, given in sorted(sshd.settings.items()):
        paths = [one.path for one in given]
        if SSHD_FILE in paths[1:] and paths[0] != SSHD_FILE:
            ours = given[paths.index(SSHD_FILE)]
            why = f"is {given[0].value} in {given[0].path}, which sshd reads before {SSHD_FILE}: remove it there"
            yield Condition("sshd", keyword, ours.value, given[0].value, why, "value", by_hand=True)


def notes(sshd: Sshd, agents: int, wanted: Mapping[str, str], controllers: tuple[str, ...]) -> Iterator[Note]:
    """What the collection can't correct. ``wanted`` is the result of ``lines``."""
    if wanted and sshd.version and not sshd.drop_ins:
        shown = ", ".join(f"{keyword} {value}" for keyword, value in wanted.items())
        text = (
            f"includes no drop-ins, so {agents} agents can't log in at once: set {shown} there, or add "
            f"`Include {posixpath.dirname(SSHD_FILE)}/*.conf`"
        )
        yield Note("sshd", "sshd_config", text)
    if _value(sshd, "accept").lower() in ("1", "yes", "y", "true", "t", "on"):
        full = count(_value(sshd, "maxconnections"), DEFAULT_CONNECTIONS)
        most = min(full, count(_value(sshd, "maxconnectionspersource"), 0) or full)  # 0: no limit
        if most < CONNECTIONS * agents:
            text = (
                f"starts one sshd for each connection (Accept=yes) and refuses more than {most}, too few for {agents} "
                "agents: `systemctl disable --now ssh.socket && systemctl enable --now ssh.service`"
            )
            yield Note("sshd", "ssh.socket", text)
    if not controllers and _version(sshd.version) >= PENALTIES_SINCE:
        text = (
            "sshd blocks an address for some time after failed logins, and agents that log in from one machine share "
            "its address: list it in agent_capacity_controllers"
        )
        yield Note("sshd", "PerSourcePenalties", text)
