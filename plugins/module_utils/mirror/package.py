# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Packing components as rustup unpacks them, and a toolchain that is installed here back into such packages."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Callable, Union

from ansible_collections.nova.agent_host.plugins.module_utils.mirror.channel import (
    Artifact,
    ChannelError,
    Package,
    manifest_path,
    render,
)
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import sha256_file

Content = Union[bytes, str]  # the bytes themselves, or the path of a file that has them
MINIMAL = ("rustc", "cargo", "rust-std")


@dataclass(frozen=True)
class Component:
    """``name`` and ``target`` as in a manifest; ``files`` maps paths below a sysroot to what they hold."""

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
    """Pack ``components`` into the mirror at ``root`` and offer them as ``channel``; returns the paths written."""
    packages = []
    for number, component in enumerate(components, 1):
        say(f"{number}/{len(components)} packing {component.name} of {channel} for {component.target}")
        packages.append(_pack(root, component, version.split()[0], date))
    text = render(version, date, triple, packages, [name for name in MINIMAL if name in {c.name for c in components}])
    written = [package.artifact.path for package in packages]
    for name in dict.fromkeys((channel, f"{channel}-{date}")) if channel == "nightly" else (channel,):
        written += write_manifest(root, manifest_path(name), text.encode())
    return written


def write_manifest(root: str, path: str, content: bytes) -> list[str]:
    """Place a manifest and its sum. It comes last: what a mirror offers, it has."""
    target = os.path.join(root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(f"{target}.part", "wb") as file:
        file.write(content)
    with open(f"{target}.sha256", "w", encoding="utf-8") as file:
        file.write(f"{sha256_file(f'{target}.part')}  {os.path.basename(path)}\n")
    os.replace(f"{target}.part", target)
    return [f"{path}.sha256", path]


def installed_components(sysroot: str, triple: str, wanted: tuple[str, ...]) -> list[Component]:
    """The parts of an installed toolchain that its own lists name. Raises ChannelError, OSError."""
    folder = os.path.join(sysroot, "lib/rustlib")
    with open(os.path.join(folder, "components"), encoding="utf-8") as file:
        listed = file.read().split()
    names = [name for name in listed if _plain(name, triple).replace("-preview", "") in (*MINIMAL, *wanted)]
    missing = sorted({*MINIMAL, *wanted} - {_plain(name, triple).replace("-preview", "") for name in names})
    if missing:
        raise ChannelError(f"{sysroot} has no {', '.join(missing)}: install it there first, or mirror without it")
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
    # named for the release, not "nightly": two nights of one channel don't meet, for they lie in folders by date
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
    """rust-installer's layout, version 3; rustup warns where a folder has no entry of its own."""
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
    """What the toolchain at ``sysroot`` really is: version, channel, date and host triple. Raises ChannelError."""
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
        raise ChannelError(f"{rustc} -vV says {done.stdout.splitlines()[0]!r}, which names no version")
    release = facts["release"]
    channel = "nightly" if release.endswith("-nightly") else release
    return words[1], channel, _channel_date(sysroot) or words[2], facts["host"]


def _channel_date(sysroot: str) -> str | None:
    """The day of the channel from which rustup installed it; a nightly's is a day after its last commit."""
    try:
        with open(os.path.join(sysroot, "lib/rustlib/multirust-channel-manifest.toml"), encoding="utf-8") as file:
            found = re.search(r'^date = "(\d{4}-\d{2}-\d{2})"$', file.read(1000), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None
