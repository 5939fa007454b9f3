#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Documentation of the action plugin rustup_mirror; nothing runs on the host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rustup_mirror
short_description: Build a rustup mirror on the controller, for hosts without internet
version_added: 0.1.0
description:
  - Fills a folder that rustup can use like the official servers, through any static web server or a C(file://) URL.
  - Downloads pinned toolchains from upstream, and verifies every file. The manifest of a channel is compared with
    O(channel_checksums), or without one with the checksum on the server. All other files are compared with the
    manifest, and the installer with its pinned checksum.
  - Files with the right checksum are not downloaded again, and an interrupted download continues. The manifest of a
    channel is written after all of its files.
  - Runs on the controller, as the user who runs Ansible, and prints its progress.
options:
  path:
    description: The folder to fill.
    type: path
    required: true
  channel:
    description: The toolchain to mirror.
    type: str
    required: true
  architectures:
    description: Architectures of the hosts to serve.
    type: list
    elements: str
    choices: [aarch64, x86_64]
    default: [aarch64, x86_64]
  rustup_version:
    description: The version of rustup.
    type: str
    required: true
  rustup_checksums:
    description: The sha256 of that version's C(rustup-init) by architecture.
    type: dict
    required: true
extends_documentation_fragment: [nova.agent_host.toolchain]
attributes:
  check_mode:
    support: full
    description: Reads manifests, and reports the files that would be downloaded.
  diff_mode:
    support: none
    description: The return values list the files.
seealso:
  - module: nova.agent_host.rustup_toolchain
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Mirror the pinned toolchain of the hosts
  nova.agent_host.rustup_mirror:
    path: /srv/rustup
    channel: 1.92.0
    components: [clippy, rustfmt]
    rustup_version: 1.29.0
    rustup_checksums:
      x86_64: 4acc9acc76d5079515b46346a485974457b5a79893cfb01112423c89aeb5aa10
      aarch64: 9732d6c5e2a098d3521fca8145d826ae0aaa067ef2385ead08e6feac88fa5792
"""

RETURN = r"""
path:
  description: The folder.
  returned: success
  type: str
toolchains:
  description: The channels of the mirror.
  returned: success
  type: list
  elements: str
channel_checksums:
  description: The sha256 of each channel's manifest, for the same option of M(nova.agent_host.rustup_toolchain).
  returned: success
  type: dict
fetched:
  description: Files that were downloaded, or in check mode would be, below O(path).
  returned: success
  type: list
  elements: str
kept:
  description: Files that already existed with the right checksum.
  returned: success
  type: list
  elements: str
size:
  description: Bytes of the toolchains' files in the mirror.
  returned: success
  type: int
"""
