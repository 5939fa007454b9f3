# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A STAND-IN for the public registry with the crates of a folder, as Debian packages them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomllib


def crates_io(url: str, folder: Path) -> dict[str, bytes]:
    """The files of the server, by path: index and crates."""
    found: dict[str, bytes] = {"index/config.json": json.dumps({"dl": f"{url}/crates/{{crate}}-{{version}}"}).encode()}
    lines: defaultdict[str, list[str]] = defaultdict(list)
    for crate in sorted(folder.iterdir()):
        manifest = tomllib.loads((crate / "Cargo.toml").read_text())
        name, version = manifest["package"]["name"], manifest["package"]["version"]
        packed = _packed(crate, f"{name}-{version}")
        found[f"crates/{name}-{version}"] = packed
        line = {
            "name": name,
            "vers": version,
            "deps": list(_dependencies(manifest)),
            "cksum": hashlib.sha256(packed).hexdigest(),
            "features": {},
            "features2": manifest.get("features", {}),
            "v": 2,
            "yanked": False,
            "links": manifest["package"].get("links"),
        }
        lines[name].append(json.dumps(line))
    for name, text in lines.items():
        found[f"index/{_place(name.lower())}"] = "\n".join(text).encode()
    return found


def _place(name: str) -> str:
    if len(name) < 4:
        return f"{len(name)}/{name}" if len(name) < 3 else f"3/{name[0]}/{name}"
    return f"{name[:2]}/{name[2:4]}/{name}"


def _packed(crate: Path, name: str) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for path in sorted(crate.rglob("*")):
            if path.is_file() and path.name != ".cargo-checksum.json":
                archive.add(path, f"{name}/{path.relative_to(crate)}")
    return gzip.compress(plain.getvalue(), compresslevel=1, mtime=0)


def _dependencies(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kinds = {"dependencies": "normal", "build-dependencies": "build"}  # dev-dependencies are not resolved
    for target, tables in [(None, manifest), *manifest.get("target", {}).items()]:
        for table, kind in kinds.items():
            for name, given in tables.get(table, {}).items():
                one = given if isinstance(given, dict) else {"version": given}
                yield {
                    "name": name,
                    "req": one.get("version", "*"),
                    "features": one.get("features", []),
                    "optional": one.get("optional", False),
                    "default_features": one.get("default-features", True),
                    "target": target,
                    "kind": kind,
                    "package": one.get("package"),
                }
