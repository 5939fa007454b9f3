# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""A bundle: one file with a seed and its crates, built on one host for others.

The file is parsed only if its sha256 is the one in ``agent_warm_projects``.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import BinaryIO

from ..state.paths import sha256_file
from .account import LISTABLE, MOST_FILES, Account
from .build import empty
from .policy import Project, WarmError, WarmPolicy
from .publish import Decision, decide, decided, make_seeds, publication_lock, put_seed
from .registry import publish_crates
from .seeds import SEED, damage_of, read_seeds
from .tree import BLOCK, damages, read_manifest

DOWNLOADED = "bundle"  #: In the service account's folder.
TIMEOUT = 60


def pack(policy: WarmPolicy, project: str, out: BinaryIO) -> str:
    """Write the newest seed of a project and its crates. Return the sha256 of the bundle. Raises WarmError."""
    names = [seed.name for seed in read_seeds(policy.seeds, whole=True) if seed.project == project and not seed.problem]
    if not names:
        raise WarmError(f"project {project!r} has no complete seed: start nova-agent-warm-{project}")
    written = _Hashed(out)
    seed = f"{policy.seeds}/{names[-1]}"
    with (
        gzip.GzipFile(fileobj=written, mode="wb", filename="", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        # The first entry has the prefix as its name, because the fingerprints depend on the prefix.
        archive.addfile(tarfile.TarInfo(policy.prefix.lstrip("/")))
        for top, inside in (
            (seed, names[-1]),
            *([(policy.home(project), "cargo")] if os.path.exists(f"{seed}/registry") else []),
        ):
            for path in sorted(_files(top)):
                archive.add(f"{top}/{path}", f"{inside}/{path}", recursive=False, filter=_of_root)
    return written.digest.hexdigest()


class _Hashed:
    """A file for writing that computes a sha256."""

    def __init__(self, out: BinaryIO) -> None:
        self.out, self.digest = out, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.out.write(data)

    def flush(self) -> None:
        self.out.flush()


def _files(top: str) -> Iterator[str]:
    for folder, _folders, names in os.walk(top):
        yield from (os.path.relpath(os.path.join(folder, name), top) for name in names)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def fetch_bundle(policy: WarmPolicy, project: Project, state: str) -> None:
    """Step of the account: download the bundle, if its seed is not on the host. Raises WarmError."""
    empty(state)
    if project.is_folder or is_published(policy, project):
        return
    try:
        with (
            # ansible.module_utils.urls is not on the host.
            urllib.request.build_opener().open(project.source, timeout=TIMEOUT) as response,
            open(f"{state}/{DOWNLOADED}", "wb") as file,
        ):
            shutil.copyfileobj(response, file, BLOCK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise WarmError(f"project {project.name}: {project.source} can't be downloaded: {reason}") from error


def is_published(policy: WarmPolicy, project: Project) -> bool:
    """Whether the complete seed of the bundle is on the host."""
    try:
        last = decided(policy, project)
    except (OSError, ValueError, TypeError):
        return False
    seed = f"{policy.seeds}/{last.seed}"
    return last.bundle == project.sha256 and os.path.exists(f"{seed}/info") and not damage_of(policy.seeds, last.seed)


def admit_bundle(policy: WarmPolicy, project: Project, state: str) -> None:
    """Step of root: compare the sha256 of the bundle, and publish its content. Raises WarmError and OSError."""
    if is_published(policy, project):
        return
    own, unpacked = f"{policy.prefix}/warm/.bundle", f"{policy.prefix}/warm/.unpacked"
    with publication_lock(policy):
        try:
            found = _take(project, state, own, policy.max_bytes)
            if found != project.sha256:
                raise WarmError(
                    f"agent_warm_projects: project {project.name} has the sha256 {project.sha256}, but "
                    f"{project.source} has {found}: give the right file or its sha256"
                )
            shutil.rmtree(unpacked, ignore_errors=True)
            name = _unpack(policy, project, own, unpacked)
            _publish(policy, project, unpacked, name)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
            if os.path.lexists(own):
                os.unlink(own)


def _take(project: Project, state: str, own: str, most: int) -> str:
    """Copy the bundle to a folder that only root can read. Return its sha256."""
    if os.path.lexists(own):
        os.unlink(own)
    folder, name = os.path.split(project.source) if project.is_folder else (state, DOWNLOADED)
    with Account(folder) as owner:
        return owner.copy(name, own, most)[0]


def _unpack(policy: WarmPolicy, project: Project, file: str, place: str) -> str:
    """Unpack the regular files of a bundle. Return the name of its seed."""
    name, room, what = "", policy.max_bytes, f"project {project.name}: {project.source}"
    os.mkdir(place, 0o700)
    try:
        with tarfile.open(file, "r|gz") as archive:
            for number, entry in enumerate(archive):
                if not number:
                    if f"/{entry.name}" != policy.prefix:
                        why = f"was built for agent_policy_prefix /{entry.name}, and this host has {policy.prefix}"
                        raise WarmError(f"{what} {why}")
                    continue
                top, room = entry.name.partition("/")[0], room - entry.size
                name = top if number == 1 else name
                is_safe = LISTABLE.fullmatch(entry.name) and ".." not in entry.name.split("/")
                data = archive.extractfile(entry) if entry.isreg() and is_safe and top in (name, "cargo") else None
                if data is None or room < 0 or number > MOST_FILES:
                    raise WarmError(f"{what} is not a bundle of agent-warm pack, or is larger than agent_warm_max_size")
                target = f"{place}/{entry.name}"
                os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
                with open(target, "xb") as out:
                    os.fchmod(out.fileno(), 0o755 if entry.mode & 0o100 else 0o644)
                    shutil.copyfileobj(data, out, BLOCK)
                os.utime(target, (entry.mtime, entry.mtime))
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise WarmError(f"{what} is not a bundle of agent-warm pack ({error})") from error
    if not SEED.fullmatch(name) or name.partition("-")[0] != project.name:
        raise WarmError(f"{what} has the seed {name!r} of another project")
    return name


def _publish(policy: WarmPolicy, project: Project, unpacked: str, name: str) -> None:
    new = f"{unpacked}/{name}"
    try:
        wrong = " ".join(next(damages(new, read_manifest(f"{new}/manifest"), ("manifest", "info")), ()))
    except (OSError, ValueError) as error:
        wrong = f"manifest can't be read ({error})"
    if wrong:
        raise WarmError(f"project {project.name}: {project.source} is damaged: {wrong}")
    size = 0
    if os.path.exists(f"{new}/registry"):
        home = f"{unpacked}/cargo"

        def move(path: str, place: str, _room: int) -> tuple[str, int]:
            os.makedirs(os.path.dirname(place), 0o755, exist_ok=True)
            os.rename(f"{home}/{path}", place)
            return sha256_file(place), os.path.getsize(place)

        size = publish_crates(policy, project.name, list(_files(home)), move)
    make_seeds(policy)
    seed = next(seed for seed in read_seeds(unpacked) if seed.name == name)
    os.chmod(new, 0o755)
    put_seed(policy, new, name, seed.bytes)
    decide(policy, project, Decision(name, False, seed.locked, size, project.sha256))
