# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Compare a toolchain tree with the request, and plan an apply. Pure: the controller compares the observed tree, and
the module the tree that it reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ..observed.shapes import ToolchainTree
from .request import Request, RequestError, Toolchain, installed

if TYPE_CHECKING:
    from .state import Inspection  # the controller needs no code that reads a tree


@dataclass(frozen=True)
class Difference:
    """``name``: ``missing``, ``damaged``, ``other`` (installed with other options), ``unwanted`` or ``unrecorded``."""

    name: str
    why: str


@dataclass(frozen=True)
class Plan:
    """``keep`` is linked into the new generation, ``install`` is downloaded, ``remove`` is left out.

    ``generation``: whether a new generation is needed.
    """

    generation: bool
    keep: tuple[Toolchain, ...]
    install: tuple[Toolchain, ...]
    remove: tuple[Toolchain, ...]


def differences(request: Request, tree: str, observed: ToolchainTree | None, trees: Sequence[str]) -> list[Difference]:
    """Compare ``request`` with the tree at ``tree``. Empty if the module rustup_toolchain would change nothing.

    ``trees`` are the trees of the role in the manifest.
    """
    observed = observed or ToolchainTree(False, "", [], [], [])
    try:
        there = {toolchain.channel: toolchain for toolchain in installed(map(asdict, observed.toolchains))}
    except RequestError as error:
        return [Difference("damaged", f"its receipt has an impossible toolchain: {error}")]
    wanted = {toolchain.channel: toolchain for toolchain in request.toolchains}
    found = [Difference("damaged", problem) for problem in observed.problems]
    for channel, toolchain in wanted.items():
        if channel not in there:
            found.append(Difference("missing", f"{toolchain.describe()} is not installed"))
        elif there[channel] != toolchain:
            same = there[channel].describe() == toolchain.describe()
            how = "from another manifest" if same else f"as {there[channel].describe()}"
            found.append(Difference("other", f"{toolchain.describe()} was installed {how}"))
    for channel, toolchain in there.items() if request.purge else ():
        if channel not in wanted:
            found.append(Difference("unwanted", f"{toolchain.describe()} is no longer wanted"))
    if not observed.present and not found:
        found.append(Difference("missing", f"{tree} is missing"))
    if observed.present and not found and observed.request != json.dumps(request.to_dict(), sort_keys=True):
        found.append(Difference("other", "was installed with other options"))
    found += [Difference("unwanted", f"the tree {other} is no longer wanted") for other in trees if other != tree]
    if observed.present and tree not in trees:
        found.append(Difference("unrecorded", f"{tree} is not in the manifest"))
    return found


def plan(request: Request, found: Inspection, triple: str) -> Plan:
    """What an apply installs, keeps and removes."""
    current = replace(found, leftovers=[]).observed()  # leftovers need no new generation
    intact = {toolchain for toolchain in found.toolchains if found.intact(toolchain_path(toolchain.channel, triple))}
    wanted = {toolchain.channel for toolchain in request.toolchains}
    spare = [toolchain for toolchain in found.toolchains if toolchain.channel not in wanted]
    keep = [toolchain for toolchain in request.toolchains if toolchain in intact]
    if not request.purge:
        keep += [toolchain for toolchain in spare if toolchain in intact]
    return Plan(
        generation=bool(differences(request, found.tree, current, [found.tree])),
        keep=tuple(keep),
        install=tuple(toolchain for toolchain in request.toolchains if toolchain not in intact),
        remove=tuple(toolchain for toolchain in spare if toolchain not in keep),
    )


def toolchain_path(channel: str, triple: str) -> str:
    """The path of a toolchain below a generation."""
    return f"rustup/toolchains/{channel}-{triple}"
