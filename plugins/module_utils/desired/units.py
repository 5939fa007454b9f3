# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Paths of systemd units. Pure."""

from __future__ import annotations

import posixpath
import shlex

#: Where systemd and sysctl read files. A file hides files of the same name in later folders.
CONFIGURATION = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
FOLDER = "/etc/systemd/system"
FOLDERS = tuple(f"{folder}/systemd/system" for folder in CONFIGURATION)
CONTROL = ("/etc/systemd/system.control", "/run/systemd/system.control")  #: What systemctl set-property writes.
DROP_IN = "90-nova-agent.conf"
SCHEDULER_DROP_IN = "90-nova-agent-scheduler.conf"  #: Puts cron and at into a slice of role agent_ceiling.
KINDS = (".automount", ".mount", ".path", ".scope", ".service", ".slice", ".socket", ".swap", ".target", ".timer")
SSHD_FILE = "/etc/ssh/sshd_config.d/10-nova-agent.conf"  #: Of role agent_capacity.
#: Folders of drop-ins that are no unit's, and the service that reads them.
READERS = {"/etc/ssh/sshd_config.d": "ssh.service", "/etc/systemd/logind.conf.d": "systemd-logind.service"}
# Only systemd on the host can check a calendar event.
TRY_CALENDAR = (
    """sh -c 'systemd-analyze calendar "$2" >/dev/null || { echo "$1 is no calendar event; see systemd.time(7)" >&2; """
    """exit 1; }' sh """
)
STARTED = (".path", ".socket", ".timer")  #: Kinds that run by themselves; they start services.


def how_to_remove(unit: str, paths: list[str]) -> str:
    """What to do about files that override a drop-in of ours."""
    found = []
    if any(path.startswith(CONTROL) for path in paths):
        found.append(f"remove what `systemctl set-property` wrote with `systemctl revert {unit}`")
    found += [f"remove {path}, or give it a name before {DROP_IN}" for path in paths if not path.startswith(CONTROL)]
    return f"{'; '.join(found)}, and apply the policy again"


def try_calendar(variable: str, schedule: str) -> str:
    """The command that checks a schedule on the host."""
    return f"{TRY_CALENDAR}{variable} {shlex.quote(schedule)}"


def unit_of(path: str) -> str:
    """Return the unit to which ``path`` belongs: as its main file, a drop-in, a link that enables it, or its
    configuration. Return "" for all other paths, and for templates and drop-ins for every session.
    """
    folder, name = posixpath.split(path)
    if folder in READERS:
        return READERS[folder]
    if folder not in FOLDERS:
        if posixpath.dirname(folder) not in FOLDERS or not folder.endswith((".d", ".wants", ".requires")):
            return ""
        if folder.endswith(".d"):
            name = posixpath.basename(folder)[:-2]
    stem, suffix = posixpath.splitext(name)
    return name if suffix in KINDS and stem[-1:] not in ("@", "-") else ""


def is_unit_file(path: str) -> bool:
    """Whether ``path`` is the main file of a unit or a link that enables it, and not a drop-in."""
    return bool(unit_of(path)) and not posixpath.dirname(path).endswith(".d")


def is_of_systemd(path: str) -> bool:
    """Whether systemd reads ``path`` when it loads units."""
    return path.startswith(tuple(f"{folder}/" for folder in FOLDERS))
