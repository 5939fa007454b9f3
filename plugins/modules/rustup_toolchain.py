#!/usr/bin/python
# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: the pinned Rust toolchains of a host, completely or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rustup_toolchain
short_description: Install pinned Rust toolchains for all users of a host, read-only
version_added: 0.1.0
description:
  - Installs rustup and Rust toolchains that belong to root, so that no other account can change them. The installer is
    verified by its sha256 before it runs. It never replaces itself, and never installs the toolchain of a checkout's
    C(rust-toolchain.toml).
  - Everything is installed in a new folder and checked there - C(rustc -vV) prints the version, the components are
    present, and if there is a C(cc), a small program compiles. Then one rename activates it. If a run fails or is
    killed, the old toolchain does not change, and the next run removes the new folder.
  - A compliant toolchain is recognized by reading its files, without network. A damaged one is installed again.
  - Old toolchains stay on the disk until no program runs in them.
  - Downloaded programs are checked without root's rights, as C(nobody).
options:
  path:
    description: >-
      The path of the tree, such as C(/opt/nova-agent/toolchain). It is a link to a folder in C(.toolchain) beside it.
      Its folder C(bin/) has rustup and its proxies, C(rustup/) is the RUSTUP_HOME.
    type: path
    required: true
  state:
    description: Whether the tree should exist. V(absent) removes it with everything in it.
    type: str
    choices: [present, absent]
    default: present
  channel:
    description: >-
      The default toolchain, preferably a full version such as V(1.92.0) or a dated nightly. V(stable), V(beta) and
      V(nightly) are installed once, and not updated later. Required with O(state=present).
    type: str
  rustup_version:
    description: The version of rustup. Required with O(state=present).
    type: str
  rustup_checksums:
    description: >-
      The sha256 of C(rustup-init) of that version, by architecture (C(x86_64), C(aarch64)). Required with
      O(state=present).
    type: dict
  environment:
    description:
      - Variables for rustup and the downloads, such as C(https_proxy), C(SSL_CERT_FILE) and rustup's own
        C(RUSTUP_MAX_RETRIES), C(RUSTUP_DOWNLOAD_TIMEOUT), C(RUSTUP_USE_RUSTLS) and C(RUSTUP_PERMIT_COPY_RENAME).
      - Unlike the task's C(environment), they are on no command line and in no log.
    type: dict
    default: {}
  purge:
    description: Whether to remove toolchains of earlier applies that are no longer listed.
    type: bool
    default: false
  lock_timeout:
    description: Seconds to wait for another run that installs into the same tree.
    type: int
    default: 1800
  timeout:
    description: Seconds after which a rustup command is killed.
    type: int
    default: 1800
  role:
    description: The role of the tree in the manifest. A tree of the same role at another path is removed.
    type: str
    default: agent_toolchain
  manifest:
    description: Path of the manifest on the host.
    type: path
    default: /var/lib/nova-agent/manifest.json
extends_documentation_fragment: [nova.agent_host.toolchain]
attributes:
  check_mode:
    support: full
    description: Reports what would be installed, removed and repaired, without network.
  diff_mode:
    support: full
    description: Shows toolchains and problems before, and toolchains after.
notes:
  - Must run as root.
seealso:
  - module: nova.agent_host.agent_host_info
  - module: nova.agent_host.rustup_mirror
author:
  - Contributors to nova.agent_host (@nova)
"""

EXAMPLES = r"""
- name: Install Rust 1.92.0 for all accounts, and a nightly for fuzzing
  nova.agent_host.rustup_toolchain:
    path: /opt/nova-agent/toolchain
    channel: 1.92.0
    components: [clippy, rustfmt]
    extra:
      - channel: nightly-2026-05-19
        components: [rust-src]
    rustup_version: 1.29.0
    rustup_checksums:
      x86_64: 4acc9acc76d5079515b46346a485974457b5a79893cfb01112423c89aeb5aa10
      aarch64: 9732d6c5e2a098d3521fca8145d826ae0aaa067ef2385ead08e6feac88fa5792

- name: Remove it
  nova.agent_host.rustup_toolchain:
    path: /opt/nova-agent/toolchain
    state: absent
"""

RETURN = r"""
installed:
  description: Toolchains that were installed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["toolchain 1.92.0 (profile minimal, clippy, rustfmt)"]
removed:
  description: Toolchains that were removed.
  returned: success
  type: list
  elements: str
repaired:
  description: Damaged files, and leftovers of interrupted runs, that were corrected.
  returned: success
  type: list
  elements: str
  sample: ["/opt/nova-agent/.toolchain/kq3vx1aa/bin/rustup: is missing"]
in_use:
  description: Old generations that stay until the programs that run in them end; a later apply removes them.
  returned: success
  type: list
  elements: str
"""

import os
import platform
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.observed.answers import Installed
from ..module_utils.state.change import reason
from ..module_utils.state.manifest import DEFAULT_PATH, ManifestError
from ..module_utils.state.paths import StateError
from ..module_utils.text import and_more, outgoing
from ..module_utils.toolchain import apply as toolchain_apply
from ..module_utils.toolchain import manifest as toolchain_manifest
from ..module_utils.toolchain.environment import check_environment, is_public, network_environment
from ..module_utils.toolchain.fetch import FetchError
from ..module_utils.toolchain.generation import InstallError, Source
from ..module_utils.toolchain.request import (
    PROFILES,
    UPSTREAM,
    Request,
    RequestError,
    architecture,
    check_source,
    source_url,
)
from ..module_utils.toolchain.state import generations_folder, generations_in_use

SHOWN = 10  # damaged paths in a result

TOOLCHAIN: dict[str, Any] = {
    "profile": {"type": "str", "choices": list(PROFILES), "default": "minimal"},
    "components": {"type": "list", "elements": "str", "default": []},
    "targets": {"type": "list", "elements": "str", "default": []},
}


def present(options: dict[str, Any], check_mode: bool) -> Installed:
    request = Request.from_options(options)
    machine = architecture(platform.machine())
    request.checksum(machine)
    environment = network_environment(check_environment(options["environment"], "environment"), os.environ)
    source = Source(
        source_url(options["dist_server"], "dist_server"),
        source_url(options["update_root"], "update_root"),
        options["timeout"],
        environment,
    )
    check_source(request, source.dist_server)
    os.environ.update(environment)  # for downloads by Python
    tree, role, manifest = options["path"], options["role"], options["manifest"]
    moved = toolchain_manifest.others(role, tree, manifest)
    if check_mode:
        outcome = toolchain_apply.preview(tree, request, machine, toolchain_manifest.is_displaced(tree, manifest))
    else:
        toolchain_manifest.claim(role, tree, manifest)
        try:
            outcome = toolchain_apply.apply(tree, request, machine, source, options["lock_timeout"])
        finally:
            if not os.path.lexists(generations_folder(tree)):  # a first installation failed and left nothing
                toolchain_manifest.release(role, tree, manifest)
    for other in moved:
        _move_out(options, other, outcome, check_mode)
    return outcome


def _move_out(options: dict[str, Any], other: str, outcome: Installed, check_mode: bool) -> None:
    """Remove the tree of the old prefix. Generations in which programs still run stay."""
    if os.path.islink(other):
        outcome.removed.append(f"the tree {other}")
        outcome.changed = True
    if check_mode:
        in_use = generations_in_use(other)
    else:
        in_use = toolchain_apply.remove(other, options["lock_timeout"], unused_only=True).in_use
    outcome.in_use += in_use
    outcome.changed = outcome.changed or not in_use
    if not in_use and not check_mode:
        toolchain_manifest.release(options["role"], other, options["manifest"])


def absent(options: dict[str, Any], check_mode: bool) -> Installed:
    tree = options["path"]
    if check_mode:
        return toolchain_apply.preview_removal(tree)
    outcome = toolchain_apply.remove(tree, options["lock_timeout"])
    toolchain_manifest.release(options["role"], tree, options["manifest"])
    return outcome


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "channel": {"type": "str"},
            **TOOLCHAIN,
            "extra": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"channel": {"type": "str", "required": True}, **TOOLCHAIN},
            },
            "rustup_version": {"type": "str"},
            "rustup_checksums": {"type": "dict"},
            "channel_checksums": {"type": "dict", "default": {}},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "dist_server": {"type": "str", "default": UPSTREAM},
            "update_root": {"type": "str", "default": f"{UPSTREAM}/rustup"},
            "purge": {"type": "bool", "default": False},
            "lock_timeout": {"type": "int", "default": 1800},
            "timeout": {"type": "int", "default": 1800},
            "role": {"type": "str", "default": "agent_toolchain"},
            "manifest": {"type": "path", "default": DEFAULT_PATH},
        },
        required_if=[("state", "present", ("channel", "rustup_version", "rustup_checksums"))],
        supports_check_mode=True,
    )
    shown = {str(value) for name, value in module.params["environment"].items() if is_public(name, str(value))}
    module.no_log_values -= shown  # else RUSTUP_MAX_RETRIES=5 would mask each 5 in an answer
    tree = module.params["path"]
    if not os.path.isabs(tree) or os.path.normpath(tree) != tree or os.path.dirname(tree) == "/":
        module.fail_json(
            msg=f"path is {tree!r}; allowed is an absolute path below a folder, such as /opt/nova-agent/toolchain"
        )
    if os.geteuid() != 0 and not module.check_mode:
        module.fail_json(msg="rustup_toolchain writes files of root: run it as root (become: true)")
    act = present if module.params["state"] == "present" else absent
    try:
        outcome = act(module.params, module.check_mode)
    except (RequestError, InstallError, FetchError, ManifestError, StateError) as error:
        module.fail_json(msg=outgoing(str(error)))
    except OSError as error:
        where = str(error.filename or tree)
        module.fail_json(msg=outgoing(f"{where}: {reason(where, error)}"))
    answer = {**asdict(outcome), "repaired": and_more(outcome.repaired, SHOWN)}
    del answer["warnings"]
    if not module._diff or not outcome.diff:
        del answer["diff"]
    module.exit_json(**outgoing(answer))


if __name__ == "__main__":
    main()
