# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Compare a host's toolchain tree with the desired one. Pure: the controller calls it with the observed tree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..observed.shapes import ToolchainTree
from .plan import installed
from .request import Request, RequestError


@dataclass(frozen=True)
class Difference:
    """``name``: ``missing``, ``damaged``, ``other`` (installed with other options), ``unwanted`` or ``unrecorded``."""

    name: str
    why: str


def differences(request: Request, tree: str, observed: ToolchainTree | None, trees: Sequence[str]) -> list[Difference]:
    """Compare ``request`` with the tree at ``tree``. Empty if the module rustup_toolchain would change nothing.

    ``trees`` are the trees of the role in the manifest.
    """
    observed = observed or ToolchainTree(False, "", [], [], [])
    try:
        toolchains = installed(map(asdict, observed.toolchains))
    except RequestError as error:
        return [Difference("damaged", f"its receipt has an impossible toolchain: {error}")]
    there = {toolchain.channel: toolchain for toolchain in toolchains}
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
