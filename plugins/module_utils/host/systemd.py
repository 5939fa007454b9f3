# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Change systemd units. Does nothing if the host was not booted with systemd, such as a new image."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from ..desired.units import STARTED
from .programs import describe_error, run
from .units import observe_units

BOOTED = "/run/systemd/system"


class UnitError(Exception):
    """systemctl failed. The message has the command and its output."""


class Systemd:
    """Each method returns what it did, such as "stop x.timer"."""

    def stop(self, names: Sequence[str]) -> list[str]:
        """Stop running units, timers first. Also resets the failed state that a stopped service can have."""
        stopped = []
        # Until it is stopped, a timer can start its service.
        for timers in (True, False):
            running = self._running([name for name in names if name.endswith(STARTED) == timers])
            if running:
                self._call("stop", running)
            stopped += running
        failed = [name for name, state in observe_units(stopped).items() if state.active == "failed"] if stopped else []
        if failed:
            self._call("reset-failed", failed)
        return [f"stop {name}" for name in stopped]

    def reload(self) -> list[str]:
        if not os.path.isdir(BOOTED):
            return []
        self._call("daemon-reload", [])
        return ["daemon-reload"]

    def start(self, names: Sequence[str]) -> list[str]:
        """Start units, or restart them with their new files."""
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
        """Reload running services. A service that can't reload is restarted. With a wrong configuration a service keeps
        the old one."""
        running = self._running(names)
        if running:
            self._call("try-reload-or-restart", running)
        return [f"reload {name}" for name in running]

    def _running(self, names: Sequence[str]) -> list[str]:
        """The units that exist and run. For other units systemctl would fail."""
        if not names or not os.path.isdir(BOOTED):
            return []
        found = observe_units(names)
        return [name for name in names if found[name].active in ("active", "activating", "reloading", "failed")]

    def _call(self, verb: str, names: Sequence[str]) -> None:
        try:
            run(["systemctl", verb, *(["--", *names] if names else [])])
        except (OSError, subprocess.SubprocessError) as error:
            raise UnitError(f"systemctl {verb} {' '.join(names)}: {describe_error(error)}") from error
