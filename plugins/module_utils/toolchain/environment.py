# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The environment of rustup and of downloads: proxies, certificates, and settings of rustup. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .request import RequestError

# Settings of rustup that depend on the network or the disk. The module sets all others.
SETTINGS = (
    "RUSTUP_CONCURRENT_DOWNLOADS",
    "RUSTUP_DOWNLOAD_TIMEOUT",
    "RUSTUP_MAX_RETRIES",
    "RUSTUP_PERMIT_COPY_RENAME",
    "RUSTUP_UNPACK_RAM",
    "RUSTUP_USE_CURL",
    "RUSTUP_USE_REQWEST",
    "RUSTUP_USE_RUSTLS",
)
OURS = ("RUST", "CARGO", "LD_", "PYTHON", "MALLOC_", "TMPDIR")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
PROXIES = ("http_proxy", "https_proxy")
PUBLIC = (*SETTINGS, "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE")  # never a secret


def check_environment(given: Mapping[str, object], name: str) -> dict[str, str]:
    """``given`` as text. Raises RequestError, without texts, for variables that the module would ignore, and for what
    YAML makes of yes and no: rustup reads every text except 0 as yes."""
    for key, value in given.items():
        if not NAME.fullmatch(str(key)):
            raise RequestError(f"{name} has {key!r}; allowed is a variable's name, such as https_proxy")
        if value is None or isinstance(value, (bool, list, dict)):
            shown = value if isinstance(value, bool) else "empty" if value is None else f"a {type(value).__name__}"
            raise RequestError(f"{name}: {key} is {shown}; allowed is text, such as '1'")
    refused = sorted(key for key in given if key.startswith(OURS) and key not in SETTINGS)
    if refused:
        raise RequestError(
            f"{name} has {', '.join(refused)}; allowed are {', '.join(SETTINGS)}, and proxies and certificates such as "
            "https_proxy and SSL_CERT_FILE"
        )
    return {key: str(value) for key, value in given.items()}


def network_environment(given: Mapping[str, str], inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of rustup and of downloads: ``given``, and ``inherited`` without variables that change programs.

    rustup supports ALL_PROXY and Python does not, so it sets http_proxy and https_proxy. Raises RequestError for a
    proxy that Python can't use.
    """
    kept = {name: value for name, value in inherited.items() if name in SETTINGS or not name.startswith(OURS)}
    found = {**kept, **given}
    everything = next((name for name in ("all_proxy", "ALL_PROXY") if found.get(name)), "")
    for name in PROXIES if everything else ():
        if name not in found and name.upper() not in found:
            found[name] = found[everything]
    for name in [everything, *(name for name in found if name.lower() in PROXIES)]:
        if found.get(name, "").lower().startswith("socks"):
            raise RequestError(f"the proxy in {name} is a SOCKS proxy, which can't be used: set an HTTP proxy")
    return found


def is_public(name: str, value: str) -> bool:
    """Whether a variable may be shown: a setting, or a proxy without a password."""
    return name in PUBLIC or (name.lower() in (*PROXIES, "all_proxy") and "@" not in value)
