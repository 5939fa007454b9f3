# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""The steps of root: decide whether to build a seed, and publish what the service account built.

Files are read by descriptor with the account's rights, and copied into a folder that only root may write.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace

from ..host.files import write_whole
from ..sizes import readable_size
from ..state.look import is_roots
from ..state.paths import sha256_file
from .account import Account
from .policy import Project, WarmError, WarmPolicy, folder_of_profile, seed_name
from .registry import collect_crates, downloaded, publish_crates
from .seeds import LARGEST_LOCK, collect, damage_of, dependencies, read_seeds, remove
from .tree import clear, write_manifest

TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by cargo.
# For information about cache directory tags see https://bford.info/cachedir/
"""


@dataclass(frozen=True)
class Decision:
    """The seed that the source needs, and whether to build it."""

    seed: str
    build: bool
    locked: int  #: Crates that Cargo.lock names.
    crates: int = 0  #: Bytes of the published crates that the seed is built from.
    bundle: str = ""  #: The sha256 of the bundle that had the seed.


@contextmanager
def publication_lock(policy: WarmPolicy) -> Iterator[None]:
    """One process at a time publishes. Only root can open the file of the lock."""
    path = f"{policy.prefix}/warm/.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def check_source(project: Project) -> None:
    """Refuse a source that accounts other than root may write. Raises WarmError."""
    if not project.is_folder or project.sha256:
        return
    if not is_roots(project.source) or not os.path.isfile(f"{project.source}/Cargo.lock"):
        raise WarmError(
            f"{project.source}, the source of project {project.name}, is not a workspace with a Cargo.lock that only "
            "root may write: clone it as root, or give a URL and a revision"
        )
    within = os.path.realpath(project.source) + "/"
    for top, folders, files in os.walk(project.source):
        if top == project.source:  # cargo reads nothing in these two
            folders[:], files[:] = (
                [name for name in names if name not in (".git", "target")] for names in (folders, files)
            )
        for path in (os.path.join(top, name) for name in [*folders, *files]):
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                if not os.path.realpath(path).startswith(within):
                    raise WarmError(f"{path} is a link that leads out of {project.source}: remove it")
            elif found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise WarmError(
                    f"{path} is writable for accounts other than root: run "
                    f"`chown -R root {project.source} && chmod -R go-w {project.source}`"
                )


def admit(policy: WarmPolicy, project: Project, state: str) -> None:
    """Decide from the Cargo.lock of the source, before the build. Raises WarmError and OSError."""
    if project.is_folder:
        with open(f"{project.source}/Cargo.lock", "rb") as file:
            lock = file.read(LARGEST_LOCK)
    else:
        with Account(state) as account:
            lock = account.read("src/Cargo.lock", LARGEST_LOCK)
    name = seed_name(project, policy.channel, lock)
    whole = os.path.exists(f"{policy.seeds}/{name}/info") and not damage_of(policy.seeds, name)
    write_whole(_file(policy, project, "lock"), lock)
    decide(policy, project, Decision(name, not whole, len({crate.name for crate in dependencies(lock)})))


def admit_crates(policy: WarmPolicy, project: Project, state: str) -> None:
    """Publish the downloaded crates, before any code of them runs. Raises WarmError and OSError."""
    decision = decided(policy, project)
    if decision.build:
        with publication_lock(policy), Account(state) as account:
            paths = downloaded(account)

            def copy(path: str, place: str, room: int) -> tuple[str, int]:
                return account.copy(f"cargo/{path}", place, room)

            size = publish_crates(policy, project.name, paths, copy) if paths else 0
        decide(policy, project, replace(decision, crates=size))


def decided(policy: WarmPolicy, project: Project) -> Decision:
    """Raises OSError."""
    with open(_file(policy, project, "json"), encoding="ascii") as file:
        return Decision(**json.load(file))


def decide(policy: WarmPolicy, project: Project, decision: Decision) -> None:
    write_whole(_file(policy, project, "json"), json.dumps(asdict(decision)).encode())


def _file(policy: WarmPolicy, project: Project, suffix: str) -> str:
    return f"{policy.prefix}/warm/{project.name}.{suffix}"


def publish(policy: WarmPolicy, project: Project, state: str) -> str:
    """Publish the build and remove old seeds. Return a line for the journal. Raises WarmError and OSError."""
    decision = decided(policy, project)
    with publication_lock(policy):
        make_seeds(policy)
        line = _publish(policy, project, state, decision) if decision.build else f"{decision.seed} is up to date"
        gone = collect(policy.seeds, {one.name for one in policy.projects}, policy.keep, policy.max_bytes)
        collect_crates(policy)
    return f"{line}; removed {', '.join(gone)}" if gone else line


def make_seeds(policy: WarmPolicy) -> None:
    """Ensure the folder of the seeds, and remove incomplete seeds of killed runs."""
    with suppress(FileExistsError):
        os.mkdir(policy.seeds, 0o755)  # only this folder: a retire can have removed its parent
    clear(policy.seeds)


def _publish(policy: WarmPolicy, project: Project, state: str, decision: Decision) -> str:
    new = f"{policy.seeds}/.new-{decision.seed}"
    os.mkdir(new, 0o755)
    try:
        with Account(state) as account:
            files: dict[str, str] = {}
            size, units = decision.crates, set[str]()
            for profile in dict.fromkeys(map(folder_of_profile, project.profiles)):
                for path in account.units(f"target/{profile}", units):
                    files[path], count = account.copy(f"target/{path}", f"{new}/{path}", policy.max_bytes - size)
                    size += count
        if not units:
            raise WarmError(f"project {project.name}: no dependency was built; see the lines before this one")
        with open(_file(policy, project, "lock"), "rb") as lock:
            texts = {"CACHEDIR.TAG": TAG.encode(), "Cargo.lock": lock.read()}
        for name, text in {**texts, **({"registry": b""} if decision.crates else {})}.items():
            write_whole(f"{new}/{name}", text)
            files[name] = sha256_file(f"{new}/{name}")
        write_manifest(f"{new}/manifest", files)
        write_whole(f"{new}/info", f"{len(units)} {decision.locked} {size} {int(time.time())}\n".encode())
        put_seed(policy, new, decision.seed, size)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return f"{decision.seed} has {len(units)} of {decision.locked} dependencies, {readable_size(size)}"


def put_seed(policy: WarmPolicy, new: str, name: str, size: int) -> None:
    """Publish a complete seed by renaming its folder. Raises WarmError."""
    project, place = name.partition("-")[0], f"{policy.seeds}/{name}"
    if os.path.lexists(place) and not remove(policy.seeds, name):
        raise WarmError(f"{place} is damaged, but a command copies it: the next run replaces it")
    held = sum(seed.bytes for seed in read_seeds(policy.seeds) if seed.project != project)
    if held + size > policy.max_bytes:
        raise WarmError(
            f"project {project}: the seed has {readable_size(size)} and other projects have {readable_size(held)}, "
            f"more than agent_warm_max_size ({readable_size(policy.max_bytes)}): raise it, or build less"
        )
    os.rename(new, place)
