# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The cost of installing the toolchain, as ratios within one run.

An install by rustup_toolchain is compared with bare rustup-init, from one mirror on loopback: bytes and seconds. A second apply
is compared with one `ping`, both as plays with a local connection. The look at a compliant host is in ms.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
sys.path[:0] = [str(CHECKOUT / "tools/rust_mirror"), str(CHECKOUT / "tests/programs/toolchain")]

import demo_mirror  # noqa: E402
import fixture_mirror  # noqa: E402
from mirror_server import Server, serving  # noqa: E402
from repackage import channel_checksums  # noqa: E402
from rustup_wheel import VERSION, cache, rustup_init  # noqa: E402
from trees import Tree  # noqa: E402

ROUNDS = 5
COMPONENTS = ["clippy", "rustfmt"]

PLAY = """\
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
  tasks:
    - {task}
"""


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def bare(folder: Path, url: str, channel: str) -> None:
    """Run rustup-init as documented, into an empty folder. Its own download counts too."""
    folder.mkdir()
    installer = folder / "rustup-init"
    triple = fixture_mirror.TRIPLES[platform.machine()]
    subprocess.run(
        [sys.executable, "-c", "import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])",
         f"{url}/rustup/archive/{VERSION}/{triple}/rustup-init", installer], check=True,
    )  # fmt: skip
    installer.chmod(0o755)
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "RUSTUP_HOME": f"{folder}/rustup", "CARGO_HOME": f"{folder}/cargo",
        "RUSTUP_DIST_SERVER": url, "RUSTUP_UPDATE_ROOT": f"{url}/rustup", "RUSTUP_INIT_SKIP_PATH_CHECK": "yes",
    }  # fmt: skip
    words = [str(installer), "-y", "--no-modify-path", "--profile", "minimal", "--default-toolchain", channel]
    for name in COMPONENTS:
        words += ["--component", name]
    subprocess.run(words, env=environment, check=True, capture_output=True)


def compare_installs(base: Path, server: Server, channel: str, sums: dict[str, str]) -> None:
    seconds: dict[str, list[float]] = {"bare": [], "ours": []}
    sent: dict[str, int] = {}
    for number in range(ROUNDS):
        for name in ("bare", "ours"):
            folder = base / f"{name}{number}"
            server.sent = 0
            if name == "bare":
                seconds[name].append(timed(lambda folder=folder: bare(folder, server.url, channel)))  # type: ignore[misc]
            else:
                folder.mkdir()
                run = Tree(folder / "toolchain", server.url, sums)
                seconds[name].append(timed(lambda run=run: finished(run.start(channel, components=COMPONENTS))))  # type: ignore[misc]
            sent[name] = server.sent
            shutil.rmtree(folder)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"install   bare {medians['bare']:6.2f} s {sent['bare'] / 1e6:7.1f} MB")
    print(f"          ours {medians['ours']:6.2f} s {sent['ours'] / 1e6:7.1f} MB")
    print(f"          ratio {medians['ours'] / medians['bare']:5.2f} in time (at most 1.3), "
          f"{sent['ours'] / sent['bare']:.2f} in bytes")  # fmt: skip


def finished(run: subprocess.Popen[str]) -> None:
    _, errors = run.communicate()
    if run.returncode:
        raise RuntimeError(errors)


def compare_second_applies(base: Path, server: Server, channel: str, sums: dict[str, str]) -> None:
    tree = Tree(base / "toolchain", server.url, sums)
    tree.apply(channel, components=COMPONENTS)
    options = {**tree.options(channel, components=COMPONENTS), "path": str(tree.path), "dist_server": server.url,
               "manifest": str(base / "manifest.json"), "update_root": f"{server.url}/rustup"}  # fmt: skip
    plays = {"ping": "ansible.builtin.ping: {}", "second apply": f"nova.agent_host.rustup_toolchain: {options}"}
    for name, task in plays.items():
        (base / name).write_text(PLAY.format(task=task))
    environment = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0"}

    def play(name: str) -> None:
        subprocess.run(["ansible-playbook", base / name], env=environment, check=True, capture_output=True)

    play("second apply")  # records the tree
    server.requests.clear()
    seconds = {name: statistics.median(timed(lambda name=name: play(name)) for _ in range(ROUNDS)) for name in plays}  # type: ignore[misc]
    print(f"re-apply  ping {seconds['ping']:6.2f} s, module {seconds['second apply']:.2f} s, "
          f"ratio {seconds['second apply'] / seconds['ping']:.2f}, {len(server.requests)} requests")  # fmt: skip
    look = statistics.median(timed(tree.observe) for _ in range(50))
    print(f"the look  {look * 1000:.1f} ms on a compliant host, without an extra trip")


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("only root can own a toolchain tree: run this as root")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        base = Path(name)
        real = demo_mirror.from_toolchain(cache())
        if real:
            root, channel, version = real
            print(f"Rust {version} of this machine, {ROUNDS} rounds, medians")
        else:
            root, channel = base / "mirror", "1.92.0"
            fixture_mirror.build(root, rustup_init(), [channel])
            print(f"a FIXTURE of Rust {channel} (this machine has no toolchain), {ROUNDS} rounds, medians")
        with serving(root) as server:
            compare_installs(base, server, channel, channel_checksums(root))
            compare_second_applies(base, server, channel, channel_checksums(root))


if __name__ == "__main__":
    main()
