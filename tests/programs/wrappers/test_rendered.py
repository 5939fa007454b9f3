# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The rendered scripts as text."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.agent_wrappers import FILES

from .host import GUARD, Host


def scripts(host: Host) -> list[str]:
    folders = (host.prefix / "bin", host.libexec, host.libexec / "nested")
    return [
        str(path) for folder in folders for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()
    ]


def in_perl(path: str) -> bool:
    with open(path) as script:
        return path.endswith(".pl") or script.readline().endswith("perl\n")


def test_shellcheck_reports_nothing(host: Host) -> None:
    done = subprocess.run(
        ["shellcheck", *(path for path in scripts(host) if not in_perl(path))],
        capture_output=True,
        text=True,
        timeout=GUARD,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_perl_reports_nothing(host: Host) -> None:
    programs = [path for path in scripts(host) if in_perl(path)]
    assert programs
    for path in programs:
        done = subprocess.run(["perl", "-c", path], capture_output=True, text=True, timeout=GUARD)
        assert (done.returncode, done.stderr) == (0, f"{path} syntax OK\n")


@pytest.mark.parametrize(("name", "validate"), FILES.items(), ids=FILES)
def test_damaged_file_is_not_installed(host: Host, name: str, validate: str) -> None:
    """Also if the damage is after __END__, where perl compiles nothing at first."""
    words = [word.replace("%s", str(host.libexec / name)) for word in shlex.split(validate)]
    assert subprocess.run(words, capture_output=True, timeout=GUARD).returncode == 0
    with (host.libexec / name).open("a") as file:
        file.write("\nif (\n")
    assert subprocess.run(words, capture_output=True, timeout=GUARD).returncode != 0


def test_values_are_quoted(shared_host: Host) -> None:
    # This host's path has blanks, quotes and a command substitution in it.
    assert shared_host.cargo("build").status == 0
    assert not list(shared_host.checkout.glob("injected*"))
