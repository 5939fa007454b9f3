# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Download files whose sha256 is known before. Proxies come from the environment."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
from contextlib import suppress
from typing import Any, Callable, Optional
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ansible.module_utils.urls import open_url

TIMEOUT = 60.0  # seconds without a byte
BLOCK = 1 << 20
Progress = Callable[[int, Optional[int]], None]  # (bytes so far, bytes in all where the server says so)


class FetchError(Exception):
    """A download failed or has another checksum. The message names the URL, and both checksums."""


def sha256_file(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def fetch(url: str, limit: int = 64 << 20) -> bytes:
    """The content at ``url``, which may have ``limit`` bytes. Raises FetchError."""
    try:
        with open_url(url, timeout=TIMEOUT, use_netrc=False) as answer:
            content: bytes = answer.read(limit + 1)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url}: {reason(error)}{_proxy(url)}") from error
    if len(content) > limit:
        raise FetchError(f"{url}: it has more than {limit:,} bytes, and no such file has: is it the right server?")
    return content


def download(url: str, path: str, sha256: str, named_by: str, progress: Progress | None = None) -> int:
    """Fetch ``url`` to ``path``; returns the bytes fetched. ``named_by`` says where ``sha256`` was taken from.

    The file is written as ``path.part``, from where an interrupted download goes on, and takes its name once its sum
    is right. With a wrong sum nothing is left behind. Raises FetchError.
    """
    part = f"{path}.part"
    fetched = 0
    try:
        fetched = _append(url, part, progress)
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(f"{url}: {reason(error)}{_proxy(url)}") from error
    found = sha256_file(part)
    if found != sha256:
        os.unlink(part)
        raise FetchError(f"{url}: its sha256 is {found}, but {named_by} says {sha256}: the file was not used")
    os.replace(part, path)
    return fetched


def _append(url: str, part: str, progress: Progress | None) -> int:
    have = 0
    with suppress(FileNotFoundError):
        have = os.stat(part).st_size
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        answer: Any = open_url(url, headers=headers, timeout=TIMEOUT, use_netrc=False)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == 416:  # all of it was there already; the sum decides
            return 0
        raise
    with answer:
        if getattr(answer, "status", None) != 206:  # a server, or file://, that sends the whole
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with open(part, "ab" if have else "wb") as file:
            fetched = 0
            for block in iter(lambda: answer.read(BLOCK), b""):
                file.write(block)
                fetched += len(block)
                if progress:
                    progress(have + fetched, total)
    if total is not None and have + fetched < total:
        raise http.client.IncompleteRead(b"", total - have - fetched)
    return fetched


def _proxy(url: str) -> str:
    """By which variable's proxy ``url`` was asked for. Never its value, which may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in getproxies() or proxy_bypass(parts.hostname or ""):
        return ""
    return f" (through the proxy in {parts.scheme}_proxy)"


def reason(error: BaseException) -> str:
    """Why a fetch failed, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return reason(error.reason) if isinstance(error.reason, BaseException) else str(error.reason)
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended before the whole file was there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
