# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Plan an apply: which toolchains stay, which are installed, and which are removed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .request import Request, Toolchain
from .state import Inspection


@dataclass(frozen=True)
class Plan:
    """``keep`` is linked into the new generation, ``install`` is downloaded, ``remove`` is left out.

    ``generation``: whether a new generation is needed. ``repairs``: what is damaged or left over.
    """

    generation: bool
    keep: tuple[Toolchain, ...]
    install: tuple[Toolchain, ...]
    remove: tuple[Toolchain, ...]
    repairs: tuple[str, ...]

    @property
    def changes(self) -> bool:
        return self.generation or bool(self.repairs)


def plan(request: Request, found: Inspection, triple: str) -> Plan:
    """Compare the request with the observed tree."""
    there = installed(found.toolchains)
    intact = {toolchain for toolchain in there if found.intact(toolchain_path(toolchain.channel, triple))}
    wanted = {toolchain.channel for toolchain in request.toolchains}
    spare = [toolchain for toolchain in there if toolchain.channel not in wanted]
    keep = [toolchain for toolchain in request.toolchains if toolchain in intact]
    if not request.purge:
        keep += [toolchain for toolchain in spare if toolchain in intact]
    asked = found.receipt["request"] if found.receipt else None
    return Plan(
        generation=asked != request.to_dict() or bool(found.damaged or found.broken),
        keep=tuple(keep),
        install=tuple(toolchain for toolchain in request.toolchains if toolchain not in intact),
        remove=tuple(toolchain for toolchain in spare if toolchain not in keep),
        repairs=tuple(found.problems),
    )


def installed(entries: Iterable[Mapping[str, Any]]) -> list[Toolchain]:
    """The installed toolchains, from ``toolchains`` of a receipt. Raises RequestError."""
    names = ("channel", "profile", "components", "targets")
    return [
        Toolchain.from_options({name: entry[name] for name in names}, sums={entry["channel"]: entry.get("sha256", "")})
        for entry in entries
    ]


def toolchain_path(channel: str, triple: str) -> str:
    """The path of a toolchain below a generation."""
    return f"rustup/toolchains/{channel}-{triple}"


def before(found: Inspection) -> str:
    """The observed state, for a diff."""
    lines = [f"rustup {found.receipt['request']['rustup_version']}"] if found.receipt else []
    lines += [toolchain.describe() for toolchain in installed(found.toolchains)]
    return "".join(f"{line}\n" for line in [*lines, *(f"problem: {line}" for line in found.problems)])


def after(request: Request, steps: Plan) -> str:
    """The planned state, for a diff."""
    wanted = list(request.toolchains) + [spare for spare in steps.keep if spare not in request.toolchains]
    lines = [f"rustup {request.rustup_version}", *(toolchain.describe() for toolchain in wanted)]
    return "".join(f"{line}\n" for line in lines)
