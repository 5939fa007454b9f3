# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Build mirrors without upstream: pack components in rustup's format, or an installed toolchain."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Union

from ansible_collections.nova.agent_host.plugins.module_utils.mirror import channel as mirror_channel
from ansible_collections.nova.agent_host.plugins.module_utils.mirror.channel import Artifact, ChannelError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import sha256_file, write_manifest
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import (
    TRIPLES,
    UPSTREAM,
    Request,
    Toolchain,
    manifest_path,
)

Content = Union[bytes, str]  # the bytes, or the path of a file with them
MINIMAL = ("rustc", "cargo", "rust-std")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Package:
    """A component for one target (``*``: all), as in a manifest. ``form`` is its compression."""

    name: str
    target: str
    artifact: Artifact
    form: str


@dataclass(frozen=True)
class Component:
    """``name`` and ``target`` as in a manifest; ``files`` has the content by path below a sysroot."""

    name: str
    target: str
    files: Mapping[str, Content]

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.target}" if self.name == "rust-std" else self.name


def write_channel(
    root: str,
    version: str,
    channel: str,
    date: str,
    triple: str,
    components: list[Component],
    say: Callable[[str], None],
) -> list[str]:
    """Pack ``components`` as ``channel`` into the mirror at ``root``, and return the written paths."""
    packages = []
    for number, component in enumerate(components, 1):
        say(f"{number}/{len(components)} packing {component.name} of {channel} for {component.target}")
        packages.append(_pack(root, component, version.split()[0], date))
    text = render(version, date, triple, packages, [name for name in MINIMAL if name in {c.name for c in components}])
    written = [package.artifact.path for package in packages]
    for name in dict.fromkeys((channel, f"{channel}-{date}")) if channel == "nightly" else (channel,):
        written += write_manifest(root, manifest_path(name), text.encode())
    return written


def installed_components(sysroot: str, triple: str, wanted: tuple[str, ...]) -> list[Component]:
    """The components in the lists of an installed toolchain. Raises ChannelError and OSError."""
    folder = os.path.join(sysroot, "lib/rustlib")
    with open(os.path.join(folder, "components"), encoding="utf-8") as file:
        listed = file.read().split()
    names = [name for name in listed if _plain(name, triple).replace("-preview", "") in (*MINIMAL, *wanted)]
    missing = sorted({*MINIMAL, *wanted} - {_plain(name, triple).replace("-preview", "") for name in names})
    if missing:
        raise ChannelError(f"{sysroot} has no {', '.join(missing)}: install it first, or mirror without it")
    return [
        Component(_plain(name, triple), triple, dict(_listed_files(sysroot, os.path.join(folder, f"manifest-{name}"))))
        for name in sorted(names)
    ]


def _plain(name: str, triple: str) -> str:
    return name[: -len(triple) - 1] if name.endswith(f"-{triple}") else name


def _listed_files(sysroot: str, listing: str) -> Iterator[tuple[str, str]]:
    with open(listing, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        kind, _colon, path = line.partition(":")
        if kind == "file":
            yield path, os.path.join(sysroot, path)
        elif kind == "dir":
            for above, _folders, files in os.walk(os.path.join(sysroot, path)):
                for name in files:
                    full = os.path.join(above, name)
                    yield os.path.relpath(full, sysroot), full


def _pack(root: str, component: Component, release: str, date: str) -> Package:
    # with the release, not "nightly": each date has its own folder, so the names of two nightlies can't conflict
    stem = f"{component.name.replace('-preview', '')}-{release}-{component.target}"
    form = "zst" if shutil.which("zstd") else "gz"
    path = f"dist/{date}/{stem}.tar.{form}"
    target = os.path.join(root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if form == "zst":
        with tarfile.open(f"{target}.tar", "w", format=tarfile.GNU_FORMAT) as archive:
            _fill(archive, stem, component)
        pack = ["zstd", "-q", "-f", "-1", "-T0", "--rm", "-o", f"{target}.part", f"{target}.tar"]
        done = subprocess.run(pack, check=False)  # pylint: disable=ansible-bad-function # on the controller, no module
        if done.returncode:
            raise ChannelError(f"zstd ended with status {done.returncode} while it packed {target}")
    else:
        with tarfile.open(f"{target}.part", "w:gz", format=tarfile.GNU_FORMAT, compresslevel=1) as archive:
            _fill(archive, stem, component)
    os.replace(f"{target}.part", target)
    return Package(component.name, component.target, Artifact(path, sha256_file(target)), form)


def _fill(archive: tarfile.TarFile, stem: str, component: Component) -> None:
    """The layout of rust-installer, version 3. Each folder has an entry, or rustup warns."""
    below = f"{stem}/{component.folder}"
    files = sorted(component.files)
    folders = {stem, below}
    for path in files:
        while "/" in path:
            path = path.rpartition("/")[0]
            folders.add(f"{below}/{path}")
    for folder in sorted(folders):
        entry = tarfile.TarInfo(folder)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(entry)
    _add(archive, f"{stem}/components", f"{component.folder}\n".encode())
    _add(archive, f"{stem}/rust-installer-version", b"3\n")
    _add(archive, f"{below}/manifest.in", "".join(f"file:{path}\n" for path in files).encode())
    for path in files:
        _add(archive, f"{below}/{path}", component.files[path], executable=path.startswith(("bin/", "libexec/")))


def _add(archive: tarfile.TarFile, name: str, content: Content, executable: bool = False) -> None:
    entry = tarfile.TarInfo(name)
    if isinstance(content, bytes):
        entry.size, entry.mode = len(content), 0o755 if executable else 0o644
        archive.addfile(entry, io.BytesIO(content))
        return
    with open(content, "rb") as file:
        found = os.fstat(file.fileno())
        entry.size, entry.mode = found.st_size, 0o755 if found.st_mode & 0o111 else 0o644
        archive.addfile(entry, file)


def true_version(sysroot: str) -> tuple[str, str, str, str]:
    """Version, channel, date and host triple of the toolchain at ``sysroot``. Raises ChannelError."""
    rustc = os.path.join(sysroot, "bin/rustc")
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function # on the controller, no module
            [rustc, "-vV"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise ChannelError(f"{rustc} -vV can't be run ({error}): {sysroot} is not a toolchain") from error
    facts = dict(line.split(": ", 1) for line in done.stdout.splitlines()[1:] if ": " in line)
    words = re.fullmatch(r"rustc (\S+ \(.*?(\d{4}-\d{2}-\d{2})\))", done.stdout.splitlines()[0])
    if not words or "release" not in facts or "host" not in facts:
        raise ChannelError(f"{rustc} -vV prints {done.stdout.splitlines()[0]!r}, which has no version")
    release = facts["release"]
    channel = "nightly" if release.endswith("-nightly") else release
    return words[1], channel, _channel_date(sysroot) or words[2], facts["host"]


def _channel_date(sysroot: str) -> str | None:
    """The date of the toolchain's channel. For a nightly, it is one day after the last commit."""
    try:
        with open(os.path.join(sysroot, "lib/rustlib/multirust-channel-manifest.toml"), encoding="utf-8") as file:
            found = re.search(r'^date = "(\d{4}-\d{2}-\d{2})"$', file.read(1000), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def render(version: str, date: str, triple: str, packages: Sequence[Package], minimal: Sequence[str]) -> str:
    """The manifest of such a mirror. ``version`` is rustc's, such as ``1.95.0 (59807616e 2026-04-14)``."""
    lines = ['manifest-version = "2"', f"date = {json.dumps(date)}"]
    for name in dict.fromkeys(package.name for package in packages):
        lines += [f"[pkg.{name}]", f"version = {json.dumps(version)}"]
        for package in packages:
            if package.name == name:
                form = {"zst": "zst_", "xz": "xz_", "gz": ""}[package.form]
                lines += [
                    f"[pkg.{name}.target.{json.dumps(package.target)}]",
                    "available = true",
                    f"{form}url = {json.dumps(f'{UPSTREAM}/{package.artifact.path}')}",
                    f"{form}hash = {json.dumps(package.artifact.sha256)}",
                ]
    lines += ["[pkg.rust]", f"version = {json.dumps(version)}", f"[pkg.rust.target.{triple}]", "available = true"]
    for package in packages:
        kind = "components" if package.name in minimal and package.target == triple else "extensions"
        lines += [
            f"[[pkg.rust.target.{triple}.{kind}]]",
            f"pkg = {json.dumps(package.name)}",
            f"target = {json.dumps(package.target)}",
        ]
    for name in dict.fromkeys(package.name for package in packages if package.name.endswith("-preview")):
        lines += [f"[renames.{name[: -len('-preview')]}]", f"to = {json.dumps(name)}"]
    lines += [
        "[profiles]",
        *(f"{profile} = {json.dumps(list(minimal))}" for profile in ("minimal", "default", "complete")),
    ]
    return "\n".join(lines) + "\n"


def describe_installed(sysroot: str, components: Sequence[str]) -> tuple[Toolchain, str]:
    """The toolchain at ``sysroot`` as it would be in a mirror, and its architecture.

    Raises ChannelError.
    """
    _version, channel, _date, triple = true_version(sysroot)
    architecture = next((name for name, own in TRIPLES.items() if own == triple), None)
    if architecture is None:
        raise ChannelError(f"{sysroot} is for {triple}; only {', '.join(sorted(TRIPLES.values()))} can be mirrored")
    return Toolchain(channel, "minimal", tuple(components)), architecture


def mirror_installed(root: str, sysroot: str, toolchain: Toolchain, say: Say, check_mode: bool = False) -> list[str]:
    """Pack the toolchain at ``sysroot`` into ``root``, with its real version.

    Returns the written paths: none if the mirror already has this version with these components. Raises ChannelError and
    OSError.
    """
    version, channel, date, triple = true_version(sysroot)
    parts = installed_components(sysroot, triple, toolchain.components)
    path = manifest_path(channel)
    if _offers(os.path.join(root, path), version, toolchain, triple):
        return []
    if check_mode:
        return [path]
    return write_channel(root, version, channel, date, triple, parts, say)


def _offers(manifest: str, version: str, toolchain: Toolchain, triple: str) -> bool:
    try:
        with open(manifest, encoding="utf-8") as file:
            found = mirror_channel.parse(file.read(), manifest)
        mirror_channel.artifacts(found, toolchain, triple)
    except (FileNotFoundError, ChannelError):
        return False
    return bool(found["pkg"]["rust"]["version"] == version)


def place_rustup(root: Path, request: Request, architecture: str, installer: Path) -> None:
    """Copy a local rustup-init into the mirror at ``root``."""
    target = root / "rustup/archive" / request.rustup_version / TRIPLES[architecture] / "rustup-init"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(installer, target)
    target.chmod(0o755)
    target.with_name("rustup-init.sha256").write_text(f"{request.checksum(architecture)} *./rustup-init\n")


def channel_checksums(root: Path) -> dict[str, str]:
    """The sha256 of the manifests in the mirror at ``root``, by channel."""
    paths = root.glob("dist/channel-rust-*.toml")
    return {path.stem[len("channel-rust-") :]: sha256_file(str(path)) for path in sorted(paths)}
