# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Files that an action leaves on the controller."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ansible.errors import AnsibleActionFail


def write_report(variable: str, path: str, text: str) -> None:
    """Whole or not at all: whoever looks sees the old report or the new one.

    ``variable`` is what the user names ``path`` in. Raises AnsibleActionFail.
    """
    try:
        # In a folder of its own, so that the umask gives the mode and nothing stays behind.
        with tempfile.TemporaryDirectory(dir=Path(path).parent, prefix=".new-") as folder:
            new = Path(folder, "report")
            new.write_text(text, encoding="utf-8")
            new.replace(path)
    except OSError as error:
        raise AnsibleActionFail(
            f"{variable} is {path}, which can't be written ({error.strerror}): name a file in a folder that exists"
        ) from None
