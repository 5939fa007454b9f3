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
from ..toolchain.fetch import download, fetch, verify, write_manifest
from ..toolchain.request import TRIPLES, Request, manifest_path
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


@dataclass(frozen=True)
class Mirror:
    """A mirror in the folder ``root`` that is being built. ``say`` prints the progress."""

    root: str
    architectures: Sequence[str]
    say: Say
    check_mode: bool = False
    built: Built = field(default_factory=Built)

    def build(self, request: Request, dist_server: str, update_root: str) -> Built:
        """Mirror the toolchains of ``request`` and rustup-init. Files with the right checksum are not downloaded again.

        Raises ChannelError, FetchError, RequestError, OSError.
        """
        for toolchain in request.toolchains:
            path = manifest_path(toolchain.channel)
            url = f"{dist_server}/{path}"
            content = fetch(url)
            wanted, named_by = toolchain.sha256, f"channel_checksums.{toolchain.channel}"
            if not wanted:
                wanted = (fetch(f"{url}.sha256").decode(errors="replace").split() or ["nothing"])[0]
                named_by = f"{url}.sha256"
            verify(url, content, wanted, named_by)
            manifest = mirror_channel.parse(content.decode(errors="replace"), url)
            found = [mirror_channel.artifacts(manifest, toolchain, TRIPLES[name]) for name in self.architectures]
            artifacts = list(dict.fromkeys(artifact for part in found for artifact in part))
            for number, artifact in enumerate(artifacts, 1):
                label = f"{toolchain.channel} {number}/{len(artifacts)} {os.path.basename(artifact.path)}"
                self._place(artifact, f"{dist_server}/{artifact.path}", path, label)
            # Written last, when all of its files are complete.
            if not self.check_mode and not self._has(Artifact(path, wanted)):
                self.built.fetched += write_manifest(self.root, path, content)
            self.built.toolchains.append(toolchain.channel)
            self.built.channel_checksums[toolchain.channel] = sha256(content)
        for architecture in self.architectures:
            self._place_rustup(request, architecture, update_root)
        return self.built

    def _place_rustup(self, request: Request, architecture: str, update_root: str) -> None:
        below = f"archive/{request.rustup_version}/{TRIPLES[architecture]}/rustup-init"
        artifact = Artifact(f"rustup/{below}", request.checksum(architecture))
        label = f"rustup-init {request.rustup_version} {architecture}"
        self._place(artifact, f"{update_root}/{below}", f"rustup_checksums.{architecture}", label)
        if not self.check_mode:
            path = os.path.join(self.root, artifact.path)
            os.chmod(path, 0o755)
            with open(f"{path}.sha256", "w", encoding="utf-8") as file:
                file.write(f"{artifact.sha256} *./rustup-init\n")

    def _has(self, artifact: Artifact) -> bool:
        path = os.path.join(self.root, artifact.path)
        return os.path.isfile(path) and sha256_file(path) == artifact.sha256

    def _place(self, artifact: Artifact, url: str, named_by: str, label: str) -> None:
        path, built = os.path.join(self.root, artifact.path), self.built
        if self._has(artifact):
            built.kept.append(artifact.path)
            built.size += os.path.getsize(path)
            return
        built.fetched.append(artifact.path)
        if self.check_mode:
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shown = 0

        def progress(so_far: int, total: int | None) -> None:
            nonlocal shown
            percent = 100 * so_far // total if total else 0
            if percent >= shown + STEP:
                shown = percent - percent % STEP
                self.say(f"{label}: {so_far / 1e6:.1f} MB, {percent} %")

        download(url, path, artifact.sha256, named_by, progress)
        os.chmod(path, 0o644)
        built.size += os.path.getsize(path)
