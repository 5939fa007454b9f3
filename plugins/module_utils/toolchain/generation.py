# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Build a generation: install rustup and toolchains in a new folder, check them, and make them read-only.

The generation in use does not change. If a run is killed, the next run removes its folder.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO

from ..host.child import Rights, acting_as, lower_limits
from ..state.look import is_roots
from ..state.paths import sha256_file
from .compare import Plan, toolchain_path
from .environment import network_environment
from .fetch import LARGEST, FetchError, download, fetch, is_unreachable, verify, write_manifest
from .forbid import run_nothing_below
from .request import TRIPLES, UPSTREAM, Request, Toolchain, manifest_path, short_names
from .state import PYTHON_CACHE, RECEIPT, Inspection, fingerprint

TAIL = 15  # lines of a failed command that an error shows
CHECKER = 65534  # nobody: downloaded programs are checked with these rights only
CHECK_MEMORY = 16 << 30  # address space
CHECK_SECONDS = 120
MOST_OUTPUT = 1 << 16  # bytes of a program's output that are read
SHIM_ENVIRONMENT = """\
# SPDX-License-Identifier: Apache-2.0
# Read by the shims. It has the path of this generation, so that a running build does not change its toolchain.
RUSTUP_HOME={home}
_toolchain_triple={triple}
_toolchain_channel={channel}
"""


class InstallError(Exception):
    """An installation failed. The current toolchain did not change. The message has the failed step and the reason."""


@dataclass(frozen=True)
class Source:
    """``dist_server`` has the toolchains, ``update_root`` has rustup. ``timeout`` (s) is for one rustup command.
    ``environment`` is for rustup and the downloads, see environment.py."""

    dist_server: str
    update_root: str
    timeout: float = 1800.0
    environment: Mapping[str, str] = field(default_factory=lambda: network_environment({}, os.environ))


class Generation:
    """A generation that is being built. ``lock`` is a descriptor that rustup inherits."""

    def __init__(self, root: str, architecture: str, source: Source, lock: int) -> None:
        self.root = root
        self.home = os.path.join(root, "rustup")
        self.scratch = os.path.join(root, "tmp")
        self.architecture = architecture
        self.triple = TRIPLES[architecture]
        self.source = source
        self.lock = lock

    def build(self, request: Request, steps: Plan, old: Inspection) -> None:
        """Install everything in ``request`` and ``steps``. Raises InstallError, FetchError and OSError."""
        os.mkdir(self.scratch, 0o755)
        self._install_rustup(request, old)
        for toolchain in steps.keep:
            self._take_over(toolchain, old)
        for toolchain in steps.install:
            self._install(toolchain)
        self._rustup("default", self._name(request.toolchains[0]))
        self._link_short_names(request.toolchains[0])
        installed = [
            {
                **toolchain.to_dict(),
                "sha256": toolchain.sha256,
                "name": self._name(toolchain),
                "version": self.check(toolchain),
            }
            for toolchain in (*request.toolchains, *(spare for spare in steps.keep if spare not in request.toolchains))
        ]
        self._finish(request, installed)

    def _link_short_names(self, pin: Toolchain) -> None:
        for name in short_names(pin.channel):
            path = os.path.join(self.root, toolchain_path(name, self.triple))
            if not os.path.lexists(path):  # an extra toolchain can have this name
                os.symlink(self._name(pin), path)

    def _name(self, toolchain: Toolchain) -> str:
        return f"{toolchain.channel}-{self.triple}"

    def _install_rustup(self, request: Request, old: Inspection) -> None:
        installer = os.path.join(self.scratch, "rustup-init")
        wanted = request.checksum(self.architecture)
        if old.generation and old.intact("bin/rustup"):
            os.link(os.path.join(old.generation, "bin/rustup"), installer)
        if not os.path.exists(installer) or sha256_file(installer) != wanted:
            if os.path.exists(installer):
                os.unlink(installer)
            url = f"{self.source.update_root}/archive/{request.rustup_version}/{self.triple}/rustup-init"
            with _named(f"rustup-init {request.rustup_version}", "update_root"):
                download(url, installer, wanted, f"rustup_checksums.{self.architecture}")
            os.chmod(installer, 0o755)
        self._run(
            installer, "-y", "--no-modify-path", "--default-toolchain", "none", "--profile", "minimal",
            "--default-host", self.triple, environment=self._environment(self.source.dist_server),
        )  # fmt: skip
        # before any toolchain; otherwise rustup replaces itself without a checksum, and installs a checkout's toolchain
        self._rustup("set", "auto-self-update", "disable")
        self._rustup("set", "auto-install", "disable")

    def _take_over(self, toolchain: Toolchain, old: Inspection) -> None:
        """Use a compliant toolchain of the old generation, as hard links."""
        if old.generation is None:
            raise InstallError(f"the old generation with {toolchain.channel} is missing: apply again")
        path = toolchain_path(toolchain.channel, self.triple)
        shutil.copytree(
            os.path.join(old.generation, path),
            os.path.join(self.root, path),
            symlinks=True,
            copy_function=_link,
            ignore=shutil.ignore_patterns(PYTHON_CACHE),
        )

    def _install(self, toolchain: Toolchain) -> None:
        words = ["toolchain", "install", toolchain.channel, "--profile", toolchain.profile, "--no-self-update"]
        for option, names in (("--component", toolchain.components), ("--target", toolchain.targets)):
            for name in names:
                words += [option, name]
        server = self._pinned_channel(toolchain) if toolchain.sha256 else self._unpinned_server(toolchain)
        try:
            self._rustup(*words, server=server)
        except InstallError as error:
            if "could not download nonexistent rust version" not in str(error):
                raise InstallError(
                    f"toolchain {toolchain.channel} can't be installed from {self.source.dist_server} "
                    f"({_variable('dist_server')}): {error}"
                ) from error
            raise InstallError(
                f"{self.source.dist_server} ({_variable('dist_server')}) has no toolchain {toolchain.channel} for "
                f"{self.triple}: change the channel, or add it to the mirror"
            ) from error

    def _unpinned_server(self, toolchain: Toolchain) -> str:
        server = self.source.dist_server
        if server.startswith("file://") and not is_roots(server[len("file://") :]):
            raise InstallError(
                f"{server} ({_variable('dist_server')}) is a folder that other accounts may change, and "
                f"channel_checksums has no sha256 for {toolchain.channel}: add the checksum that "
                "nova.agent_host.mirror prints"
            )
        return server

    def _pinned_channel(self, toolchain: Toolchain) -> str:
        """A file:// server for rustup that has only the verified manifest. rustup downloads all other files from the
        original server, and compares them with the checksums in the manifest."""
        path = manifest_path(toolchain.channel)
        url = f"{self.source.dist_server}/{path}"
        with _named(f"the manifest of {toolchain.channel}", "dist_server"):
            content = fetch(url)
            verify(url, content, toolchain.sha256, f"channel_checksums.{toolchain.channel}")
        server = os.path.join(self.scratch, f"channel-{toolchain.channel}")
        unaltered = f'"{_unaltered(self.source.dist_server)}/'.encode()
        write_manifest(server, path, content.replace(f'"{UPSTREAM}/'.encode(), unaltered))
        return f"file://{server}"

    def check(self, toolchain: Toolchain) -> str:
        """Run the installed programs as nobody, and return rustc's version line. Raises InstallError."""
        sysroot = os.path.join(self.root, toolchain_path(toolchain.channel, self.triple))
        rustc = os.path.join(sysroot, "bin/rustc")
        os.chmod(self.root, 0o711)  # the account nobody must reach rustc; set_modes comes later
        place = tempfile.mkdtemp(prefix="check-", dir=self.scratch)
        os.chown(place, CHECKER, CHECKER)
        try:
            version = self._check(place, rustc, "-vV").split("\n")[0]
            if not matches(toolchain.channel, version):
                raise InstallError(f"{rustc} -vV prints {version!r}, which is not {toolchain.channel}")
            self._check(place, os.path.join(sysroot, "bin/cargo"), "-V")
            missing = missing_components(sysroot, toolchain, self.triple)
            if missing:
                raise InstallError(f"toolchain {toolchain.channel} was installed without {', '.join(missing)}")
            if shutil.which("cc"):
                self._compile(place, rustc)
            return version
        finally:
            with suppress(OSError), acting_as(Rights(CHECKER, CHECKER)):
                shutil.rmtree(place)  # the folder itself is removed with the scratch folder

    def _compile(self, place: str, rustc: str) -> None:
        crate, program = os.path.join(self.scratch, "check.rs"), os.path.join(place, "check")
        with open(crate, "w", encoding="utf-8") as file:
            file.write('fn main() { print!("compiled") }\n')
        self._check(place, rustc, "--edition", "2021", "-o", program, crate)
        output = self._check(place, program)
        if output != "compiled":
            raise InstallError(f"a program that {rustc} compiled prints {output!r}, not 'compiled'")

    def _check(self, place: str, *command: str) -> str:
        """Run a downloaded program without rights, and return its output."""
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": place, "TMPDIR": place, "LC_ALL": "C"}
        return self._run(*command, environment=environment, cwd=place, unprivileged=True)

    def _finish(self, request: Request, installed: Sequence[Mapping[str, Any]]) -> None:
        """Remove temporary files, make the generation read-only, and write its receipt."""
        shutil.rmtree(self.scratch)
        for name in os.listdir(self.root):
            if name.startswith("env"):  # rustup-init's scripts for shell profiles, which no shim needs
                os.unlink(os.path.join(self.root, name))
        for name in ("tmp", "downloads"):
            shutil.rmtree(os.path.join(self.home, name), ignore_errors=True)
        with open(os.path.join(self.root, "env"), "w", encoding="utf-8") as file:
            file.write(
                SHIM_ENVIRONMENT.format(home=self.home, triple=self.triple, channel=request.toolchains[0].channel)
            )
        set_modes(self.root)
        receipt = {"request": request.to_dict(), "toolchains": installed, "files": fingerprint(self.root)}
        path = os.path.join(self.root, RECEIPT)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(receipt, file, indent=0, sort_keys=True)
        os.chmod(path, 0o644)

    def _rustup(self, *words: str, server: str = "") -> str:
        environment = self._environment(server or self.source.dist_server)
        return self._run(os.path.join(self.root, "bin/rustup"), *words, environment=environment)

    def _run(
        self, *command: str, environment: Mapping[str, str], cwd: str | None = None, unprivileged: bool = False
    ) -> str:
        """Run ``command``, and return its output. Raises InstallError with its last lines."""
        shown = " ".join([os.path.basename(command[0]), *command[1:]])
        seconds = CHECK_SECONDS if unprivileged else self.source.timeout
        # Files instead of pipes: a process left behind can't block this module or fill its memory.
        with tempfile.TemporaryFile(dir=self.scratch) as output, tempfile.TemporaryFile(dir=self.scratch) as errors:
            try:
                done = subprocess.run(  # pylint: disable=ansible-bad-function # run_command has no timeout
                    command, env=dict(environment), cwd=cwd or self.scratch, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=errors, timeout=seconds, check=False, pass_fds=() if unprivileged else (self.lock,),
                    preexec_fn=_drop_rights if unprivileged else partial(_limit_rustup, self.home),
                )  # fmt: skip
            except OSError as error:
                hint = " (is its file system noexec?)" if isinstance(error, PermissionError) else ""
                raise InstallError(f"{command[0]} can't be run: {error.strerror}{hint}") from error
            except subprocess.TimeoutExpired as error:
                hint = "is the host overloaded?" if unprivileged else "raise timeout"
                raise InstallError(f"`{shown}` was killed after {seconds:g} s: {hint}") from error
            except subprocess.SubprocessError as error:
                raise InstallError(f"`{shown}` can't be run as nobody: {error}") from error
            text, problems = _text(output), _text(errors)
        if done.returncode:
            lines = [line.strip() for line in (problems + text).strip().split("\n")]
            tail = "; ".join(line for line in lines[-TAIL:] if line)
            raise InstallError(f"`{shown}` ended with status {done.returncode}: {tail}")
        return text

    def _environment(self, server: str) -> dict[str, str]:
        return {
            **self.source.environment,
            "RUSTUP_HOME": self.home,
            "CARGO_HOME": self.root,  # rustup-init creates bin/ here
            "RUSTUP_DIST_SERVER": server,
            "RUSTUP_UPDATE_ROOT": self.source.update_root,
            "RUSTUP_IO_THREADS": "1",  # uses a third of the address space, and is not slower
            "RUSTUP_INIT_SKIP_PATH_CHECK": "yes",
            "RUSTUP_INIT_SKIP_SUDO_CHECK": "yes",
            "RUSTUP_TERM_COLOR": "never",
            "TMPDIR": self.scratch,  # /tmp may be noexec
        }


def _text(file: BinaryIO) -> str:
    """The end of the file."""
    file.seek(-min(file.seek(0, os.SEEK_END), MOST_OUTPUT), os.SEEK_END)
    return file.read(MOST_OUTPUT).decode(errors="replace")


def _limit_rustup(home: str) -> None:
    """In the child. rustup verifies the size of a download only by its checksum, at the end. It would run the new rustc
    as root, to show its version, and accepts that this fails."""
    lower_limits({resource.RLIMIT_FSIZE: LARGEST})
    run_nothing_below(home)


def _drop_rights() -> None:
    """In the child: set limits, then drop all rights."""
    lower_limits({resource.RLIMIT_CORE: 0, resource.RLIMIT_AS: CHECK_MEMORY, resource.RLIMIT_FSIZE: 1 << 30})
    os.setgroups([])
    os.setresgid(CHECKER, CHECKER, CHECKER)
    os.setresuid(CHECKER, CHECKER, CHECKER)


def _variable(option: str) -> str:
    return f"option {option}, agent_toolchain_{option} of the role"


def _unaltered(server: str) -> str:
    """``server`` in a form that rustup does not replace: it replaces the official server by RUSTUP_DIST_SERVER."""
    return f"https://{UPSTREAM[len('https://') :].upper()}" if server == UPSTREAM else server


@contextmanager
def _named(what: str, option: str) -> Iterator[None]:
    """Add to a download error what was downloaded, and the option of the server."""
    try:
        yield
    except FetchError as error:
        raise FetchError(f"{what} can't be downloaded: {error} ({_variable(option)}){_remedy(error)}") from error


def _remedy(error: FetchError) -> str:
    if not is_unreachable(error):
        return ""
    return (
        "; if the host can't reach this server, set agent_toolchain_dist_server to a mirror, "
        "or https_proxy in agent_toolchain_environment"
    )


def matches(channel: str, version: str) -> bool:
    """Whether rustc's version line, such as ``rustc 1.92.0 (ded5c06cf 2025-12-08)``, fits ``channel``."""
    words = version.split()
    release = words[1] if len(words) > 1 and words[0] == "rustc" else ""
    name = re.sub(r"-\d{4}-\d{2}-\d{2}$", "", channel)
    pattern = {
        "stable": r"\d+\.\d+\.\d+",
        "beta": r"\d+\.\d+\.\d+-beta(\.\d+)?",
        "nightly": r"\d+\.\d+\.\d+-nightly",
    }.get(name, re.escape(name) + {1: r"\.\d+", 2: ""}.get(name.count("."), r"(\.\d+)?"))
    return re.fullmatch(pattern, release) is not None


def missing_components(sysroot: str, toolchain: Toolchain, triple: str) -> list[str]:
    """The requested components and targets that are not in the sysroot's list. Raises OSError without a list."""
    with open(os.path.join(sysroot, "lib/rustlib/components"), encoding="utf-8") as file:
        have = set(file.read().split())
    wanted = {name: (name, f"{name}-preview") for name in ("rustc", "cargo", *toolchain.components)}
    missing = [
        name
        for name, names in wanted.items()
        if not have.intersection(names) and not have.intersection(f"{spelt}-{triple}" for spelt in names)
    ]
    return missing + [target for target in (triple, *toolchain.targets) if f"rust-std-{target}" not in have]


def set_modes(root: str) -> None:
    """Give everything below ``root`` to this account (root), writable only for it, independent of the umask."""
    owner, group = os.geteuid(), os.getegid()
    for folder, folders, files in os.walk(root):
        os.chown(folder, owner, group)
        os.chmod(folder, 0o755)
        for name in [*files, *folders]:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            os.lchown(path, owner, group)
            if stat.S_ISREG(mode):
                os.chmod(path, 0o755 if mode & 0o111 else 0o644)


def _link(source: str, target: str, *, follow_symlinks: bool = True) -> None:
    os.link(source, target, follow_symlinks=False)
