# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Files that an action leaves on the controller."""

from __future__ import annotations

import contextlib
import os
import tempfile


def write_whole(path: str, text: str) -> None:
    """Whole or not at all: whoever looks sees the old file or the new one. Raises OSError."""
    new = None
    try:
        folder = os.path.dirname(os.path.abspath(path))
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".new-", delete=False) as file:
            new = file.name
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(new, 0o666 & ~mask)
        os.replace(new, path)
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                os.unlink(new)
        raise
