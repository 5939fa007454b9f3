# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Ansible's finder of collections: set up before anything of ours is imported, or it finds no plugins."""

from __future__ import annotations

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader()
