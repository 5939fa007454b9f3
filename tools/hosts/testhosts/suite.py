# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Which distribution the hosts run, and where its packages come from."""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from .shell import run

DEFAULT = "bookworm"
_DEBIAN = ("bullseye", "bookworm", "trixie", "forky", "sid")
_UNRELEASED = ("forky", "sid")


class Ubuntu(NamedTuple):
    """A release, as its os-release has it."""

    version: str
    codename: str
    name: str


_JAMMY = Ubuntu("22.04", "jammy", "Jammy Jellyfish")
_NOBLE = Ubuntu("24.04", "noble", "Noble Numbat")
_RESOLUTE = Ubuntu("26.04", "resolute", "Resolute Raccoon")


def chosen() -> str:
    """Return the suite that the variable SUITE names."""
    return os.environ.get("SUITE") or DEFAULT


def is_stand_in(suite: str) -> bool:
    """Say whether the suite stands in for Ubuntu: Debian's packages under Ubuntu's os-release."""
    return suite in _DEBIAN


def has_rust_tools(suite: str) -> bool:
    """Say whether hosts have sudo-rs and uutils, as Ubuntu has from 25.10 on."""
    return suite in _UNRELEASED


def stands_for(suite: str) -> Ubuntu:
    """Return the release of Ubuntu whose os-release a stand-in has."""
    if suite == "bullseye":
        return _JAMMY
    return _RESOLUTE if suite in _UNRELEASED else _NOBLE


def title(suite: str) -> str:
    """Return how messages call hosts of the suite."""
    if is_stand_in(suite):
        return f"stand-in: Debian {suite} under Ubuntu {stands_for(suite).version}'s os-release"
    return f"Ubuntu {suite}"


def sources(suite: str) -> list[str]:
    """Return sources.list lines: of MIRROR, else of this machine's own mirrors; none: mmdebstrap knows a default."""
    components = "main" if is_stand_in(suite) else "main universe"
    mirror = os.environ.get("MIRROR")
    if mirror:
        return [f"deb {mirror} {suite} {components}"]
    own = _own_codename()
    # A mirror may hold a snapshot of what is not released, whose signature has a date of expiry.
    options = "[check-valid-until=no] " if suite in _UNRELEASED else ""
    wanted = ["--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)", "Created-By: Packages"]
    targets = run(["apt-get", "indextargets", *wanted], check=False)
    lines = []
    for target in sorted(set(targets.splitlines())):
        origin, uri, release = target.split("|")
        # Other vendors' repositories have releases of the same names.
        if origin == ("Debian" if is_stand_in(suite) else "Ubuntu") and release.partition("-")[0] == own:
            lines.append(f"deb {options}{uri} {release.replace(own, suite)} {components}")
    return lines


def _own_codename() -> str:
    with open("/etc/os-release") as release:
        match = re.search(r"^VERSION_CODENAME=\"?(\w+)", release.read(), re.MULTILINE)
    return match.group(1) if match else ""


def servers(lines: list[str]) -> list[str]:
    """Return the names of the servers in sources.list lines."""
    found = {urlsplit(word).hostname for line in lines if line.startswith("deb ") for word in line.split()}
    return sorted(name for name in found if name)


def upstream_proxy() -> str:
    """Return the http proxy that this machine's apt uses ("http://host:port"), or an empty string."""
    own = re.search(r"=?'(.*)'", run(["apt-config", "shell", "PROXY", "Acquire::http::Proxy"], check=False))
    proxy = own.group(1) if own else os.environ.get("http_proxy", "")
    return "" if proxy == "DIRECT" else proxy
