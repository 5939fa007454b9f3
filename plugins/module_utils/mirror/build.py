# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Building a folder that serves rustup as the official servers do, for hosts without internet.

Layout, below the mirror's root: ``dist/channel-rust-1.92.0.toml`` (and ``.sha256``), ``dist/2025-12-11/*.tar.xz``,
``rustup/archive/1.29.0/TRIPLE/rustup-init``. Any static web server serves it, and ``file://`` does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Callable

from ansible_collections.nova.agent_host.plugins.module_utils.mirror import channel as mirror_channel
from ansible_collections.nova.agent_host.plugins.module_utils.mirror import package as mirror_package
from ansible_collections.nova.agent_host.plugins.module_utils.mirror.channel import Artifact, ChannelError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import (
    FetchError,
    download,
    fetch,
    sha256_file,
)
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import TRIPLES, Request, Toolchain

Say = Callable[[str], None]
STEP = 25  # percent of a file between two lines of progress


@dataclass
class Built:
    """``fetched`` and ``kept`` are paths below the root, ``toolchains`` what the mirror offers, ``size`` in bytes."""

    fetched: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    toolchains: list[str] = field(default_factory=list)
    size: int = 0


def mirror_upstream(
    root: str, request: Request, architectures: Sequence[str], dist_server: str, say: Say, check_mode: bool = False
) -> Built:
    """Mirror the toolchains of ``request`` into ``root``. What is there and has the right sum is not fetched again.

    Raises ChannelError, FetchError, OSError.
    """
    built = Built()
    for toolchain in request.toolchains:
        path = mirror_channel.manifest_path(toolchain.channel)
        content = _manifest(dist_server, path)
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
            built.fetched += mirror_package.write_manifest(root, path, content)
        built.toolchains.append(toolchain.channel)
    return built


def mirror_rustup(
    root: str,
    request: Request,
    architectures: Sequence[str],
    update_root: str,
    say: Say,
    built: Built,
    installer: str | None = None,
    check_mode: bool = False,
) -> None:
    """Put rustup-init into the mirror, from ``update_root`` or the local file ``installer``; its sum is the pinned one.

    Raises FetchError, RequestError, OSError.
    """
    for architecture in architectures:
        below = f"archive/{request.rustup_version}/{TRIPLES[architecture]}/rustup-init"
        artifact = Artifact(f"rustup/{below}", request.checksum(architecture))
        url = f"file://{os.path.abspath(installer)}" if installer else f"{update_root}/{below}"
        label = f"rustup-init {request.rustup_version} {architecture}"
        _place(root, artifact, url, f"rustup_checksums.{architecture}", say, label, built, check_mode)
        if not check_mode:
            path = os.path.join(root, artifact.path)
            os.chmod(path, 0o755)
            with open(f"{path}.sha256", "w", encoding="utf-8") as file:
                file.write(f"{artifact.sha256} *./rustup-init\n")


def describe_installed(sysroot: str, components: Sequence[str]) -> tuple[Toolchain, str]:
    """The toolchain that is installed at ``sysroot`` as a mirror would offer it, and its architecture.

    Raises ChannelError.
    """
    _version, channel, _date, triple = mirror_package.true_version(sysroot)
    architecture = next((name for name, own in TRIPLES.items() if own == triple), None)
    if architecture is None:
        raise ChannelError(f"{sysroot} is for {triple}; only {', '.join(sorted(TRIPLES.values()))} can be mirrored")
    return Toolchain(channel, "minimal", tuple(components)), architecture


def mirror_installed(root: str, sysroot: str, toolchain: Toolchain, say: Say, check_mode: bool = False) -> list[str]:
    """Pack the toolchain that is installed at ``sysroot`` into ``root``, under its true version.

    Returns the paths written; none where the mirror offers that version, with these components, already. Raises
    ChannelError, OSError.
    """
    version, channel, date, triple = mirror_package.true_version(sysroot)
    parts = mirror_package.installed_components(sysroot, triple, toolchain.components)
    path = mirror_channel.manifest_path(channel)
    if _offers(os.path.join(root, path), version, toolchain, triple):
        return []
    if check_mode:
        return [path]
    return mirror_package.write_channel(root, version, channel, date, triple, parts, say)


def _offers(manifest: str, version: str, toolchain: Toolchain, triple: str) -> bool:
    try:
        with open(manifest, encoding="utf-8") as file:
            found = mirror_channel.parse(file.read(), manifest)
        mirror_channel.artifacts(found, toolchain, triple)
    except (FileNotFoundError, ChannelError):
        return False
    return bool(found["pkg"]["rust"]["version"] == version)


def _manifest(server: str, path: str) -> bytes:
    url = f"{server}/{path}"
    words = fetch(f"{url}.sha256").decode(errors="replace").split()
    content = fetch(url)
    found = mirror_channel.sha256(content)
    if not words or words[0] != found:
        raise FetchError(f"{url}: its sha256 is {found}, but {url}.sha256 says {words[0] if words else 'nothing'}")
    return content


def _same(path: str, content: bytes) -> bool:
    return os.path.isfile(path) and sha256_file(path) == mirror_channel.sha256(content)


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
