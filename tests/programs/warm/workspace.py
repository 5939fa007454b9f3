# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A workspace and the crates that it needs, as files. The crates are FIXTUREs in a directory source: a library, one with a
build script, and a proc macro."""

from __future__ import annotations

import hashlib
import json

MACRO = """extern crate proc_macro;
#[proc_macro] pub fn seven(_: proc_macro::TokenStream) -> proc_macro::TokenStream { "7".parse().unwrap() }
"""
SCRIPT = """fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(format!("{out}/number.rs"), "5").unwrap();
    println!("cargo:rerun-if-changed=build.rs");
}
"""
BUILT = 'pub const FIVE: u32 = include!(concat!(env!("OUT_DIR"), "/number.rs"));'
CRATES = {
    "fix-built": ("", {"src/lib.rs": BUILT, "build.rs": SCRIPT}),
    "fix-macro": ("[lib]\nproc-macro = true\n", {"src/lib.rs": MACRO}),
    "fix-plain": ("", {"src/lib.rs": "pub fn three() -> u32 { 3 }"}),
}
DEPENDENCIES = set(CRATES)
MEMBER = "#[test] fn sums() { assert_eq!(fix_plain::three() + fix_built::FIVE + fix_macro::seven!(), 15) }\n"
PACKAGE = '[package]\nname = "{}"\nversion = "{}"\nedition = "2021"\n'
SUM = "0" * 64
LOCK = "version = 3\n" + "".join(
    f'\n[[package]]\nname = "{name}"\nversion = "1.0.0"\nsource = "registry+https://github.com/rust-lang/crates.io-index"\n'
    f'checksum = "{SUM}"\n'
    for name in CRATES
)
LOCK += '\n[[package]]\nname = "nova-core"\nversion = "0.1.0"\ndependencies = [\n "fix-built",\n "fix-macro",\n "fix-plain",\n]\n'


def registry() -> dict[str, str]:
    """The files of the directory source."""
    found = {}
    for name, (more, sources) in CRATES.items():
        files = {"Cargo.toml": PACKAGE.format(name, "1.0.0") + more, **sources}
        sums = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
        files[".cargo-checksum.json"] = json.dumps({"package": SUM, "files": sums})
        found.update({f"{name}/{path}": text for path, text in files.items()})
    return found


def workspace(registry_folder: str) -> dict[str, str]:
    """The files of a checkout."""
    wanted = "".join(f'{name} = "1"\n' for name in CRATES)
    return {
        "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["nova-core"]\n',
        "Cargo.lock": LOCK,
        ".cargo/config.toml": '[source.crates-io]\nreplace-with = "fixture"\n'
        f'[source.fixture]\ndirectory = "{registry_folder}"\n',
        "nova-core/Cargo.toml": f"{PACKAGE.format('nova-core', '0.1.0')}[dependencies]\n{wanted}",
        "nova-core/src/lib.rs": MEMBER,
    }
