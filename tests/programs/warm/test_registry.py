# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Crates from a registry: the service publishes them at one path, and agents need neither the network nor a cache.

The registry is a STAND-IN for the public registry on loopback, with cargo's own protocol.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.warm.seeds import damage_of
from wrappers.host import GUARD, Result
from wrappers.test_real_cargo import REAL

from .host import ACCOUNT, Warm, as_account, compiled
from .workspace import DEPENDENCIES, PACKAGE, SPARE, crates_io

pytestmark = [
    pytest.mark.skipif(REAL is None, reason="this machine has no rustc with a C linker"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, as publishing does"),
]
ALL_CRATES = DEPENDENCIES | {"nova-core"}


class Server(ThreadingHTTPServer):
    """Serves the files of the STAND-IN while it is ``up``."""

    up = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files = crates_io(self.url)

    def use_tls(self, folder: Path) -> Path:
        """Give the server a certificate, and return it. Clients have to trust it."""
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        new = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=FIXTURE", "-keyout", key]
        subprocess.run(
            [*new, "-out", certificate, "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")
        return certificate


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        body = self.server.files.get(self.path[1:]) if self.server.up else None
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as one, serving(one):
        yield one


@contextmanager
def serving(server: Server) -> Iterator[None]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()


@pytest.fixture(scope="module")
def warm(server: Server) -> Iterator[Warm]:
    root = Path(tempfile.mkdtemp(prefix="nova-agent-warm-", dir="/srv"))
    root.chmod(0o755)
    host = Warm(root, server.url)
    host.publish()
    yield host
    shutil.rmtree(root)


@pytest.fixture
def home(warm: Warm, server: Server) -> Iterator[Path]:
    """The empty home of an account. The server answers nothing, as without network."""
    server.up = False
    folder = Path(tempfile.mkdtemp(dir=warm.host.root))
    yield folder
    server.up = True
    shutil.rmtree(folder)


def build(warm: Warm, folder: Path, home: Path, *words: str, account: int = ACCOUNT, owned: bool = False) -> Result:
    """Run cargo_agent.sh as an account. With ``owned``, the files already belong to the account, and keep their ctime."""
    for own in () if owned else (folder, home):
        subprocess.run(["chown", "-R", f"{account}:0", own], check=True)
    environment = {"HOME": str(home), "PATH": f"{home}:{REAL}/bin:/usr/bin:/bin"}
    cargo = as_account(account, "bash", warm.host.cargo_agent)
    process = warm.host.start(*cargo, *(words or ("build",)), cwd=folder, **environment)
    out, err = process.communicate(timeout=GUARD)
    return Result(process.returncode, out, err, ran=True)


def add_dependency(checkout: Path, crate: str) -> None:
    with (checkout / "nova-core/Cargo.toml").open("a") as manifest:
        manifest.write(f'{crate} = "1"\n')


def test_two_accounts_without_network_compile_only_their_own_crates(warm: Warm, checkout: Path, home: Path) -> None:
    for account in (ACCOUNT, ACCOUNT + 1):
        result = build(warm, checkout, home, account=account)
        assert compiled(result) == {"nova-core"} and "3 of 3 dependencies" in result.err
        assert compiled(build(warm, checkout, home, account=account)) == set()
        assert not (home / ".cargo").exists()
        shutil.rmtree(checkout / "target")
    other = warm.checkout("other")
    (other / "Cargo.lock").write_text((other / "Cargo.lock").read_text() + "# fits no seed\n")
    assert build(warm, other, home).status != 0  # because there was no network
    shutil.rmtree(other)


@pytest.mark.parametrize("words", ["clippy -p nova-core", "lint", "nextest run -p nova-core", "run-it"])
def test_other_subcommands_and_aliases_use_the_seed(warm: Warm, checkout: Path, home: Path, words: str) -> None:
    tool = "clippy" if words == "lint" else words.split()[0]
    if tool == "nextest":
        program = shutil.which("cargo-nextest")
        assert program, "cargo-nextest is missing: it is in requirements-dev.txt"
        shutil.copy(program, home)
    elif tool == "clippy" and not (REAL / "bin/cargo-clippy").exists():
        pytest.skip("this machine's Rust has no clippy")
    with (checkout / ".cargo/config.toml").open("a") as configuration:
        configuration.write('[alias]\nlint = "clippy -p nova-core -- -Dwarnings"\nrun-it = "test -p nova-core --"\n')
    result = build(warm, checkout, home, *words.split())
    assert "3 of 3 dependencies" in result.err
    assert compiled(result) == {"nova-core"}
    assert compiled(build(warm, checkout, home, *words.split())) == set()


def test_crate_missing_in_the_published_registry_is_downloaded(
    warm: Warm, checkout: Path, home: Path, server: Server
) -> None:
    assert compiled(build(warm, checkout, home)) == {"nova-core"}
    (checkout / "nova-core/src/lib.rs").write_text("")
    (checkout / "Cargo.toml").touch()
    assert compiled(build(warm, checkout, home)) == {"nova-core"}  # checked again, with the same result
    server.up = True
    add_dependency(checkout, SPARE)
    result = build(warm, checkout, home)
    assert compiled(result) == ALL_CRATES | {SPARE}, result.err
    assert "own" in result.err and SPARE in (checkout / "Cargo.lock").read_text()
    again = build(warm, checkout, home)
    assert compiled(again) == set() and "cargo_agent" not in again.err


def test_seed_is_not_used_if_the_manifest_needs_more_crates(
    warm: Warm, checkout: Path, home: Path, server: Server
) -> None:
    server.up = True
    add_dependency(checkout, SPARE)
    result = build(warm, checkout, home)
    assert compiled(result) == ALL_CRATES | {SPARE} and "from seed" not in result.err


def test_workspace_inside_of_another_has_its_own_crates(warm: Warm, checkout: Path, home: Path, server: Server) -> None:
    """For cargo-fuzz and examples. The outer workspace has a lock and a seed; the inner one has no lock yet."""
    assert compiled(build(warm, checkout, home)) == {"nova-core"}
    server.up = True
    inner = checkout / "fuzz"
    (inner / "src").mkdir(parents=True)
    (inner / "src/lib.rs").touch()
    (inner / "Cargo.toml").write_text(
        f'{PACKAGE.format("nova-fuzz", "0.1.0")}[workspace]\n[dependencies]\n{SPARE} = "1"\n'
    )
    result = build(warm, inner, home)
    assert compiled(result) == {SPARE, "nova-fuzz"}, result.err
    assert compiled(build(warm, checkout / "nova-core", home)) == set()
    shutil.rmtree(checkout / "target")
    shutil.rmtree(inner / "target")
    (inner / "Cargo.lock").unlink()
    assert compiled(build(warm, inner, home)) == {SPARE, "nova-fuzz"} and not (checkout / "target").exists()


def test_new_crate_of_a_path_dependency_outside_of_the_workspace_is_downloaded(
    warm: Warm, checkout: Path, home: Path, server: Server
) -> None:
    beside = checkout.parent / "beside"
    (beside / "src").mkdir(parents=True)
    (beside / "src/lib.rs").touch()
    (beside / "Cargo.toml").write_text(f'{PACKAGE.format("beside", "0.1.0")}[dependencies]\nfix-plain = "1"\n')
    with (checkout / "nova-core/Cargo.toml").open("a") as manifest:
        manifest.write('beside = { path = "../../beside" }\n')
    assert compiled(build(warm, checkout, home)) == {"beside", "nova-core"}
    server.up = True
    with (beside / "Cargo.toml").open("a") as manifest:
        manifest.write(f'{SPARE} = "1"\n')
    result = build(warm, checkout, home, owned=True)
    shutil.rmtree(beside)
    assert result.status == 0 and SPARE in compiled(result), result.err


def test_subcommand_gets_the_cargo_home_of_the_account(warm: Warm, checkout: Path, home: Path) -> None:
    """Binstall, deny and audit write to CARGO_HOME. Calls of cargo by a subcommand use the seed."""
    assert compiled(build(warm, checkout, home)) == {"nova-core"}
    (home / "cargo-fetches").write_text(
        '#!/bin/sh\n[ ! "${CARGO_HOME-}" ] || exit 3\ncargo build && CARGO_MANIFEST_DIR= cargo fetches-again\n'
    )
    (home / "cargo-fetches-again").write_text('#!/bin/sh\n[ ! "${CARGO_HOME-}" ]\n')
    for name in ("cargo-fetches", "cargo-fetches-again"):
        (home / name).chmod(0o755)
    assert compiled(build(warm, checkout, home, "fetches", owned=True)) == set()


def test_needed_crates_stay_and_damaged_crates_are_replaced(
    warm: Warm, checkout: Path, home: Path, server: Server
) -> None:
    server.up = True
    crates = Path(warm.policy.home("nova"))
    (index,) = (crates / "registry/src").iterdir()
    manifest, notes = Path(f"{crates}.manifest"), Path(f"{crates}.json")
    for name in ("new-1.0.0", "old-1.0.0"):
        (index / name).mkdir()
        (index / name / "lib.rs").touch()
        with manifest.open("a") as file:
            file.write(f"{hashlib.sha256().hexdigest()}  {(index / name / 'lib.rs').relative_to(crates)}\n")
    notes.write_text(json.dumps({**json.loads(notes.read_text()), "old-1.0.0": 1}))
    assert "is up to date" in warm.publish()
    assert {path.name for path in index.iterdir()} == {f"{name}-1.0.0" for name in (*DEPENDENCIES, "new")}

    source = index / "fix-plain-1.0.0/src/lib.rs"
    source.write_text("pub fn three() -> u32 { 4 }")
    assert "fix-plain-1.0.0/src/lib.rs has other content" in damage_of(warm.policy.seeds, warm.seed.name)
    assert warm.step("verify").returncode == 1
    assert "3 of 3" in warm.publish()
    assert warm.step("verify").returncode == 0 and "3 }" in source.read_text()
    assert compiled(build(warm, checkout, home)) == {"nova-core"}


def test_cargo_started_by_its_path_uses_the_seed(warm: Warm, checkout: Path, home: Path) -> None:
    """Trybuild and many xtasks start cargo this way."""
    main = 'fn main() { assert!(std::process::Command::new(env!("CARGO")).args(["build", "-p", "nova-core"]).status().unwrap().success()) }'
    (checkout / "nova-core/examples").mkdir()
    (checkout / "nova-core/examples/task.rs").write_text(main)
    assert compiled(build(warm, checkout, home, "run", "--example", "task")) == {"nova-core"}
    assert compiled(build(warm, checkout, home)) == set()


def test_account_with_a_cargo_configuration_keeps_it(warm: Warm, checkout: Path, home: Path, server: Server) -> None:
    server.up = True
    (home / ".cargo").mkdir()
    (home / ".cargo/config.toml").write_text('[profile.dev.package."*"]\nopt-level = 1\n')
    result = build(warm, checkout, home)
    assert compiled(result) == ALL_CRATES and "from seed" not in result.err


def test_bundle_of_one_host_is_a_seed_on_another(warm: Warm, checkout: Path, home: Path) -> None:
    """With the same prefix: the published files of the first host are moved away, as on another host."""
    with (warm.host.root / "nova.bundle").open("wb") as file:
        pack = [warm.prefix / "bin/agent-warm", "pack", "nova"]
        messages = subprocess.run(pack, stdout=file, stderr=subprocess.PIPE, text=True, check=True).stderr
    digest = hashlib.sha256(Path(file.name).read_bytes()).hexdigest()
    assert digest in messages
    published, first = warm.prefix / "warm", warm.host.root / "first"
    published.rename(first)
    published.mkdir()
    data = Path(file.name).read_bytes()
    try:
        for source in (file.name, f"file://{file.name}"):
            warm.configure(source=source, packages=(), sha256="0" * 64)
            with pytest.raises(AssertionError, match=f"agent_warm_projects.*{digest}"):
                warm.publish()
            assert not (published / "seeds").exists() and not (published / ".bundle").exists()
            warm.configure(source=source, packages=(), sha256=digest)
            assert "is up to date" in warm.publish() and warm.step("verify").returncode == 0
            inode = warm.seed.stat().st_ino
            assert "is up to date" in warm.publish() and warm.seed.stat().st_ino == inode
            assert compiled(build(warm, checkout, home)) == {"nova-core"}
            for folder in (checkout / "target", published / "seeds", published / "cargo"):
                shutil.rmtree(folder)
        for part in (data[:-1000], data[:2000], b""):
            Path(file.name).write_bytes(part)
            warm.configure(source=file.name, packages=(), sha256=hashlib.sha256(part).hexdigest())
            done = warm.step("admit", "nova")
            assert done.returncode == 1 and done.stderr.startswith("agent-warm: project nova: "), done.stderr
            assert not list(published.glob("seeds/*"))
    finally:
        shutil.rmtree(published)
        first.rename(published)
        warm.configure()


def test_bundle_is_downloaded_by_https_from_a_trusted_server(warm: Warm) -> None:
    with Server() as server:
        certificate = server.use_tls(warm.host.root)
        server.files["nova.bundle"] = b"bundle"
        warm.configure(source=f"{server.url}/nova.bundle", packages=(), sha256="0" * 64)
        warm.state.mkdir(exist_ok=True)
        with serving(server):
            refused = warm.step("fetch", "nova")
            warm.publish("fetch", SSL_CERT_FILE=str(certificate))
    assert refused.returncode == 1 and "CERTIFICATE_VERIFY_FAILED" in refused.stderr
    assert (warm.state / "bundle").read_bytes() == b"bundle"
    unanswered = warm.step("fetch", "nova")
    assert unanswered.returncode == 1 and warm.policy.projects[0].source in unanswered.stderr
    warm.configure()
