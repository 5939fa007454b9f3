# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The distribution of the hosts, and the source of its packages."""

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
    """A release, with the values of its os-release."""

    version: str
    codename: str
    name: str


_JAMMY = Ubuntu("22.04", "jammy", "Jammy Jellyfish")
_NOBLE = Ubuntu("24.04", "noble", "Noble Numbat")
_RESOLUTE = Ubuntu("26.04", "resolute", "Resolute Raccoon")


def chosen() -> str:
    """Return the suite of the variable SUITE."""
    return os.environ.get("SUITE") or DEFAULT


def is_stand_in(suite: str) -> bool:
    """Whether the suite is a stand-in for Ubuntu: Debian's packages with Ubuntu's os-release."""
    return suite in _DEBIAN


def has_rust_tools(suite: str) -> bool:
    """Whether hosts have sudo-rs and uutils, as Ubuntu 25.10 and newer."""
    return suite in _UNRELEASED


def stands_for(suite: str) -> Ubuntu:
    """Return the release of Ubuntu whose os-release a stand-in has."""
    if suite == "bullseye":
        return _JAMMY
    return _RESOLUTE if suite in _UNRELEASED else _NOBLE


def title(suite: str) -> str:
    """Return the name of the suite for messages."""
    if is_stand_in(suite):
        return f"stand-in: Debian {suite} under Ubuntu {stands_for(suite).version}'s os-release"
    return f"Ubuntu {suite}"


def sources(suite: str) -> list[str]:
    """Return lines of sources.list, from MIRROR or this machine's sources. Empty: mmdebstrap uses its default."""
    components = "main" if is_stand_in(suite) else "main universe"
    mirror = os.environ.get("MIRROR")
    if mirror:
        return [f"deb {mirror} {suite} {components}"]
    own = _own_codename()
    # The signature of an unreleased suite can be expired on a mirror.
    options = "[check-valid-until=no] " if suite in _UNRELEASED else ""
    wanted = ["--format", "$(ORIGIN)|$(REPO_URI)|$(RELEASE)", "Created-By: Packages"]
    targets = run(["apt-get", "indextargets", *wanted], check=False)
    lines = []
    for target in sorted(set(targets.splitlines())):
        origin, uri, release = target.split("|")
        # Repositories of other vendors can have releases with the same name.
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
