# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Download files of Rust and verify their sha256. Proxies come from the environment."""

from __future__ import annotations

import http.client
import os
import urllib.error
from contextlib import suppress
from typing import Any, Callable, Optional
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ansible.module_utils.urls import open_url

from ..state.paths import sha256, sha256_file

TIMEOUT = 60.0  # seconds without a byte
BLOCK = 1 << 20
LARGEST = 2 << 30  # bytes; a server may send a file without end, and files of Rust have less than a quarter of it
Progress = Callable[[int, Optional[int]], None]  # (downloaded bytes, size of the file if the server sends it)


class FetchError(Exception):
    """A download failed, or has another checksum. The message has the URL and both checksums."""


def fetch(url: str, limit: int = 64 << 20) -> bytes:
    """The content of ``url``, at most ``limit`` bytes. Raises FetchError."""
    try:
        with open_url(url, timeout=TIMEOUT, use_netrc=False) as answer:
            content: bytes = answer.read(limit + 1)
            missing = (_length(answer) or 0) - len(content)
            if missing > 0 and len(content) <= limit:
                raise http.client.IncompleteRead(b"", missing)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url}: {reason(error)}{_proxy(url)}") from error
    if len(content) > limit:
        raise FetchError(f"{url}: it has more than {limit:,} bytes, so it can't be a manifest: check the URL")
    return content


def verify(url: str, content: bytes, checksum: str, named_by: str) -> None:
    """Raise FetchError if ``content`` of ``url`` does not have the ``checksum`` that ``named_by`` says."""
    found = sha256(content)
    if found != checksum:
        raise FetchError(f"{url}: its sha256 is {found}, but {named_by} says {checksum}")


def write_manifest(root: str, path: str, content: bytes) -> list[str]:
    """Write a channel's manifest and its checksum below ``root``. Return the paths of both."""
    target = os.path.join(root, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(f"{target}.part", "wb") as file:
        file.write(content)
    with open(f"{target}.sha256", "w", encoding="utf-8") as file:
        file.write(f"{sha256(content)}  {os.path.basename(path)}\n")
    os.replace(f"{target}.part", target)
    return [f"{path}.sha256", path]


def download(url: str, path: str, checksum: str, named_by: str, progress: Progress | None = None) -> None:
    """Download ``url`` to ``path``. ``named_by`` is the source of the ``checksum``.

    The file is written as ``path.part``, so that an interrupted download can continue, and renamed if its checksum is
    right. With a wrong checksum it is removed. Raises FetchError.
    """
    part = f"{path}.part"
    try:
        _append(url, part, progress)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url}: {reason(error)}{_proxy(url)}") from error
    found = sha256_file(part)
    if found != checksum:
        os.unlink(part)
        raise FetchError(f"{url}: its sha256 is {found}, but {named_by} says {checksum}: the file was not used")
    os.replace(part, path)


def _append(url: str, part: str, progress: Progress | None) -> None:
    have = 0
    with suppress(FileNotFoundError):
        have = os.stat(part).st_size
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        answer: Any = open_url(url, headers=headers, timeout=TIMEOUT, use_netrc=False)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == 416:  # the part is already complete; its checksum decides
            return
        raise
    with answer:
        if getattr(answer, "status", None) != 206:  # the server (or file://) sends the whole file
            have = 0
        length = _length(answer)
        total = None if length is None else have + length
        with open(part, "ab" if have else "wb") as file:
            for block in iter(lambda: answer.read(BLOCK), b""):
                have += len(block)
                if have > LARGEST:
                    os.unlink(part)
                    raise FetchError(f"{url}: it has more than {LARGEST:,} bytes: check the URL")
                file.write(block)
                if progress:
                    progress(have, total)
    if total is not None and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def _length(answer: Any) -> int | None:
    """The number of bytes that the server announced."""
    text = answer.headers.get("Content-Length") or ""
    return int(text) if text.isdecimal() else None


def _proxy(url: str) -> str:
    """The variable of the proxy for ``url``. Its value is not shown, because it can have a password."""
    parts = urlsplit(url)
    if parts.scheme not in getproxies() or proxy_bypass(parts.hostname or ""):
        return ""
    return f" (through the proxy in {parts.scheme}_proxy)"


def is_unreachable(error: FetchError) -> bool:
    """Whether the server was not reached. A server that answers with an error has a wrong address."""
    cause = error.__cause__
    unanswered = isinstance(cause, urllib.error.URLError) and not isinstance(cause, urllib.error.HTTPError)
    return unanswered and not str(error).startswith("file://")


def reason(error: BaseException) -> str:
    """The reason of a failed download, as a short text."""
    if isinstance(error, urllib.error.HTTPError):
        why = str(error.reason).partition("\n")[0]  # urllib's own about redirects has three lines
        return f"the server answers {error.code} {why}"
    if isinstance(error, urllib.error.URLError):
        return reason(error.reason) if isinstance(error.reason, BaseException) else str(error.reason)
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended before the file was complete"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
