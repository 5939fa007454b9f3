#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The first `cargo test --no-run` of a member in a new checkout: cold, and from a seed, as ratios within one run.

Also six new checkouts at once, and what a call costs that takes nothing. The workspace has crates of Debian's packages and this
machine's own Rust; needs root, as publishing does. Load of others shows in all of it, so it is printed.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2] / "tests/programs"), str(HERE.parent / "throughput")]

import record  # noqa: E402

from warm.host import Warm, write  # noqa: E402
from warm.workspace import PACKAGE  # noqa: E402

TEST = ("test", "--no-run", "-p", "nova-core")
WANTED = {
    "core": 'grep = "*"\nignore = "*"\nserde_json = "*"\ntokio = { version = "*", features = ["rt"] }\n',
    "cli": 'nova-core = { path = "../core" }\nclap = "*"\n',
}
CODE = {
    "core/src/lib.rs": 'pub fn count() -> usize { ignore::Walk::new(".").count() }\n#[test] fn counts() { assert!(count() > 0) }\n',
    "cli/src/main.rs": 'fn main() { let _ = clap::Command::new("x"); println!("{}", nova_core::count()) }\n',
}
CALLS = 40


class Measured(Warm):
    def workspace(self) -> dict[str, str]:
        registry = record.fetch()
        manifests = {
            f"{name}/Cargo.toml": PACKAGE.format(f"nova-{name}", "0.1.0") + f"[dependencies]\n{wanted}"
            for name, wanted in WANTED.items()
        }
        return {
            "Cargo.toml": f'[workspace]\nresolver = "2"\nmembers = {[*WANTED]}\n'.replace("'", '"'),
            ".cargo/config.toml": f'[source.crates-io]\nreplace-with = "d"\n[source.d]\ndirectory = "{registry}"\n',
            **manifests,
            **CODE,
        }

    def source_of(self) -> None:
        shutil.rmtree(self.source)
        write(self.source, self.workspace())
        (self.source / "Cargo.lock").unlink(missing_ok=True)
        cargo = self.host.toolchain(next(iter((self.host.home / "toolchains").iterdir())).name)
        subprocess.run([cargo, "generate-lockfile", "--offline", "-q"], cwd=self.source, check=True)

    def new(self, number: int) -> Path:
        folder = self.host.root / f"checkout{number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.source, folder)
        return folder


def timed(warm: Measured, folders: list[Path], *words: str, **environment: str) -> tuple[float, float]:
    """Wall and CPU seconds of a command in each folder, all at once."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [
        warm.host.start("bash", warm.host.cargo_agent, *words, "--locked", "--offline", cwd=one, **environment)
        for one in folders
    ]
    for process in running:
        _out, err = process.communicate()
        if process.returncode:
            raise SystemExit(err)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size(folder: Path) -> int:
    return int(subprocess.run(["du", "-sb", folder], check=True, capture_output=True, text=True).stdout.split()[0])


def cost_of_call(warm: Measured, folder: Path) -> tuple[float, float]:
    """Milliseconds of a call in which cargo has nothing to build, with the role and without, in turns."""
    part = warm.prefix / "libexec/cargo_warm.sh"
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * CALLS):
        start = time.perf_counter()
        warm.cargo(folder, "check", "-p", "no-such-package")
        times[number % 2].append((time.perf_counter() - start) * 1000)
        part.rename(part.with_suffix(".off")) if number % 2 == 0 else part.with_suffix(".off").rename(part)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="nova-agent-warm-", dir="/srv"))
    root.chmod(0o755)
    warm = Measured(root)
    try:
        warm.source_of()
        warm.configure(max_bytes=20 << 30)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs; ratios are cold / seeded")
        cold = timed(warm, [warm.new(1)], *TEST, NOVA_CARGO_NO_SEED="1")
        units = len(list((root / "checkout1/target/debug/.fingerprint").iterdir()))
        start = time.perf_counter()
        print(f"{units} units; service: {warm.publish().strip()}, {time.perf_counter() - start:.1f} s")
        runs = [timed(warm, [warm.new(number)], *TEST) for number in (2, 3)]  # by two checkouts
        wall, cpu = (min(values) for values in zip(*runs))
        print(f"cold {cold[0]:.1f} s, {cold[1]:.1f} CPU s; seeded {wall:.1f} s, {cpu:.1f} CPU s")
        print(f"wall {cold[0] / wall:.1f}, CPU {cold[1] / cpu:.1f}")
        print(
            f"bytes: cold {size(root / 'checkout1/target') >> 20} MiB, seeded {size(root / 'checkout2/target') >> 20} MiB"
        )
        six = [warm.new(10 + number) for number in range(6)]
        seeded = timed(warm, six, *TEST)
        print(
            f"six seeded at once: {seeded[0]:.1f} s, {seeded[1]:.1f} CPU s, with {6 * cold[1] / seeded[1]:.1f} times less CPU"
        )
        filled, without = root / "checkout2", warm.new(4)
        (without / "Cargo.lock").write_text((without / "Cargo.lock").read_text() + "# fits no seed\n")
        for what, folder in (("with a target", filled), ("without a target, and no seed fits", without)):
            role, least = cost_of_call(warm, folder)
            print(f"a call {what}: {least:.0f} ms without the role, {role - least:+.1f} ms by it")
    finally:
        subprocess.run([warm.host.libexec / "memory-pool", warm.host.policy, "--remove"], check=False)
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
