# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""Root's part: decide whether a seed is to be built, and publish what the service account built.

The account's folder is read with the account's rights and by descriptor; each file is written anew into a folder that
is root's alone. Nothing of it is evaluated.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

from ansible_collections.nova.agent_host.plugins.module_utils.host.child import Rights, acting_as
from ansible_collections.nova.agent_host.plugins.module_utils.hygiene.folders import open_folder
from ansible_collections.nova.agent_host.plugins.module_utils.sizes import readable_size
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import is_roots
from ansible_collections.nova.agent_host.plugins.module_utils.warm.policy import (
    Project,
    WarmError,
    WarmPolicy,
    folder_of_profile,
    seed_name,
)
from ansible_collections.nova.agent_host.plugins.module_utils.warm.seeds import (
    BLOCK,
    collect,
    damages,
    read_seeds,
    remove,
)

FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
PARTS = (".fingerprint", "build", "deps")  # of a profile's folder
FIT = re.compile(r"[A-Za-z0-9_.+=@,-]+(/[A-Za-z0-9_.+=@,-]+)*")
UNIT = re.compile(r"(.+)-[0-9a-f]{16}")
MOST_FILES = 200_000
LARGEST_LOCK = 16 << 20
TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by cargo.
# For information about cache directory tags see https://bford.info/cachedir/
"""
READ_BY_CARGO = re.compile(r"Cargo\.(toml|lock)|config(\.toml)?|rust-toolchain(\.toml)?")


@dataclass(frozen=True)
class Decision:
    """What ``admit`` found: the seed that the source needs, and whether it has to be built."""

    seed: str
    build: bool
    locked: int  #: Crates that Cargo.lock names.


@contextmanager
def turn(policy: WarmPolicy) -> Iterator[None]:
    """One publication at a time. The lock is in a file that only root can open."""
    path = f"{policy.prefix}/warm/.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def check_source(project: Project) -> None:
    """What agents may write must not decide what other agents run. Raises WarmError."""
    if not project.is_folder:
        return
    if not is_roots(project.source) or not os.path.isfile(f"{project.source}/Cargo.lock"):
        raise WarmError(
            f"{project.source}, the source of project {project.name}, is no workspace with a Cargo.lock that only root "
            "may write: clone it as root, or name a URL and a revision"
        )
    for top, folders, files in os.walk(project.source):
        folders[:] = [name for name in folders if name not in (".git", "target")]
        for name in [*folders, *(one for one in files if READ_BY_CARGO.fullmatch(one))]:
            found = os.lstat(os.path.join(top, name))
            if found.st_uid != os.geteuid() or (found.st_mode & 0o022 and not stat.S_ISLNK(found.st_mode)):
                raise WarmError(f"{os.path.join(top, name)} may be written by others than root: chown -R root it")


def admit(policy: WarmPolicy, project: Project, state: str) -> Decision:
    """Decide, from the Cargo.lock of the source, before anything of it is built. Raises WarmError and OSError."""
    if project.is_folder:
        with open(f"{project.source}/Cargo.lock", "rb") as file:
            lock = file.read(LARGEST_LOCK)
    else:
        with _Account(state) as account:
            lock = account.read("src/Cargo.lock", LARGEST_LOCK)
    name = seed_name(project, policy.channel, lock)
    whole = any(seed.name == name and not seed.problem for seed in read_seeds(policy.seeds)) and not any(
        damages(f"{policy.seeds}/{name}")
    )
    packages = re.findall(rb'\[\[package\]\]\nname = "([^"\n]+)"\nversion = "[^"\n]+"\nsource = ', lock)
    decision = Decision(name, not whole, len(set(packages)))
    _write(_decision_file(policy, project), json.dumps(asdict(decision)).encode(), 0o644)
    return decision


def decided(policy: WarmPolicy, project: Project) -> Decision:
    """Raises OSError."""
    with open(_decision_file(policy, project), encoding="ascii") as file:
        return Decision(**json.load(file))


def _decision_file(policy: WarmPolicy, project: Project) -> str:
    return f"{policy.prefix}/warm/{project.name}.json"


def publish(policy: WarmPolicy, project: Project, state: str) -> str:
    """Publish what was built, and remove what is too much; a line for the journal. Raises WarmError and OSError."""
    decision = decided(policy, project)
    with turn(policy):
        with suppress(FileExistsError):
            os.mkdir(policy.seeds, 0o755)  # not what is above it, which a retire may have removed
        _clear(policy.seeds)
        line = _publish(policy, project, state, decision) if decision.build else f"{decision.seed} is up to date"
        gone = collect(policy.seeds, {one.name for one in policy.projects}, policy.keep, policy.max_bytes)
    return f"{line}; removed {', '.join(gone)}" if gone else line


def _publish(policy: WarmPolicy, project: Project, state: str, decision: Decision) -> str:
    new, place = f"{policy.seeds}/.new-{decision.seed}", f"{policy.seeds}/{decision.seed}"
    os.mkdir(new, 0o755)
    try:
        with _Account(state) as account:
            lines: list[str] = []
            size, units = 0, set[str]()
            for profile in dict.fromkeys(map(folder_of_profile, project.profiles)):
                for path in account.units(f"target/{profile}", units):
                    room = policy.max_bytes - size
                    digest, count = account.copy(f"target/{path}", f"{new}/{path}", room)
                    lines.append(f"{digest}  {path}\n")
                    size += count
        if not units:
            raise WarmError(f"project {project.name}: no dependency was built; see the lines before this one")
        _write(f"{new}/CACHEDIR.TAG", TAG.encode(), 0o644)
        lines.append(f"{hashlib.sha256(TAG.encode()).hexdigest()}  CACHEDIR.TAG\n")
        _write(f"{new}/manifest", "".join(lines).encode(), 0o644)
        _write(f"{new}/info", f"{len(units)} {decision.locked} {size} {int(time.time())}\n".encode(), 0o644)
        # What is damaged gives way; if that is being copied, the next run publishes.
        if os.path.lexists(place) and not remove(policy.seeds, decision.seed):
            raise WarmError(f"{place} is damaged and being copied: the next run replaces it")
        held = sum(seed.bytes for seed in read_seeds(policy.seeds) if seed.project != project.name)
        if held + size > policy.max_bytes:
            raise WarmError(
                f"project {project.name}: the seed has {readable_size(size)} and others have {readable_size(held)}, "
                f"more than agent_warm_max_size ({readable_size(policy.max_bytes)}): raise it, or build less"
            )
        os.rename(new, place)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return f"{decision.seed} has {len(units)} of {decision.locked} dependencies, {readable_size(size)}"


def _clear(seeds: str) -> None:
    """Remove what a killed run left."""
    for name in os.listdir(seeds):
        if name.startswith((".new-", ".old-")):
            shutil.rmtree(f"{seeds}/{name}")


def _write(path: str, data: bytes, mode: int) -> None:
    beside = f"{path}.new"
    with open(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode), "wb"
    ) as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
    os.replace(beside, path)


class _Account:
    """The folder of the service account, used with the account's rights."""

    def __init__(self, state: str) -> None:
        self.folder = open_folder(os.path.realpath(state))  # systemd's own link leads there
        found = os.fstat(self.folder)
        self.rights = Rights(found.st_uid, found.st_gid)

    def __enter__(self) -> _Account:
        if self.rights.uid == 0:
            raise WarmError("the folder of the service account is root's: let systemd run nova-agent-warm-*.service")
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self.folder)

    def _open(self, path: str) -> int:
        with acting_as(self.rights):
            file = os.open(path, FILE, dir_fd=self.folder)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise WarmError(f"{path} in the folder of the service account is no regular file")
        return file

    def read(self, path: str, most: int) -> bytes:
        with open(self._open(path), "rb") as file:
            return file.read(most)

    def copy(self, path: str, place: str, room: int) -> tuple[str, int]:
        """Copy one file with its times; gives its sha256 and size."""
        digest, size = hashlib.sha256(), 0
        os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
        with open(self._open(path), "rb", buffering=0) as source:
            found = os.fstat(source.fileno())
            mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
            with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as target:
                os.fchmod(target.fileno(), mode)
                while block := source.read(BLOCK):
                    size += len(block)
                    if size > room:
                        raise WarmError("the seed is larger than agent_warm_max_size: raise it, or build less")
                    digest.update(block)
                    target.write(block)
        os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
        return digest.hexdigest(), size

    def units(self, profile: str, units: set[str]) -> list[str]:
        """The files below ``profile`` that a seed has, without the folder ``target``; adds the crates to ``units``."""
        with acting_as(self.rights):
            found = list(self._walk(profile))
        if len(found) > MOST_FILES:
            raise WarmError(f"{profile} has more than {MOST_FILES:,} files")
        unfit = {_unit(path) for path, fits in found if not fits}
        # cargo writes a fingerprint when a unit is done: members and what failed have none.
        done = {_unit(path) for path, _fits in found if "/.fingerprint/" in path and path.endswith(".json")} - unfit
        units.update(match[1] for unit in done if (match := UNIT.fullmatch(unit)))
        wanted = (path for path, fits in found if fits and _unit(path) not in unfit)
        return [path.partition("/")[2] for path in wanted if "/.fingerprint/" not in path or _unit(path) in done]

    def _walk(self, profile: str) -> Iterator[tuple[str, bool]]:
        for part in PARTS:
            try:
                walk = os.fwalk(f"{profile}/{part}", dir_fd=self.folder, onerror=_raise)
                for top, folders, files, folder in walk:
                    links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=folder).st_mode)]
                    for name in [*files, *links]:
                        is_file = stat.S_ISREG(os.lstat(name, dir_fd=folder).st_mode)
                        path = f"{top}/{name}"
                        yield path, is_file and bool(FIT.fullmatch(path))
            except FileNotFoundError:
                continue


def _raise(error: OSError) -> None:
    raise error


def _unit(path: str) -> str:
    """target/debug/build/serde-0123456789abcdef/output -> serde-0123456789abcdef"""
    parts = path.split("/")
    return parts[3] if len(parts) > 4 else path
