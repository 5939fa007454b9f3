# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Change units of systemd. A host that was not booted with systemd (an image that is being built) has nothing to do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from ansible_collections.nova.agent_host.plugins.module_utils.desired.units import STARTED
from ansible_collections.nova.agent_host.plugins.module_utils.host.programs import describe_error, run
from ansible_collections.nova.agent_host.plugins.module_utils.host.units import observe_units

BOOTED = "/run/systemd/system"


class UnitError(Exception):
    """systemctl failed. The message has the command and its output."""


class Systemd:
    """Each method returns what it did, as "stop x.timer"."""

    def stop(self, names: Sequence[str]) -> list[str]:
        """Stop units that run, timers first, and leave no failed unit behind: a service that is stopped while it runs
        would be one."""
        running = self._running(names)
        ordered = sorted(running, key=lambda name: not name.endswith(STARTED))
        if not ordered:
            return []
        self._call("stop", ordered)
        failed = [name for name, state in observe_units(ordered).items() if state.active == "failed"]
        if failed:
            self._call("reset-failed", failed)
        return [f"stop {name}" for name in ordered]

    def reload(self) -> list[str]:
        if not os.path.isdir(BOOTED):
            return []
        self._call("daemon-reload", [])
        return ["daemon-reload"]

    def start(self, names: Sequence[str]) -> list[str]:
        """Restart units that are to run, so that they take their new files."""
        if not names or not os.path.isdir(BOOTED):
            return []
        self._call("restart", names)
        return [f"start {name}" for name in names]

    def try_restart(self, names: Sequence[str]) -> list[str]:
        running = self._running(names)
        if running:
            self._call("try-restart", running)
        return [f"restart {name}" for name in running]

    def try_reread(self, names: Sequence[str]) -> list[str]:
        """Let services that run read their configuration again; they check it first, and go on with the old one if it
        is wrong. One that can't is restarted."""
        running = self._running(names)
        if running:
            self._call("try-reload-or-restart", running)
        return [f"reload {name}" for name in running]

    def _running(self, names: Sequence[str]) -> list[str]:
        """Units that the host has, and that run: systemctl fails for one that the host lacks."""
        if not names or not os.path.isdir(BOOTED):
            return []
        found = observe_units(names)
        return [name for name in names if found[name].active in ("active", "activating", "reloading", "failed")]

    def _call(self, verb: str, names: Sequence[str]) -> None:
        try:
            run(["systemctl", verb, *(["--", *names] if names else [])])
        except (OSError, subprocess.SubprocessError) as error:
            raise UnitError(f"systemctl {verb} {' '.join(names)}: {describe_error(error)}") from error
