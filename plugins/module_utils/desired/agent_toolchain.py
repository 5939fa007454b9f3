# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Feature of role agent_toolchain: packages, the pinned toolchain, and its shims. Pure.

The module rustup_toolchain installs the toolchain; here it is one condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..observed.shapes import Observation
from ..state.paths import ABSENT
from ..text import and_more
from ..toolchain.compare import differences
from ..toolchain.environment import check_environment, network_environment
from ..toolchain.manifest import displaced
from ..toolchain.request import Request, RequestError, check_source
from . import agent_policy
from . import variables as read
from .policy import Host, Policy
from .shapes import Condition, Entry, Note, Template, Wanted
from .variables import PolicyError, variable

ROLE = "agent_toolchain"
OPTIONS = (
    *("channel", "profile", "components", "targets", "extra", "purge", "rustup_version", "rustup_checksums"),
    "channel_checksums",
)
# Only forms for which dpkg's status file shows whether they are installed. apt also accepts make/bookworm.
PACKAGE = r"[a-z0-9][a-z0-9+.-]*[a-z0-9+](:(?!any\b)[a-z0-9-]+)?(=[A-Za-z0-9][A-Za-z0-9.+~:-]*\*?)?"
# All shims are links to one script: if rustc has the same size as rustup, cargo thinks it is a proxy and skips it.
SHIMS = (
    *("cargo", "cargo-clippy", "cargo-fmt", "cargo-miri", "clippy-driver", "rust-analyzer", "rust-gdb", "rust-lldb"),
    *("rustc", "rustdoc", "rustfmt", "rustup"),
)


def _environment(name: str, value: dict[str, Any]) -> dict[str, str]:
    given = check_environment(value, name)
    try:
        network_environment(given, {})
    except RequestError as error:
        raise PolicyError(f"{name}: {error}") from None
    return given


@dataclass(frozen=True)
class Variables:
    channel: str = variable(read.channel)
    profile: str = variable()
    components: tuple[str, ...] = variable()
    targets: tuple[str, ...] = variable()
    extra: tuple[dict[str, Any], ...] = variable()  # each as Toolchain.from_options takes it
    purge: bool = variable()
    rustup_version: str = variable()
    rustup_checksums: dict[str, str] = variable()
    channel_checksums: dict[str, str] = variable()
    dist_server: str = variable(read.mirror)
    update_root: str = variable(read.mirror)
    packages: tuple[str, ...] = variable(
        read.list_matching(PACKAGE, "NAME, NAME:ARCHITECTURE or either with =VERSION, such as make or make=4.3*")
    )
    environment: dict[str, str] = variable(_environment)


def problems(policy: Policy) -> list[str]:
    pin, channel = policy.of(agent_policy.Variables).rust_channel, policy.of(Variables).channel
    try:
        check_source(_request(policy), policy.of(Variables).dist_server, f"{ROLE}_")
    except RequestError as error:
        return [str(error)]
    if channel != pin:
        return [
            f"agent_toolchain_channel is {channel}, but the wrappers use agent_policy_rust_channel, which is {pin}: "
            "set only agent_policy_rust_channel, and list other channels in agent_toolchain_extra"
        ]
    return []


def _request(policy: Policy) -> Request:
    return Request.from_options({name: policy.values[f"{ROLE}_{name}"] for name in OPTIONS}, f"{ROLE}_")


def host_problems(policy: Policy, host: Host) -> list[str]:
    architecture, known = host.observed.platform.architecture, sorted(policy.of(Variables).rustup_checksums)
    if architecture in known:
        return []
    return [
        f"the host's architecture is {architecture}; agent_toolchain_rustup_checksums has {', '.join(known)}: "
        "add a checksum for it, or leave the host out"
    ]


def tree(policy: Policy) -> str:
    return f"{policy.of(agent_policy.Variables).prefix}/toolchain"


def module_options(policy: Policy) -> dict[str, Any]:
    """The options of the module rustup_toolchain."""
    names = (*OPTIONS, "dist_server", "update_root")
    return {"path": tree(policy), **{name: policy.values[f"{ROLE}_{name}"] for name in names}}


def wanted(policy: Policy, host: Host) -> Wanted:
    prefix = policy.of(agent_policy.Variables).prefix
    shims = f"{prefix}/shims"
    check = f"{prefix}/bin/check-toolchain-pin"
    return Wanted(
        ROLE,
        entries=(
            Entry(shims, "directory", mode="0755"),
            Entry(
                f"{shims}/rustup",
                content=Template("agent_toolchain_shim_template", {"prefix": prefix}),
                mode="0755",
                validate="sh -n %s",
            ),
            Entry(
                check,
                content=Template("agent_toolchain_pin_check_template", {"prefix": prefix}),
                mode="0755",
                validate="sh -n %s",
            ),
            Entry("/usr/local/bin/check-toolchain-pin", "link", target=check),
            *(Entry(f"{shims}/{name}", "link", target="rustup") for name in SHIMS if name != "rustup"),
            *(Entry(f"/usr/local/bin/{name}", "link", target=f"{shims}/{name}") for name in SHIMS),
        ),
        conditions=(*_packages(policy, host.observed), _toolchain(policy, host.observed)),
        notes=tuple(_own_rustups(host.observed)),
    )


def _packages(policy: Policy, observed: Observation) -> Iterator[Condition]:
    for name in policy.of(Variables).packages:
        yield Condition("package", name, True, observed.packages.get(name, False), "is not installed")


def _toolchain(policy: Policy, observed: Observation) -> Condition:
    path, held = tree(policy), observed.manifest.roles.get(ROLE)
    there = observed.toolchains.get(path)
    if displaced(observed.manifest, path, lambda folder: observed.files.get(folder, ABSENT).kind):
        there = None  # an apply creates the folder again, and then the tree behind the link is not visible
    found = differences(_request(policy), path, there, held.trees if held else [])
    why = "; ".join(and_more([one.why for one in found]))
    return Condition("toolchain", path, True, not found, why, " ".join(dict.fromkeys(one.name for one in found)))


def _own_rustups(observed: Observation) -> Iterator[Note]:
    for user, paths in sorted(observed.deep.own_rustups.items()) if observed.deep else ():
        why = f"has a separate Rust, which the pin and the guard do not affect: {', '.join(paths)}"
        yield Note("own rustup", user, why)
