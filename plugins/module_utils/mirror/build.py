# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Build a folder that serves rustup like the official servers, for hosts without internet.

Layout, below the mirror's root: ``dist/channel-rust-1.92.0.toml`` (and ``.sha256``), ``dist/2025-12-11/*.tar.xz``,
``rustup/archive/1.29.0/TRIPLE/rustup-init``. It works with any static web server, and with ``file://``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from ..state.paths import sha256, sha256_file
from ..toolchain.fetch import FetchError, download, fetch
from ..toolchain.request import TRIPLES, Request, Toolchain, manifest_path
from . import channel as mirror_channel
from .channel import Artifact

Say = Callable[[str], None]
STEP = 25  # percent of a file between two lines of progress


@dataclass
class Built:
    """``fetched`` and ``kept`` are paths below the root. ``toolchains`` are the channels of the mirror. ``size`` is in
    bytes. ``channel_checksums`` has the sha256 of their manifests, for the policy of the hosts."""

    fetched: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    toolchains: list[str] = field(default_factory=list)
    channel_checksums: dict[str, str] = field(default_factory=dict)
    size: int = 0


def mirror_upstream(
    root: str, request: Request, architectures: Sequence[str], dist_server: str, say: Say, check_mode: bool = False
) -> Built:
    """Mirror the toolchains of ``request`` into ``root``. Files with the right checksum are not downloaded again.

    Raises ChannelError, FetchError, OSError.
    """
    built = Built()
    for toolchain in request.toolchains:
        path = manifest_path(toolchain.channel)
        content = _manifest(dist_server, path, toolchain)
        manifest = mirror_channel.parse(content.decode(errors="replace"), f"{dist_server}/{path}")
        wanted = [
            artifact
            for architecture in architectures
            for artifact in mirror_channel.artifacts(manifest, toolchain, TRIPLES[architecture])
        ]
        unique = list(dict.fromkeys(wanted))
        for number, artifact in enumerate(unique, 1):
            label = f"{toolchain.channel} {number}/{len(unique)} {os.path.basename(artifact.path)}"
            _place(root, artifact, f"{dist_server}/{artifact.path}", path, say, label, built, check_mode)
        if not check_mode and not _same(os.path.join(root, path), content):
            built.fetched += write_manifest(root, path, content)
        built.toolchains.append(toolchain.channel)
        built.channel_checksums[toolchain.channel] = sha256(content)
    return built


def mirror_rustup(
    root: str,
    request: Request,
    architectures: Sequence[str],
    update_root: str,
    say: Say,
    built: Built,
    check_mode: bool = False,
) -> None:
    """Download rustup-init from ``update_root`` into the mirror, and verify its pinned checksum.

    Raises FetchError, RequestError, OSError.
    """
    for architecture in architectures:
        below = f"archive/{request.rustup_version}/{TRIPLES[architecture]}/rustup-init"
        artifact = Artifact(f"rustup/{below}", request.checksum(architecture))
        label = f"rustup-init {request.rustup_version} {architecture}"
        _place(
            root, artifact, f"{update_root}/{below}", f"rustup_checksums.{architecture}", say, label, built, check_mode
        )
        if not check_mode:
            path = os.path.join(root, artifact.path)
            os.chmod(path, 0o755)
            with open(f"{path}.sha256", "w", encoding="utf-8") as file:
                file.write(f"{artifact.sha256} *./rustup-init\n")


def write_manifest(root: str, path: str, content: bytes) -> list[str]:
    """Write a manifest and its checksum. It is written last, when all of its files are complete."""
    target = os.path.join(root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(f"{target}.part", "wb") as file:
        file.write(content)
    with open(f"{target}.sha256", "w", encoding="utf-8") as file:
        file.write(f"{sha256_file(f'{target}.part')}  {os.path.basename(path)}\n")
    os.replace(f"{target}.part", target)
    return [f"{path}.sha256", path]


def _manifest(server: str, path: str, toolchain: Toolchain) -> bytes:
    """A manifest, verified with the checksum of the policy, or without one with the server's checksum."""
    url = f"{server}/{path}"
    content = fetch(url)
    wanted, named_by = toolchain.sha256, f"channel_checksums.{toolchain.channel}"
    if not wanted:
        wanted = (fetch(f"{url}.sha256").decode(errors="replace").split() or ["nothing"])[0]
        named_by = f"{url}.sha256"
    found = sha256(content)
    if wanted != found:
        raise FetchError(f"{url}: its sha256 is {found}, but {named_by} says {wanted}")
    return content


def _same(path: str, content: bytes) -> bool:
    return os.path.isfile(path) and sha256_file(path) == sha256(content)


def _place(
    root: str, artifact: Artifact, url: str, named_by: str, say: Say, label: str, built: Built, check_mode: bool
) -> None:
    path = os.path.join(root, artifact.path)
    if os.path.isfile(path) and sha256_file(path) == artifact.sha256:
        built.kept.append(artifact.path)
        built.size += os.path.getsize(path)
        return
    built.fetched.append(artifact.path)
    if check_mode:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shown = 0

    def progress(so_far: int, total: int | None) -> None:
        nonlocal shown
        percent = 100 * so_far // total if total else 0
        if percent >= shown + STEP:
            shown = percent - percent % STEP
            say(f"{label}: {so_far / 1e6:.1f} MB, {percent} %")

    download(url, path, artifact.sha256, named_by, progress)
    os.chmod(path, 0o644)
    built.size += os.path.getsize(path)
