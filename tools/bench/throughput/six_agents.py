#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Six agents build and test real crates at once: with the gate, with slots as before, without a rule, and one after
another. Prints times as ratios, failed commands, killed processes, and the maximum memory.

    systemd-run --scope -p MemoryMax=3G -p MemorySwapMax=0 python tools/bench/throughput/six_agents.py [--rounds 3] [CRATE ...]

    --edit     the dependencies are built already, and the first of a chain of five crates has changed
    --jobs N   cargo starts up to N processes, as on a host with N CPUs

The crates are from Debian's packages, the toolchain from this machine. Each agent is an account without a name.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[3] / "tests/programs"))

from wrappers.host import CHANNEL, GIB, TRIPLE, Host, render

from throughput.record import fetch

AGENTS, GROUP = range(56000, 56006), 55999
FOR_AGENTS = 3  # GiB
CAP = 1  # GiB, of a process
SLOTS = 1  # before the gate: available memory / that of an agent, by the jobs of a command
CHAIN = ("memchr", "aho-corasick", "regex", "globset", "ignore")  # each needs the one before it
PASSES = 3  # of the test, over the sources of all crates
MANIFEST = '[package]\nname = "work"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
CONFIG = '[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "{}"\n'
UNIT_TEST = "#[test]\nfn passes() {}\n"
# Uses one CPU, as most tests that agents run after an edit.
TEST = """use std::{collections::HashMap, fs, path::Path};
fn count(folder: &Path, words: &mut HashMap<String, usize>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { count(&path, words) }
        else if path.extension().is_some_and(|end| end == "rs") {
            for word in fs::read_to_string(path).unwrap().split_whitespace() { *words.entry(word.to_owned()).or_default() += 1 }
        }
    }
}
#[test]
fn counts_words() {
    for _ in 0..PASSES {
        let mut words = HashMap::new();
        count(Path::new("REGISTRY"), &mut words);
        assert!(words.len() > 1000);
    }
}
"""
CARGO = "cargo --offline test --quiet"
COMMANDS = {
    "one after another": f"ulimit -v {CAP << 20}; {CARGO}",
    "without a rule": f"ulimit -v {CAP << 20}; {CARGO}",
    "slots, as before": f"ulimit -v {CAP << 20}; exec 9<../slot; flock 9; {CARGO}",
    "the gate": 'exec bash "$AGENT" --offline test --quiet -p work',
}


def checkout(host: Host, agent: int, crates: list[str], registry: Path, own: Sequence[str]) -> Path:
    """A folder with a package that needs these crates. The agent has an own copy of ``own`` beside the package."""
    place = host.root / str(agent)
    patches = ""
    for crate in own:
        (source,) = registry.glob(f"{crate}-[0-9]*")
        shutil.copytree(source, copy_of(host, agent, crate), symlinks=True)
        patches += f'{crate} = {{ path = "{copy_of(host, agent, crate)}" }}\n'
    for name, text in {
        "Cargo.toml": MANIFEST + "".join(f'{crate} = "*"\n' for crate in crates) + f"[patch.crates-io]\n{patches}",
        ".cargo/config.toml": CONFIG.format(registry),
        "src/lib.rs": UNIT_TEST,
        "tests/all.rs": TEST.replace("REGISTRY", str(registry)).replace("PASSES", str(PASSES)),
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    subprocess.run(["chown", "-R", f"{agent}:{GROUP}", place], check=True)
    return place


def copy_of(host: Host, agent: int, crate: str) -> Path:
    return host.root / f"{agent}-crates" / crate


def run(host: Host, agent: int, command: str, jobs: int | None = None) -> subprocess.Popen[bytes]:
    place = host.root / str(agent)
    env = host.environment(
        PATH=f"{host.home}/toolchains/{CHANNEL}-{TRIPLE}/bin:/usr/bin:/bin",
        HOME=str(place),
        AGENT=str(host.cargo_agent),
        NOVA_CARGO_LIMIT_AS=f"{CAP}G",
        CARGO_BUILD_JOBS=str(jobs) if jobs else None,
    )
    become = ["setpriv", f"--reuid={agent}", f"--regid={GROUP}", "--clear-groups", "--"]
    with open(place / "log", "ab") as log:
        return subprocess.Popen(
            [*become, "bash", "-c", command], cwd=place, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def killed() -> int:
    return int(re.findall(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)[0])


def resident() -> int:
    """Bytes of all processes of the agents. Shared pages are divided by the number of processes."""
    total = 0
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{process}").st_uid in AGENTS:
                total += int(re.findall(r"^Pss: *(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)[0])
        except (OSError, IndexError):
            continue
    return total << 10


def measure(host: Host, name: str, edit: bool, jobs: int | None) -> tuple[float, int, int, int]:
    """Seconds, failed commands, killed processes, and the maximum memory."""
    for agent in AGENTS:
        if edit:
            os.utime(copy_of(host, agent, CHAIN[0]) / "src/lib.rs")
        else:
            shutil.rmtree(host.root / str(agent) / "target", ignore_errors=True)
    most, failed, before, done = 0, 0, killed(), threading.Event()

    def sample() -> None:
        nonlocal most
        while not done.wait(0.5):
            most = max(most, resident())

    watcher = threading.Thread(target=sample)
    watcher.start()
    start = time.monotonic()
    if name == "one after another":
        failed = sum(run(host, agent, COMMANDS[name], jobs).wait() != 0 for agent in AGENTS)
    else:
        running = [run(host, agent, COMMANDS[name], jobs) for agent in AGENTS]
        failed = sum(process.wait() != 0 for process in running)
    seconds = time.monotonic() - start
    done.set()
    watcher.join()
    return seconds, failed, killed() - before, most


def main(crates: list[str], rounds: int, edit: bool, jobs: int | None) -> None:
    sysroot = Path(subprocess.check_output(["rustc", "--print", "sysroot"], text=True, cwd="/").strip())
    with tempfile.TemporaryDirectory(prefix="six-agents-") as folder:
        os.chmod(folder, 0o755)
        root = Path(folder)
        host = render(root, slots=len(AGENTS), pool_bytes=FOR_AGENTS * GIB, memory_per_agent=CAP * GIB)
        subprocess.run([host.libexec / "memory-pool", host.policy, "--remove"], check=True)
        host.change_policy(POOL_GROUP=GROUP)
        host.make_pool()
        toolchain = host.toolchain(f"{CHANNEL}-{TRIPLE}").parents[1]
        shutil.rmtree(toolchain)
        subprocess.run(["cp", "-a", "--link", sysroot, toolchain], check=True)
        shutil.copytree(fetch(), root / "registry", symlinks=True)
        (root / "slot").touch()
        for agent in AGENTS:
            checkout(host, agent, crates, root / "registry", CHAIN if edit else ())
            run(host, agent, "cargo --offline generate-lockfile --quiet").wait()
            if edit:
                run(host, agent, f"{CARGO} --no-run").wait()
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        counts: dict[str, list[tuple[int, int, int]]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name in COMMANDS:
                seconds, *rest = measure(host, name, edit, jobs)
                taken[name].append(seconds)
                counts[name].append(tuple(rest))
                print(f"{name}: {seconds:.0f} s {rest}", file=sys.stderr, flush=True)
    print(
        f"{len(AGENTS)} agents, {', '.join(crates)}, {'after an edit' if edit else 'cold'}; jobs: {jobs or 'default'}; "
        f"{FOR_AGENTS} GiB for agents, {CAP} GiB for a process; {rounds} rounds"
    )
    print(f"load of the machine: {os.getloadavg()[0]:.0f} on {os.cpu_count()} CPUs\n")
    print(
        "| | seconds | of one after another | of without a rule | failed | killed | most memory |\n|---|--:|--:|--:|--:|--:|--:|"
    )
    for name in COMMANDS:
        ratios = [
            statistics.median(one / other for one, other in zip(taken[name], taken[base]))
            for base in ("one after another", "without a rule")
        ]
        print(
            f"| {name} | {statistics.median(taken[name]):.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {sum(one[0] for one in counts[name])} | "
            f"{sum(one[1] for one in counts[name])} | {max(one[2] for one in counts[name]) / GIB:.1f} GiB |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("crates", nargs="*", default=["grep", "clap", "serde_json", "ignore"], metavar="CRATE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edit", action="store_true")
    parser.add_argument("--jobs", type=int)
    arguments = parser.parse_args()
    main(arguments.crates, arguments.rounds, arguments.edit, arguments.jobs)
