# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""Folders of root with a manifest: one line of sha256sum for each file."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping

from ..host.files import write_whole
from ..state.paths import sha256_file

LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\\]+)")
BLOCK = 1 << 20


def write_manifest(path: str, listed: Mapping[str, str]) -> None:
    """Write ``listed``: the sha256 of each path."""
    write_whole(path, "".join(f"{digest}  {name}\n" for name, digest in sorted(listed.items())).encode())


def read_manifest(path: str) -> dict[str, str]:
    """Raises OSError, and ValueError if the manifest is damaged."""
    with open(path, encoding="utf-8") as file:
        lines = [LINE.fullmatch(line.rstrip("\n")) for line in file]
    if not all(lines):
        raise ValueError("manifest is damaged")
    return {match[2]: match[1] for match in lines if match}


def damages(path: str, listed: Mapping[str, str], beside: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """The files below ``path`` that differ from the list, each with the reason. Raises OSError."""
    missing = set(listed)
    for top, folders, names in os.walk(path):
        inside = os.path.relpath(top, path)
        for name in [*names, *(one for one in folders if os.path.islink(os.path.join(top, one)))]:
            file_name = os.path.normpath(os.path.join(inside, name))
            found = os.lstat(os.path.join(top, name))
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                yield file_name, "is writable for accounts other than root"
            if file_name in beside:
                continue
            missing.discard(file_name)
            if file_name not in listed:
                yield file_name, "is not in the manifest"
            elif os.path.islink(os.path.join(top, name)) or sha256_file(os.path.join(top, name)) != listed[file_name]:
                yield file_name, "has other content"
    yield from ((name, "is missing") for name in sorted(missing))


def clear(folder: str) -> None:
    """Remove temporary folders of killed runs."""
    for name in os.listdir(folder):
        if name.startswith((".new-", ".old-")):
            shutil.rmtree(f"{folder}/{name}")
