#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Record a real build as a profile: the processes, their CPU time, mapped and resident memory, and dependencies.

    python tools/bench/throughput/record.py >tools/bench/throughput/profiles.json

The crates are from Debian's packages, so a build needs no registry. With arguments, this file is the RUSTC_WRAPPER and runner
of such a build: it runs the command and samples the command's processes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

PACKAGES = ("grep", "clap", "serde-json", "ignore", "tokio")
CACHE = Path(__file__).parents[3] / ".cache" / "crates"
EVERY = 0.02  # seconds
MANIFEST = """[package]
name = "profile"
version = "0.1.0"
edition = "2021"
[dependencies]
grep = "*"
clap = "*"
serde_json = "*"
ignore = "*"
tokio = { version = "*", features = ["rt"] }
"""
MAIN = """fn main() {
    let _ = clap::Command::new("x");
    println!("{}", serde_json::json!({"a": ignore::Walk::new(".").count()}));
}
#[test]
fn counts() { assert!(ignore::Walk::new("/usr/share/doc").count() > 0) }
"""


def fetch() -> Path:
    """The folder with the crates of Debian's packages."""
    registry = CACHE / "root" / "usr" / "share" / "cargo" / "registry"
    if registry.is_dir():
        return registry
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [f"librust-{name}-dev" for name in PACKAGES]
    plan = subprocess.run(
        ["apt-get", "install", "-s", "--no-install-recommends", *wanted], check=True, capture_output=True, text=True
    )
    names = re.findall(r"^Inst (librust-\S+)", plan.stdout, re.MULTILINE)
    subprocess.run(["apt-get", "download", *names], check=True, cwd=CACHE, stdout=subprocess.DEVNULL)
    for package in CACHE.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, CACHE / "root"], check=True)
    return registry


def workspace(folder: Path) -> Path:
    """A crate that uses the packaged crates."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "src").mkdir(parents=True)
    (folder / ".cargo").mkdir()
    (folder / "Cargo.toml").write_text(MANIFEST)
    (folder / "src" / "main.rs").write_text(MAIN)
    (folder / ".cargo" / "config.toml").write_text(
        f'[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{fetch()}"\n'
    )
    return folder


# ---- one process ----


def tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in tree(int(child)))]


def watch(words: list[str]) -> int:
    """Run ``words`` and record the use of its processes."""
    peaks = {"VmPeak": 0, "VmHWM": 0}
    start = time.perf_counter()
    process = subprocess.Popen(words, close_fds=False)  # cargo's jobserver
    done = threading.Event()

    def sample() -> None:
        while not done.wait(EVERY):
            held = 0
            for pid in tree(process.pid):
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                found = dict(re.findall(r"^(VmPeak|VmHWM|VmRSS):\s+(\d+)", status, re.MULTILINE))
                peaks["VmPeak"] = max(peaks["VmPeak"], int(found.get("VmPeak", 0)))
                held += int(found.get("VmRSS", 0))
            peaks["VmHWM"] = max(peaks["VmHWM"], held)

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    _, status, used = os.wait4(process.pid, 0)
    done.set()
    line = " ".join(words)
    name = re.search(r"--crate-name (\S+)", line)
    extra = re.search(r"extra-filename=(\S+)", line)
    if (name and name[1] == "___") or "-vV" in words:
        return os.waitstatus_to_exitcode(status)
    links = "--test" in words or re.search(r"--crate-type (bin|cdylib|dylib|proc-macro)", line)
    kind = "test" if not name else "link" if links and "link" in line.partition("--emit")[2][:30] else "lib"
    note = {
        "name": f"{name[1]}{extra[1] if extra else ''}" if name else Path(words[0]).name,
        "kind": kind,
        "seconds": round(used.ru_utime + used.ru_stime, 3),
        "wall": round(time.perf_counter() - start, 3),
        "mapped": peaks["VmPeak"] // 1024,
        "resident": peaks["VmHWM"] // 1024,
        "needs": re.findall(r"--extern (?:\w+:)?\w+=\S*/lib(\S+?)\.(?:rmeta|rlib|so)", line),
    }
    with open(os.environ["PROFILE"], "a") as file:
        file.write(json.dumps(note) + "\n")
    return os.waitstatus_to_exitcode(status)


# ---- a build ----

COMMANDS = {"cold test": ["test"], "next test": ["test"], "next check": ["check"]}


def record() -> dict[str, list[dict[str, object]]]:
    place = workspace(CACHE / "profile")
    profiles = {}
    for name, words in COMMANDS.items():
        notes = CACHE / "notes"
        notes.unlink(missing_ok=True)
        if name.startswith("cold"):
            shutil.rmtree(place / "target", ignore_errors=True)
        else:
            # Only the work after an edit, without units of an earlier command of another kind.
            subprocess.run(["cargo", "--offline", *words], cwd=place, capture_output=True, check=True)
            (place / "src" / "main.rs").touch()
        own = str(Path(__file__).resolve())
        env = {
            **os.environ,
            "PROFILE": str(notes),
            "RUSTC_WRAPPER": own,
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER": own,
            "CARGO_BUILD_JOBS": "1",  # so that processes do not share the CPU
        }
        done = subprocess.run(["cargo", "--offline", *words], cwd=place, env=env, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        profiles[name] = [json.loads(line) for line in notes.read_text().splitlines()]
        print(f"{name}: {len(profiles[name])} processes", file=sys.stderr)
    return profiles


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(watch(sys.argv[1:]))
    print(json.dumps(record(), indent=None, separators=(",", ":")).replace("},{", "},\n{"))
