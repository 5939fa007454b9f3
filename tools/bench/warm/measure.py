#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The first `cargo test --no-run` of a member in a new checkout: cold, from a seed, and with sccache, as ratios within one run.

Also six new checkouts at once, and the cost of a call that copies no seed. Each account has its own CARGO_HOME. The workspace has the
crates of Debian's packages, from a STAND-IN for the public registry, and this machine's Rust. Needs root for publishing. Other work on
the machine changes all values, so its load is printed.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2] / "tests/programs"), str(HERE.parent / "throughput"), str(HERE)]

from ansible.plugins.loader import init_plugin_loader  # noqa: E402

init_plugin_loader()  # required to find the modules of the collection

import record  # noqa: E402
from crates import crates_io  # noqa: E402

from warm.host import ACCOUNT, Warm, as_account, write  # noqa: E402
from warm.test_registry import Server  # noqa: E402
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
    def source_of(self) -> None:
        """Replace the small workspace with the measured one."""
        shutil.rmtree(self.source)
        manifests = {
            f"{name}/Cargo.toml": PACKAGE.format(f"nova-{name}", "0.1.0") + f"[dependencies]\n{wanted}"
            for name, wanted in WANTED.items()
        }
        write(
            self.source,
            {
                "Cargo.toml": '[workspace]\nresolver = "2"\nmembers = ["core", "cli"]\n',
                ".cargo/config.toml": '[source.crates-io]\nreplace-with = "fixture"\n'
                f'[source.fixture]\nregistry = "sparse+{self.crates}/index/"\n',
                **manifests,
                **CODE,
            },
        )
        cargo = self.host.toolchain(next(iter((self.host.home / "toolchains").iterdir())).name)
        environment = {**os.environ, "CARGO_HOME": str(self.host.root / "root-cargo")}
        subprocess.run([cargo, "generate-lockfile", "-q"], cwd=self.source, env=environment, check=True)

    def new(self, number: int) -> Path:
        """A checkout of an account that has already downloaded the crates."""
        folder = self.host.root / f"checkout{number}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.source, folder)
        subprocess.run(["chown", "-R", f"{account(number)}:0", folder], check=True)
        return folder

    def command(self, number: int, *words: str, **environment: str) -> subprocess.Popen[str]:
        home = self.host.root / f"home{number % 2}"
        home.mkdir(exist_ok=True)
        os.chown(home, account(number), 0)
        words = tuple(as_account(account(number), "bash", self.host.cargo_agent, *words, "--locked"))
        return self.host.start(*words, cwd=self.host.root / f"checkout{number}", HOME=str(home), **environment)


def account(number: int) -> int:
    return ACCOUNT + number % 2


def timed(warm: Measured, numbers: list[int], *words: str, **environment: str) -> tuple[float, float]:
    """Wall and CPU seconds of a command in each checkout, all at once."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [warm.command(number, *words, **environment) for number in numbers]
    for process in running:
        _out, err = process.communicate()
        if process.returncode:
            raise SystemExit(err)
    return time.perf_counter() - start, cpu_since(before)


def cpu_since(before: resource.struct_rusage) -> float:
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def size(folder: Path) -> int:
    return (
        int(subprocess.run(["du", "-sb", folder], check=True, capture_output=True, text=True).stdout.split()[0]) >> 20
    )


def cost_of_call(warm: Measured, number: int) -> tuple[float, float]:
    """Milliseconds of a call in which cargo has nothing to build, with the role and without, in turns."""
    part = warm.prefix / "libexec/cargo_warm.sh"
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * CALLS):
        start = time.perf_counter()
        warm.command(number, "check", "-p", "no-such-package").communicate()
        times[turn % 2].append((time.perf_counter() - start) * 1000)
        part.rename(part.with_suffix(".off")) if turn % 2 == 0 else part.with_suffix(".off").rename(part)
    return statistics.median(times[0]), statistics.median(times[1])


def with_sccache(warm: Measured) -> None:
    """The same with Debian's sccache, with an empty and with a full cache. The CPU time of its server counts too."""
    program = shutil.which("sccache") or record.CACHE / "root/usr/bin/sccache"
    if not Path(program).exists():
        subprocess.run(
            ["apt-get", "-o", "APT::Sandbox::User=root", "download", "sccache"],
            check=True,
            cwd=record.CACHE,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(["dpkg", "-x", next(record.CACHE.glob("sccache_*.deb")), record.CACHE / "root"], check=True)
    copied = warm.host.root / "sccache"
    shutil.copy(program, copied)
    environment = {
        "SCCACHE_DIR": str(warm.host.root / "home0/sccache"),
        "SCCACHE_SERVER_PORT": "4296",
        "RUSTC_WRAPPER": str(copied),
        "CARGO_INCREMENTAL": "0",
        "NOVA_CARGO_KEEP_RUSTC_WRAPPER": "1",
    }
    for what, number in (("empty", 20), ("full", 22), ("full, and a seed", 24)):
        warm.new(number)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        own = {name: value for name, value in environment.items() if name.startswith("SCCACHE")}
        run = warm.host.environment(
            HOME=str(warm.host.root / "home0"), SCCACHE_START_SERVER="1", SCCACHE_NO_DAEMON="1", **own
        )
        server = subprocess.Popen(as_account(account(number), copied), env=run, stderr=subprocess.DEVNULL)
        no_seed = {} if "seed" in what else {"NOVA_CARGO_NO_SEED": "1"}
        wall, _cpu = timed(warm, [number], *TEST, **environment, **no_seed)
        stop = warm.host.environment(**own)
        subprocess.run([copied, "--stop-server"], env=stop, check=True, capture_output=True)
        server.wait()
        print(
            f"sccache, its cache {what}: {wall:.1f} s, {cpu_since(before):.1f} CPU s, target {size(warm.host.root / f'checkout{number}/target')} MiB"
        )
    print(f"sccache's cache: {size(warm.host.root / 'home0/sccache')} MiB")


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    root = Path(tempfile.mkdtemp(prefix="nova-agent-warm-", dir="/srv"))
    root.chmod(0o755)
    server = Server()
    server.files = crates_io(server.url, record.fetch())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    warm = Measured(root, server.url)
    try:
        warm.source_of()
        warm.configure(max_bytes=20 << 30)
        print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} CPUs; ratios are cold / seeded")
        for number in (0, 1):  # each account's own CARGO_HOME has the crates
            warm.new(number)
            warm.command(number, "fetch").communicate()
        cold = timed(warm, [0], *TEST, NOVA_CARGO_NO_SEED="1")
        units = len(list((root / "checkout0/target/debug/.fingerprint").iterdir()))
        start = time.perf_counter()
        print(f"{units} units; service: {warm.publish().strip()}, {time.perf_counter() - start:.1f} s")
        print(f"seed {size(warm.seed)} MiB, published crates {size(Path(warm.policy.home('nova')))} MiB")
        warm.publish("clean")
        for number in (2, 3):
            warm.new(number)
        runs = [timed(warm, [number], *TEST) for number in (2, 3)]  # by two accounts
        wall, cpu = (min(values) for values in zip(*runs))
        print(f"cold {cold[0]:.1f} s, {cold[1]:.1f} CPU s; seeded {wall:.1f} s, {cpu:.1f} CPU s")
        print(f"wall {cold[0] / wall:.1f}, CPU {cold[1] / cpu:.1f}")
        print(f"target: cold {size(root / 'checkout0/target')} MiB, seeded {size(root / 'checkout2/target')} MiB")
        six = [warm.new(number) and number for number in range(10, 16)]
        seeded = timed(warm, six, *TEST)
        print(
            f"six seeded at once: {seeded[0]:.1f} s, {seeded[1]:.1f} CPU s, {6 * cold[1] / seeded[1]:.1f} times less CPU"
        )
        with_sccache(warm)
        lock = warm.new(4) / "Cargo.lock"
        lock.write_text(lock.read_text() + "# fits no seed\n")
        for what, number in (
            ("with a target", 0),
            ("with a target of a seed", 2),
            ("without a target, and no seed fits", 4),
        ):
            role, least = cost_of_call(warm, number)
            print(f"a call {what}: {least:.0f} ms without the role, {role - least:+.1f} ms by it")
    finally:
        server.shutdown()
        subprocess.run([warm.host.libexec / "memory-pool", warm.host.policy, "--remove"], check=False)
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
