#!/usr/bin/env python3
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Build the best rustup mirror that is possible: from upstream, from an installed toolchain, or as a FIXTURE.

Prints one JSON object: ``kind`` (upstream, toolchain, fixture), ``label`` (one line for people), ``path`` (the folder
to serve), ``channel``, ``channel_checksums``, ``components``, ``rustup_version``, ``rustup_checksums``, ``upstream``
(why upstream was not used, or null).
Progress goes to stderr. The folder is cached in ${XDG_CACHE_HOME:-~/.cache}/nova-agent-host.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import fixture_mirror
from ansible_collections.nova.agent_host.plugins.module_utils.mirror.build import Mirror
from ansible_collections.nova.agent_host.plugins.module_utils.mirror.channel import ChannelError
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain import fetch as rustup_fetch
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import UPSTREAM, Request, manifest_path
from repackage import channel_checksums, describe_installed, mirror_installed, place_rustup, true_version
from rustup_wheel import CHECKSUMS, VERSION, cache, rustup_init

COMPONENTS = ["clippy", "rustfmt"]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def request(channel: str) -> Request:
    return Request.from_options(
        {"channel": channel, "components": COMPONENTS, "rustup_version": VERSION, "rustup_checksums": CHECKSUMS}
    )


def from_upstream(root: Path, channel: str, server: str) -> None:
    Mirror(str(root), [platform.machine()], say).build(request(channel), server, f"{server}/rustup")


def sysroots() -> list[Path]:
    """Toolchains of this user's rustup, releases before nightlies."""
    home = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    return sorted((home / "toolchains").glob("*/"), key=lambda path: (path.name.startswith("nightly"), path.name))


def from_toolchain(base: Path) -> tuple[Path, str, str] | None:
    """Folder, channel and version of the mirror; None if no installed toolchain can be mirrored."""
    for sysroot in sysroots():
        try:
            toolchain, architecture = describe_installed(str(sysroot), COMPONENTS)
            root = base / f"mirror-{toolchain.channel}-installed"
            mirror_installed(str(root), str(sysroot), toolchain, say)
            place_rustup(root, request(toolchain.channel), architecture, rustup_init(architecture))
            return root, toolchain.channel, true_version(str(sysroot))[0]
        except (ChannelError, OSError) as error:
            say(f"{sysroot} can't be mirrored: {error}")
    return None


def best(channel: str, base: Path, only: str | None = None, server: str = UPSTREAM) -> dict[str, Any]:
    """The result that the command prints."""
    upstream = "not tried" if only else unreachable(channel, server)
    if only in (None, "upstream") and not (upstream and only is None):
        root = base / f"mirror-{channel}-upstream"
        from_upstream(root, channel, server)
        return described("upstream", f"Rust {channel} from {server}", root, channel, None)
    found = from_toolchain(base) if only in (None, "toolchain") else None
    if found:
        root, true, version = found
        return described("toolchain", f"Rust {version}, this machine's own, instead of {channel}", root, true, upstream)
    root = base / f"mirror-{channel}-fixture"
    shutil.rmtree(root, ignore_errors=True)
    fixture_mirror.build(root, rustup_init(), [channel])
    return described("fixture", f"a FIXTURE of Rust {channel}, which compiles nothing", root, channel, upstream)


def unreachable(channel: str, server: str) -> str | None:
    """Why ``server`` can't serve ``channel``; None if it can."""
    rustup_fetch.TIMEOUT = 10.0
    try:
        rustup_fetch.fetch(f"{server}/{manifest_path(channel)}.sha256")
    except rustup_fetch.FetchError as error:
        return str(error)
    return None


def described(kind: str, label: str, root: Path, channel: str, upstream: str | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "label": label,
        "path": str(root),
        "channel": channel,
        "channel_checksums": channel_checksums(root),
        "components": COMPONENTS,
        "rustup_version": VERSION,
        "rustup_checksums": CHECKSUMS,
        "upstream": upstream,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--channel",
        default="1.92.0",
        help="the channel, if the mirror is not made from an installed toolchain (%(default)s)",
    )
    parser.add_argument("--cache", type=Path, default=cache(), help="the folder of the mirrors (%(default)s)")
    parser.add_argument("--only", choices=["upstream", "toolchain", "fixture"], help="build only this kind")
    options = parser.parse_args()
    print(json.dumps(best(options.channel, options.cache, options.only)))


if __name__ == "__main__":
    main()
