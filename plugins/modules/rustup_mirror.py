#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Documentation of action rustup_mirror; nothing runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rustup_mirror
short_description: Build a rustup mirror on the controller, for hosts without internet access
version_added: 0.1.0
description:
  - Fills a folder that serves rustup as the official servers do, by any static web server or as a C(file://) URL.
  - Verifies every file against the manifest of its channel, and C(rustup-init) against its pinned sum.
  - Does not fetch files with the right sum again, and continues an interrupted download. A channel is offered after all
    of its files are in the folder.
  - Runs on the controller as the user of Ansible, and prints the progress.
options:
  path:
    description: The folder to fill.
    type: path
    required: true
  channel:
    description: The toolchain to mirror.
    type: str
    required: true
  profile:
    description: As in M(nova.agent_host.rustup_toolchain).
    type: str
    default: minimal
  components:
    description: Components in addition to those of O(profile).
    type: list
    elements: str
    default: []
  targets:
    description: Targets in addition to the architectures' own.
    type: list
    elements: str
    default: []
  extra:
    description: Further toolchains, as in M(nova.agent_host.rustup_toolchain).
    type: list
    elements: dict
    default: []
  architectures:
    description: Architectures of the hosts.
    type: list
    elements: str
    choices: [aarch64, x86_64]
    default: [aarch64, x86_64]
  rustup_version:
    description: The version of rustup.
    type: str
    required: true
  rustup_checksums:
    description: The sha256 of C(rustup-init) of that version, by architecture.
    type: dict
    required: true
  dist_server:
    description: URL of the toolchains.
    type: str
    default: https://static.rust-lang.org
  update_root:
    description: URL of rustup.
    type: str
    default: https://static.rust-lang.org/rustup
attributes:
  check_mode:
    support: full
    description: Reads manifests and returns the files that would be fetched.
  diff_mode:
    support: none
    description: The return values list the files.
seealso:
  - module: nova.agent_host.rustup_toolchain
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Mirror the pinned toolchain
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
  description: The channels that the mirror offers.
  returned: success
  type: list
  elements: str
fetched:
  description: New files below O(path); in check mode, files that would be fetched.
  returned: success
  type: list
  elements: str
kept:
  description: Files that already had the right sum.
  returned: success
  type: list
  elements: str
size:
  description: Bytes of the toolchains' files in the mirror.
  returned: success
  type: int
"""
