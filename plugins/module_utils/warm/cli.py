# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
# pylint: disable=ansible-bad-function
"""The command line of agent-warm."""

from __future__ import annotations

import argparse
import os
import sys

from ..sizes import readable_size
from .build import build, download, empty, fetch
from .bundle import admit_bundle, fetch_bundle, pack
from .policy import Project, WarmError, WarmPolicy, load_policy
from .publish import admit, admit_crates, check_source, decided, publish
from .seeds import read_seeds

DESCRIPTION = """Build the dependencies of a project once for all agents of this host. nova-agent-warm-PROJECT.service
runs the other steps."""
STEP = """list shows the seeds; verify compares each of their files with the manifest; pack writes the newest seed of a
project and its crates to standard output, for other hosts"""
STEPS = ("check", "fetch", "admit", "download", "crates", "build", "publish", "clean")


def main(policy_file: str) -> int:
    """Return 0, or 1 if a seed is damaged or a step fails."""
    parser = argparse.ArgumentParser(prog="agent-warm", description=DESCRIPTION)
    parser.add_argument("step", choices=("list", "verify", "pack", *STEPS), help=STEP)
    parser.add_argument("project", nargs="?", default="", help="for pack or a step")
    options = parser.parse_args()
    try:
        policy = load_policy(policy_file)
        if options.step in STEPS:
            state = os.path.join(os.environ.get("STATE_DIRECTORY", ""), "")[:-1]
            if not state.startswith("/"):
                raise WarmError("STATE_DIRECTORY is not set: start nova-agent-warm-PROJECT.service")
            _step(options.step, policy, policy.project(options.project), state)
            return 0
        if options.step == "pack":
            return _pack(policy, options.project)
        return _list(policy, options.step == "verify")
    except WarmError as error:
        print(f"agent-warm: {error}", file=sys.stderr)
    except OSError as error:
        print(f"agent-warm: {error.filename or policy_file}: {error.strerror}", file=sys.stderr)
    return 1


def _step(step: str, policy: WarmPolicy, project: Project, state: str) -> None:
    if project.sha256 and step == "fetch":
        fetch_bundle(policy, project, state)
    elif project.sha256 and step == "admit":
        admit_bundle(policy, project, state)
    elif step == "check":
        check_source(project)
    elif step == "fetch":
        fetch(project, state)
    elif step == "admit":
        admit(policy, project, state)
    elif step == "download":
        if decided(policy, project).build:
            download(policy, project, state)
    elif step == "crates":
        admit_crates(policy, project, state)
    elif step == "build":
        decision = decided(policy, project)
        if decision.build:
            build(policy, project, state, bool(decision.crates))
    elif step == "publish":
        print(publish(policy, project, state))
    else:
        empty(state)


def _pack(policy: WarmPolicy, project: str) -> int:
    if sys.stdout.isatty():
        raise WarmError(f"the bundle is binary, write it to a file: agent-warm pack {project or 'PROJECT'} >FILE")
    digest = pack(policy, policy.project(project).name, sys.stdout.buffer)
    print(f"sha256: {digest}", file=sys.stderr)
    return 0


def _list(policy: WarmPolicy, whole: bool) -> int:
    seeds = read_seeds(policy.seeds, whole)
    for seed in seeds:
        state = f": {seed.problem}" if seed.problem else ": whole" if whole else ""
        print(f"{seed.name} {seed.dependencies} of {seed.locked} dependencies, {readable_size(seed.bytes)}{state}")
    return int(any(seed.problem for seed in seeds))
