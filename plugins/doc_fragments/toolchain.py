# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Options of the modules that install or mirror toolchains."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  profile:
    description: Which components rustup installs by default.
    type: str
    choices: [minimal, default, complete]
    default: minimal
  components:
    description: Components beside those of O(profile).
    type: list
    elements: str
    default: []
  targets:
    description: Further targets for which the standard library is installed.
    type: list
    elements: str
    default: []
  extra:
    description: Further toolchains, for C(cargo +channel).
    type: list
    elements: dict
    default: []
    suboptions:
      channel:
        description: As O(channel).
        type: str
        required: true
      profile:
        description: As O(profile).
        type: str
        choices: [minimal, default, complete]
        default: minimal
      components:
        description: As O(components).
        type: list
        elements: str
        default: []
      targets:
        description: As O(targets).
        type: list
        elements: str
        default: []
  channel_checksums:
    description:
      - The sha256 of channel manifests (C(channel-rust-1.92.0.toml)) by channel. A manifest has the checksums of all
        other files that rustup downloads. M(nova.agent_host.rustup_mirror) returns those of a mirror.
      - A toolchain that was installed with another checksum, or without one, is installed again.
    type: dict
    default: {}
  dist_server:
    description: >-
      The server of toolchains, V(http://), V(https://) or V(file://), without a password. With V(http://) each
      channel needs its checksum in O(channel_checksums).
    type: str
    default: https://static.rust-lang.org
  update_root:
    description: The server of rustup, which has C(archive/VERSION/TRIPLE/rustup-init).
    type: str
    default: https://static.rust-lang.org/rustup
"""
