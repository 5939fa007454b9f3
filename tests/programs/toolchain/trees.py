# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A toolchain tree in a test: apply, observe and use it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.nova.agent_host.plugins.module_utils.observed.answers import Installed
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import apply as toolchain_apply
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.generation import Source
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import Request
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.state import observe_toolchain
from rustup_wheel import CHECKSUMS, VERSION

RUNNER = Path(__file__).with_name("apply_runner.py")
NOBODY = 65534


@contextmanager
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike pytest's folders. It is in memory if programs may run there."""
    memory = "/dev/shm"
    fast = os.path.isdir(memory) and not os.statvfs(memory).f_flag & os.ST_NOEXEC
    with tempfile.TemporaryDirectory(prefix="nova-toolchain-", dir=memory if fast else None) as name:
        os.chmod(name, 0o755)
        yield Path(name)


@dataclass
class Tree:
    """A toolchain tree in a separate folder, which every user may enter."""

    path: Path
    url: str
    sums: dict[str, str] = field(default_factory=dict)

    def options(self, channel: str = "1.92.0", **more: Any) -> dict[str, Any]:
        pinned = {"rustup_version": VERSION, "rustup_checksums": CHECKSUMS, "channel_checksums": self.sums}
        return {"channel": channel, **pinned, **more}

    def apply(self, channel: str = "1.92.0", **more: Any) -> Installed:
        request = Request.from_options(self.options(channel, **more))
        source = Source(self.url, f"{self.url}/rustup", timeout=60)
        return toolchain_apply.apply(str(self.path), request, platform.machine(), source, 30)

    def preview(self) -> Installed:
        return toolchain_apply.preview(str(self.path), Request.from_options(self.options()), platform.machine())

    def start(self, channel: str = "1.92.0", kill_at: str = "", **more: Any) -> subprocess.Popen[str]:
        """An apply in a separate process group."""
        words = [str(self.path), self.url, json.dumps(self.options(channel, **more)), *([kill_at] if kill_at else [])]
        return subprocess.Popen(
            [sys.executable, str(RUNNER), *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def observe(self) -> dict[str, Any]:
        return observe_toolchain(str(self.path))

    @property
    def generations(self) -> Path:
        return self.path.parent / f".{self.path.name}"

    def sysroot(self, channel: str = "1.92.0") -> Path:
        return next((self.path / "rustup/toolchains").glob(f"{channel}-*"))

    def rustc(self) -> str:
        """The version of the installed rustc. The tree has a complete toolchain, or none."""
        environment = {"RUSTUP_HOME": f"{self.path}/rustup", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        done = subprocess.run(
            [self.path / "bin/rustc", "-V"], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.split()[1]
