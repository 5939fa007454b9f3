# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The policy of role agent_warm, from its variables or from its file on the host. Only ``load_policy`` reads a file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

WORD = r"[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,99}"  # not an option, and no special characters of a shell
FOLDER = r"(/[A-Za-z0-9_][A-Za-z0-9_.+-]*){2,}"
URL = r"(https|ssh|file)://([A-Za-z0-9_.-]+@)?[A-Za-z0-9_.:/~+%-]+"
# By key of a project: a pattern, and what it allows.
TEXTS = {
    "name": (r"[a-z][a-z0-9]{0,19}", "a letter, and up to 19 lower-case letters and digits, such as nova"),
    "source": (
        f"{FOLDER}|{URL}",
        "an absolute path, or a URL of https, ssh or file without a password, such as /srv/nova",
    ),
    "sha256": (r"([0-9a-f]{64})?", "the sha256 of a bundle, 64 digits and letters from a to f"),
    "rustflags": (r"[ -~]{0,1000}", "printable text of at most 1,000 characters"),
}
OTHER_TEXT = (f"({WORD})?", "a name, such as main or 1.92.0")
LISTS = ("packages", "profiles", "features")
EXAMPLE = "{name: nova, source: /srv/nova}"


class WarmError(ValueError):
    """One line that names the variable, file or project, and what to do."""


@dataclass(frozen=True)
class Project:
    """One workspace whose dependencies are built for all agents."""

    name: str
    source: str  #: A folder that only root may write, or a URL for git. With sha256: a bundle, as a file or URL.
    revision: str = ""  #: For git.
    packages: tuple[str, ...] = ()  #: Members, each built with -p; empty: the whole workspace.
    profiles: tuple[str, ...] = ("dev",)
    features: tuple[str, ...] = ()
    toolchain: str = ""  #: Empty: the pin of the host.
    rustflags: str = ""
    sha256: str = ""  #: For a bundle.

    @property
    def is_folder(self) -> bool:
        return self.source.startswith("/")


@dataclass(frozen=True)
class WarmPolicy:
    projects: tuple[Project, ...]
    prefix: str
    channel: str
    keep: int  #: Number of seeds for each project.
    max_bytes: int  #: For all seeds together.

    @property
    def seeds(self) -> str:
        return f"{self.prefix}/warm/seeds"

    def home(self, project: str) -> str:
        """CARGO_HOME with the crates of a project's seeds. Cargo's fingerprints depend on this path."""
        return f"{self.prefix}/warm/cargo/{project}"

    def project(self, name: str) -> Project:
        """Raises WarmError."""
        for project in self.projects:
            if project.name == name:
                return project
        known = ", ".join(project.name for project in self.projects) or "none"
        raise WarmError(f"there is no project {name!r} in agent_warm_projects; it has {known}")


def folder_of_profile(profile: str) -> str:
    """The folder in which cargo builds a profile."""
    return {"dev": "debug", "test": "debug", "bench": "release"}.get(profile, profile)


def seed_name(project: Project, channel: str, lock: bytes) -> str:
    """The name of the seed for the Cargo.lock ``lock``. cargo_warm.sh computes the same name for a checkout."""
    flags = f"RUSTFLAGS={project.rustflags}" if project.rustflags else ""
    head = f"{project.toolchain or channel}\n{flags}\n".encode()
    return f"{project.name}-{hashlib.sha256(head + lock).hexdigest()[:12]}"


def check_projects(name: str, value: Any) -> tuple[Project, ...]:
    """The projects of the variable ``name``. Raises WarmError."""
    found = tuple(_project(name, item) for item in value)
    names = [project.name for project in found]
    for one in names:
        if names.count(one) > 1:
            raise WarmError(f"{name} has two projects {one!r}; use a different name for each")
    return found


def _project(name: str, item: Any) -> Project:
    known = {one.name for one in fields(Project)}
    if not isinstance(item, Mapping) or not {"name", "source"} <= set(item) <= known:
        raise WarmError(f"{name} has {item!r}; allowed is {EXAMPLE}, with any of {', '.join(sorted(known))}")
    given: dict[str, Any] = {
        key: tuple(value) if key in LISTS and isinstance(value, list) else value for key, value in item.items()
    }
    for key, value in given.items():
        if key in LISTS:
            allowed = "a list of names, such as [nova-core]"
            fits = isinstance(value, tuple) and all(isinstance(one, str) and re.fullmatch(WORD, one) for one in value)
        else:
            pattern, allowed = TEXTS.get(key, OTHER_TEXT)
            fits = isinstance(value, str) and bool(re.fullmatch(pattern, value))
        if not fits:
            raise WarmError(f"{name} has the {key} {item[key]!r}; allowed is {allowed}")
    project = Project(**given)
    if not project.profiles:
        raise WarmError(f"{name} has a project {project.name!r} with no profiles; leave them out for [dev]")
    if project.sha256:
        plain = Project(project.name, project.source, sha256=project.sha256)
        more = [key for key in given if getattr(project, key) != getattr(plain, key)]
        if project.source.startswith("ssh:"):
            more = ["ssh"]
        if more:
            raise WarmError(
                f"{name} has a project {project.name!r} with sha256, a bundle, and {more[0]}: leave that out"
            )
    elif project.is_folder == bool(project.revision):
        need = "no revision, which is only for git" if project.is_folder else "a revision, such as a commit's number"
        raise WarmError(f"{name} has the source {project.source!r}, and needs {need}")
    return project


def dump_policy(policy: WarmPolicy) -> str:
    return json.dumps(asdict(policy), indent=4, sort_keys=True) + "\n"


def load_policy(path: str) -> WarmPolicy:
    """Read the file of the role. Raises WarmError."""
    try:
        with open(path, encoding="utf-8") as file:
            given = json.load(file)
        return WarmPolicy(**{**given, "projects": check_projects("projects", given["projects"])})
    except OSError as error:
        raise WarmError(f"{path}: {error.strerror}; ask an operator to apply role agent_warm") from error
    except (KeyError, TypeError, ValueError) as error:
        raise WarmError(f"{path} is damaged ({error}); ask an operator to apply role agent_warm") from error
