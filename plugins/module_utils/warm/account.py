# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""Root reads the folder of an account: by descriptor, and with the rights of the folder's owner."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator

from ..host.child import Rights, acting_as
from ..hygiene.folders import open_folder
from .policy import WarmError
from .tree import BLOCK

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
PARTS = (".fingerprint", "build", "deps")  # folders of a profile
FIT = re.compile(r"[A-Za-z0-9_.+=@,-]+(/[A-Za-z0-9_.+=@,-]+)*")
UNIT = re.compile(r"(.+)-[0-9a-f]{16}")
LISTABLE = re.compile(r"[^\x00-\x1f\x7f\\]+")  # names that a manifest can list
MOST_FILES = 200_000


class Account:
    def __init__(self, state: str) -> None:
        self.folder = open_folder(os.path.realpath(state))  # systemd makes a link to the folder
        found = os.fstat(self.folder)
        self.rights = Rights(found.st_uid, found.st_gid)

    def __enter__(self) -> Account:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self.folder)

    def open(self, path: str) -> int:
        with acting_as(self.rights):
            file = os.open(path, FILE, dir_fd=self.folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise WarmError(f"{path} is not a regular file")
        return file

    def read(self, path: str, most: int) -> bytes:
        with open(self.open(path), "rb") as file:
            return file.read(most)

    def copy(self, path: str, place: str, room: int) -> tuple[str, int]:
        """Copy one file with its times. Return its sha256 and size."""
        digest, size = hashlib.sha256(), 0
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
        with open(self.open(path), "rb", buffering=0) as source:
            found = os.fstat(source.fileno())
            mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
            with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as target:
                os.fchmod(target.fileno(), mode)
                while block := source.read(BLOCK):
                    size += len(block)
                    if size > room:
                        raise WarmError("the build is larger than agent_warm_max_size: raise it, or build less")
                    digest.update(block)
                    target.write(block)
        os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
        return digest.hexdigest(), size

    def files(self, folder: str) -> list[str]:
        """The regular files below ``folder`` whose names a manifest can list. Raises WarmError."""
        with acting_as(self.rights):
            return [path for path, is_file in self._walk(folder) if is_file and LISTABLE.fullmatch(path)]

    def units(self, profile: str, units: set[str]) -> list[str]:
        """The files for a seed below ``profile``, without the folder ``target``. Adds their crates to ``units``."""
        with acting_as(self.rights):
            found = [
                (path, is_file and bool(FIT.fullmatch(path)))
                for part in PARTS
                for path, is_file in self._walk(f"{profile}/{part}")
            ]
        unfit = {_unit(path) for path, fits in found if not fits}
        # cargo writes a fingerprint when a unit is complete. Members and failed units have none.
        done = {_unit(path) for path, _fits in found if "/.fingerprint/" in path and path.endswith(".json")} - unfit
        units.update(match[1] for unit in done if (match := UNIT.fullmatch(unit)))
        wanted = (path for path, fits in found if fits and _unit(path) not in unfit)
        return [path.partition("/")[2] for path in wanted if "/.fingerprint/" not in path or _unit(path) in done]

    def _walk(self, folder: str) -> Iterator[tuple[str, bool]]:
        """Each path below ``folder`` except folders, and whether it is a regular file. Raises WarmError."""
        count = 0
        try:
            for top, folders, files, here in os.fwalk(folder, dir_fd=self.folder, onerror=_raise):
                count += 1 + len(files)
                if count > MOST_FILES:
                    raise WarmError(f"{folder} has more than {MOST_FILES:,} files and folders")
                links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=here).st_mode)]
                for name in [*files, *links]:
                    yield f"{top}/{name}", stat.S_ISREG(os.lstat(name, dir_fd=here).st_mode)
        except FileNotFoundError:
            return


def _raise(error: OSError) -> None:
    raise error


def _unit(path: str) -> str:
    """target/debug/build/serde-0123456789abcdef/output -> serde-0123456789abcdef"""
    parts = path.split("/")
    return parts[3] if len(parts) > 4 else path
