# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A FIXTURE for rustup: toolchains of shell stubs that compile nothing. Their version says so."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import TRIPLES, Request
from repackage import Component, Content, place_rustup, write_channel
from rustup_wheel import CHECKSUMS, VERSION

DATE = "2025-12-11"
TARGET = "wasm32-unknown-unknown"

STUB = """\
#!/bin/sh
# FIXTURE: a stand-in for {name} {version}, which compiles nothing
case ${{1-}} in
  -V | --version)
    read -r caller <"/proc/$PPID/comm"
    [ "$caller" != rustup ] || : >"$0.run-by-rustup"
    echo '{name} {version} (FIXTURE {date})'
    exit ;;
  -vV) printf '%s\\n' '{name} {version} (FIXTURE {date})' 'release: {version}' 'host: {triple}' "uid: $(id -u)"; exit ;;
  sleep) exec "$0-sleep" "$2" ;;
esac
said="FIXTURE {name} $*"
out=
while [ $# -gt 0 ]; do
  [ "$1" = -o ] && out=$2
  shift
done
if [ -n "$out" ]; then
  printf '#!/bin/sh\\nprintf compiled\\n' >"$out"
  chmod 755 "$out"
else
  echo "$said"
fi
"""


def build(root: Path, installer: Path, versions: Sequence[str] = ("1.92.0",), padding: int = 0) -> None:
    """Build a mirror at ``root``. ``padding`` is the number of random bytes in rustc, for a longer download."""
    triple = TRIPLES[platform.machine()]
    for version in versions:
        write_channel(
            str(root), f"{version} (FIXTURE {DATE})", version, DATE, triple, components(version, triple, padding), quiet
        )
    place_rustup(root, pinned(versions[0]), platform.machine(), installer)


def quiet(line: str) -> None:
    pass


def pinned(version: str) -> Request:
    return Request.from_options({"channel": version, "rustup_version": VERSION, "rustup_checksums": CHECKSUMS})


def components(version: str, triple: str, padding: int = 0) -> list[Component]:
    def stub(name: str) -> bytes:
        return STUB.format(name=name, version=version, date=DATE, triple=triple).encode()

    def library(target: str) -> dict[str, Content]:
        return {f"lib/rustlib/{target}/lib/libstd-fixture.rlib": b"!<arch>\n"}

    rustc: dict[str, Content] = {"bin/rustc": stub("rustc"), "bin/rustdoc": stub("rustdoc")}
    rustc["share/doc/rust/FIXTURE"] = os.urandom(padding)
    cargo: dict[str, Content] = {"bin/cargo": stub("cargo")}
    with open("/usr/bin/sleep", "rb") as file:  # a program that can run for a long time
        cargo["bin/cargo-sleep"] = file.read()
    return [
        Component("rustc", triple, rustc),
        Component("cargo", triple, cargo),
        Component("rust-std", triple, library(triple)),
        Component("rust-std", TARGET, library(TARGET)),
        Component("clippy-preview", triple, {"bin/cargo-clippy": stub("clippy"), "bin/clippy-driver": stub("clippy")}),
        Component("rustfmt-preview", triple, {"bin/rustfmt": stub("rustfmt"), "bin/cargo-fmt": stub("rustfmt")}),
    ]
