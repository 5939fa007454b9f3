# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Channel manifests: the files that list what a distribution server has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

try:
    import tomllib
except ImportError:  # Python before 3.11, which only hosts have; mirrors are built on controllers
    tomllib = None  # type: ignore[assignment]

from ..toolchain.request import Toolchain


class ChannelError(Exception):
    """A manifest lacks something that was requested. The message names it."""


@dataclass(frozen=True)
class Artifact:
    """A file of a mirror: its ``path`` below the mirror's root, and its sha256."""

    path: str
    sha256: str


def parse(text: str, url: str) -> dict[str, Any]:
    """Raises ChannelError."""
    if tomllib is None:
        raise ChannelError("building a mirror needs Python 3.11 or newer on the controller")
    try:
        manifest = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ChannelError(f"{url} is not a channel manifest: {error}") from error
    if manifest.get("manifest-version") != "2":
        raise ChannelError(f"{url} has manifest-version {manifest.get('manifest-version')!r}; supported is only '2'")
    return manifest


def artifacts(manifest: Mapping[str, Any], toolchain: Toolchain, triple: str) -> list[Artifact]:
    """The files that rustup downloads to install ``toolchain`` on a ``triple`` host. Raises ChannelError."""
    there = manifest["pkg"]["rust"]["target"].get(triple, {})
    offered = {(item["pkg"], item["target"]) for part in ("components", "extensions") for item in there.get(part, [])}
    wanted = [(name, triple) for name in manifest["profiles"][toolchain.profile] if (name, triple) in offered]
    for name in toolchain.components:
        package = manifest.get("renames", {}).get(name, {}).get("to", name)
        wanted.append((package, "*" if (package, "*") in offered else triple))
    wanted += [("rust-std", target) for target in toolchain.targets]
    missing = sorted(f"{name} ({target})" for name, target in wanted if (name, target) not in offered)
    if missing or not wanted:
        raise ChannelError(f"channel {toolchain.channel} has no {', '.join(missing) or 'toolchain'} for {triple}")
    return [_artifact(manifest, name, target) for name, target in dict.fromkeys(wanted)]


def _artifact(manifest: Mapping[str, Any], name: str, target: str) -> Artifact:
    entry = manifest["pkg"][name]["target"][target]
    form = next((form for form in ("zst_", "xz_", "") if f"{form}url" in entry), None)
    if not entry.get("available") or form is None:
        raise ChannelError(f"{name} for {target} is listed in the channel of {manifest['date']}, but not available")
    url: str = entry[f"{form}url"]
    path = re.sub(r"^https?://[^/]+/", "", url)
    if not re.fullmatch(r"dist/[A-Za-z0-9._/+-]+", path) or ".." in path:
        raise ChannelError(f"{name} for {target} has the URL {url!r}, which is not below a server's dist/ folder")
    return Artifact(path, entry[f"{form}hash"])
