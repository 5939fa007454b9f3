# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Names of accounts and groups: what hosts have, and what can be created. Pure."""

from __future__ import annotations

import re

# useradd and groupadd take these.
NEW_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# Directories have also these: jane.doe, Jane, DOM\jane, jane@dom.example, host$. None begins with "-", as options do.
EXISTING_NAME = re.compile(r"\w[\w.@+\\-]{0,254}\$?")
EXAMPLES = r"agent1, jane.doe or DOM\jane"
