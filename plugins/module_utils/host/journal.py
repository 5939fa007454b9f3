# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Read the system's journal with its own library. Starts no process; each query has a maximum number of entries."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LIBRARY = "libsystemd.so.0"
LOCAL_ONLY = 1
LONGEST = 4096  # bytes of one field
Entry = dict[str, str]  #: By field. Accounts can write any value, except in fields that begin with an underscore.


class Journal:
    """An open journal."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self._library, self._handle = library, handle

    def newest(self, matches: Sequence[str], fields: Sequence[str], most: int, since: float) -> Iterator[Entry]:
        """The newest entries with all ``matches`` (NAME=value), the newest first, each with its ``fields``.

        At most ``most`` entries, none older than ``since`` (seconds since the epoch)."""
        library, handle = self._library, self._handle
        library.sd_journal_flush_matches(handle)
        for match in matches:
            data = match.encode()
            library.sd_journal_add_match(handle, data, ctypes.c_size_t(len(data)))
        library.sd_journal_seek_tail(handle)
        moment = ctypes.c_uint64()
        for _entry in range(most):
            if library.sd_journal_previous(handle) <= 0:
                return
            if library.sd_journal_get_realtime_usec(handle, ctypes.byref(moment)) < 0 or moment.value < since * 1e6:
                return
            yield {name: value for name in fields if (value := self._field(name)) is not None}

    def _field(self, name: str) -> str | None:
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        place = ctypes.byref(data), ctypes.byref(size)
        if self._library.sd_journal_get_data(self._handle, name.encode(), *place) < 0:
            return None
        return ctypes.string_at(data, min(size.value, LONGEST))[len(name) + 1 :].decode(errors="replace")


@contextmanager
def open_journal() -> Iterator[Journal | None]:
    """The entries that the caller may read; None without a journal."""
    try:
        library = ctypes.CDLL(LIBRARY)
        library.sd_journal_close.restype = None
        library.sd_journal_flush_matches.restype = None
    except (OSError, AttributeError):
        yield None
        return
    handle = ctypes.c_void_p()
    if library.sd_journal_open(ctypes.byref(handle), LOCAL_ONLY) < 0:
        yield None
        return
    try:
        library.sd_journal_set_data_threshold(handle, ctypes.c_size_t(LONGEST))
        yield Journal(library, handle)
    finally:
        library.sd_journal_close(handle)
