# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The desired toolchains of a host: names, versions, checksums, sources. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

UPSTREAM = "https://static.rust-lang.org"
PROFILES = ("minimal", "default", "complete")
TRIPLES = {"x86_64": "x86_64-unknown-linux-gnu", "aarch64": "aarch64-unknown-linux-gnu"}
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}

CHANNEL = re.compile(
    r"(stable|beta|nightly|[0-9]+\.[0-9]+(\.[0-9]+)?(-beta(\.[0-9]+)?)?)(-[0-9]{4}-[0-9]{2}-[0-9]{2})?"
)
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
SHA256 = re.compile(r"[0-9a-f]{64}")


class RequestError(ValueError):
    """A wrong value. The message has the option, its value and what is allowed."""


@dataclass(frozen=True)
class Toolchain:
    """One toolchain: a channel (``1.92.0``, ``nightly-2026-05-19``) with its profile, components and targets.

    ``sha256`` is that of the channel's manifest, which has the checksums of all other files; empty if not set.
    """

    channel: str
    profile: str = "minimal"
    components: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    sha256: str = ""

    @classmethod
    def from_options(
        cls, options: Mapping[str, Any], where: str = "", sums: Mapping[str, str] | None = None
    ) -> Toolchain:
        """``options`` has ``channel``, and optionally ``profile``, ``components``, ``targets``. ``sums`` has the sha256
        of manifests by channel. Raises RequestError."""
        if not isinstance(options, Mapping):
            raise RequestError(
                f"{where.rstrip('.')} is {options!r}; allowed is a dictionary such as {{channel: 1.93.0}}"
            )
        unknown = set(options) - {"channel", "profile", "components", "targets"}
        if unknown:
            raise RequestError(
                f"{where or 'the toolchain'} has {', '.join(sorted(map(str, unknown)))}; "
                "allowed are channel, profile, components, targets"
            )
        channel = _text(options.get("channel"), CHANNEL, f"{where}channel", "1.92.0, stable or nightly-2026-05-19")
        profile = options.get("profile") or "minimal"
        if profile not in PROFILES:
            raise RequestError(f"{where}profile is {profile!r}; allowed are {', '.join(PROFILES)}")
        return cls(
            channel,
            profile,
            _names(options.get("components"), f"{where}components", "clippy"),
            _names(options.get("targets"), f"{where}targets", "wasm32-unknown-unknown"),
            (sums or {}).get(channel, ""),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "channel": self.channel,
            "profile": self.profile,
            "components": list(self.components),
            "targets": list(self.targets),
        }

    def describe(self) -> str:
        parts = [f"profile {self.profile}", *self.components, *(f"target {name}" for name in self.targets)]
        return f"toolchain {self.channel} ({', '.join(parts)})"


def installed(entries: Iterable[Mapping[str, Any]]) -> list[Toolchain]:
    """The toolchains of a receipt, or of an observed tree. Raises RequestError and KeyError."""
    names = ("channel", "profile", "components", "targets")
    return [
        Toolchain.from_options({name: entry[name] for name in names}, sums={entry["channel"]: entry.get("sha256", "")})
        for entry in entries
    ]


@dataclass(frozen=True)
class Request:
    """All toolchains of a host (the first is the default), the version of rustup, and whether others are removed."""

    toolchains: tuple[Toolchain, ...]
    rustup_version: str
    rustup_checksums: Mapping[str, str]  #: By architecture.
    purge: bool = False

    @classmethod
    def from_options(cls, options: Mapping[str, Any], where: str = "") -> Request:
        """``options`` are those of the module ``rustup_toolchain``. Messages have ``where`` before the name. Raises
        RequestError."""
        sums = _channel_checksums(options.get("channel_checksums") or {}, f"{where}channel_checksums")
        first = Toolchain.from_options(
            {name: options.get(name) for name in ("channel", "profile", "components", "targets")}, where, sums
        )
        extra = options.get("extra") or []
        toolchains = [
            first, *(Toolchain.from_options(item, f"{where}extra[{n}].", sums) for n, item in enumerate(extra))
        ]  # fmt: skip
        channels = [toolchain.channel for toolchain in toolchains]
        twice = sorted({channel for channel in channels if channels.count(channel) > 1})
        if twice:
            raise RequestError(f"{where}extra names {', '.join(twice)} twice: list each channel once")
        return cls(
            tuple(toolchains),
            _text(options.get("rustup_version"), VERSION, f"{where}rustup_version", "1.29.0"),
            _checksums(options.get("rustup_checksums"), f"{where}rustup_checksums"),
            bool(options.get("purge")),
        )

    def to_dict(self) -> dict[str, Any]:
        """The form that is stored in the receipt."""
        first, *extra = self.toolchains
        return {
            **first.to_dict(),
            "extra": [toolchain.to_dict() for toolchain in extra],
            "rustup_version": self.rustup_version,
            "rustup_checksums": dict(self.rustup_checksums),
            "channel_checksums": {
                toolchain.channel: toolchain.sha256 for toolchain in self.toolchains if toolchain.sha256
            },
            "purge": self.purge,
        }

    def checksum(self, architecture: str) -> str:
        """The sha256 of rustup-init for ``architecture``. Raises RequestError."""
        try:
            return self.rustup_checksums[architecture]
        except KeyError:
            raise RequestError(
                f"rustup_checksums has no sha256 of rustup-init {self.rustup_version} for {architecture}, only for "
                f"{', '.join(sorted(self.rustup_checksums))}: add it"
            ) from None


def check_source(request: Request, dist_server: str, where: str = "") -> None:
    """Raise RequestError if the network can change what root installs: plain http without checksums."""
    unpinned = [toolchain.channel for toolchain in request.toolchains if not toolchain.sha256]
    if dist_server.startswith("http://") and unpinned:
        raise RequestError(
            f"{where}dist_server is {dist_server}, plain http, and {where}channel_checksums has no sha256 for "
            f"{', '.join(unpinned)}: add the checksum that nova.agent_host.mirror prints, or use https://"
        )


def short_names(channel: str) -> tuple[str, ...]:
    """`1.92` and `stable` select the pinned 1.92.0, for repositories and CI scripts that name no patch version."""
    short = re.fullmatch(r"(\d+\.\d+)\.\d+", channel)
    return (short[1], "stable") if short else ()


def manifest_path(channel: str) -> str:
    """The path of a channel's manifest below a distribution server."""
    dated = re.fullmatch(r"(.+)-(\d{4}-\d{2}-\d{2})", channel)
    return f"dist/{dated[2]}/channel-rust-{dated[1]}.toml" if dated else f"dist/channel-rust-{channel}.toml"


def architecture(machine: str) -> str:
    """``x86_64`` or ``aarch64`` for the kernel's name of the machine. Raises RequestError."""
    try:
        return MACHINES[machine]
    except KeyError:
        raise RequestError(
            f"the architecture of this host is {machine}; supported are {' and '.join(sorted(TRIPLES))}"
        ) from None


def source_url(value: Any, name: str) -> str:
    """``value`` with single slashes and none at the end. Raises RequestError, which never prints a password."""
    text = value if isinstance(value, str) else ""
    allowed = f"allowed is http://, https:// or file://, such as {UPSTREAM}"
    try:
        parts = urlsplit(text)
        secret = bool(parts.username or parts.password) or "@" in parts.netloc
    except ValueError:
        raise RequestError(f"{name} can't be read as a URL; {allowed}") from None
    if secret:
        raise RequestError(
            f"{name} has a user name or password, which logs and process lists would show: use a server without "
            "authentication, or a file:// mirror"
        )
    if parts.scheme not in ("http", "https", "file") or re.search(r"[\s?#]", text) or not (parts.netloc or parts.path):
        raise RequestError(f"{name} is {value!r}; {allowed}")
    scheme, rest = text.split("://", 1)
    return f"{scheme}://{re.sub('/+', '/', rest).rstrip('/')}"


def _text(value: Any, pattern: re.Pattern[str], name: str, example: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise RequestError(f"{name} is {value!r}; allowed is a name such as {example} (quoted in YAML)")
    return value


def _names(value: Any, name: str, example: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise RequestError(f"{name} is {value!r}; allowed is a list of names such as [{example}]")
    return tuple(sorted({_text(item, NAME, name, example) for item in value}))


def _channel_checksums(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise RequestError(f"{name} is {value!r}; allowed is a dictionary of channel to the sha256 of its manifest")
    for channel, checksum in value.items():
        _text(channel, CHANNEL, f"a key of {name}", "1.92.0 or nightly-2026-05-19")
        _text(checksum, SHA256, f"{name}.{channel}", "b2a49624… with 64 hexadecimal digits")
    return dict(value)


def _checksums(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not value:
        raise RequestError(
            f"{name} is {value!r}; allowed is a dictionary of architecture ({', '.join(sorted(TRIPLES))}) "
            "to the sha256 of rustup-init"
        )
    for machine, checksum in value.items():
        if machine not in TRIPLES:
            raise RequestError(f"{name} names {machine!r}; allowed are {', '.join(sorted(TRIPLES))}")
        _text(checksum, SHA256, f"{name}.{machine}", "4acc9acc… with 64 hexadecimal digits")
    return dict(value)
