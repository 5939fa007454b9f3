# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The collection's name and version. A test compares them with galaxy.yml."""

from __future__ import annotations

COLLECTION = "nova.agent_host"
VERSION = "0.1.0"
