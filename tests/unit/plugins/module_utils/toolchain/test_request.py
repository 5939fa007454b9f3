# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.environment import (
    check_environment,
    is_public,
    network_environment,
)
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.request import (
    Request,
    RequestError,
    architecture,
    check_source,
    manifest_path,
    source_url,
)

SUM = "4acc9acc76d5079515b46346a485974457b5a79893cfb01112423c89aeb5aa10"
OPTIONS: dict[str, Any] = {"channel": "1.92.0", "rustup_version": "1.29.0", "rustup_checksums": {"x86_64": SUM}}


def test_request_is_recorded_in_one_normal_form():
    short = Request.from_options({**OPTIONS, "extra": [{"channel": "nightly-2026-05-19"}]})
    long = Request.from_options(
        {
            **OPTIONS,
            "profile": "minimal",
            "components": [],
            "targets": None,
            "extra": [{"channel": "nightly-2026-05-19", "profile": None, "components": [], "targets": []}],
            "purge": False,
            "path": "/opt/x",
        }
    )
    assert short.to_dict() == long.to_dict()
    assert Request.from_options(short.to_dict()) == short
    assert json.loads(json.dumps(short.to_dict())) == short.to_dict()


def test_order_and_repetition_of_components_do_not_matter():
    one = Request.from_options({**OPTIONS, "components": ["rustfmt", "clippy", "clippy"]})
    assert one == Request.from_options({**OPTIONS, "components": ["clippy", "rustfmt"]})
    assert one != Request.from_options({**OPTIONS, "components": ["clippy"]})


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"channel": None}, "channel is None"),
        ({"channel": 1.92}, "channel is 1.92"),
        ({"channel": "1.92.0; id"}, "channel is '1.92.0; id'"),
        ({"profile": "tiny"}, "profile is 'tiny'"),
        ({"components": "clippy"}, "components is 'clippy'"),
        ({"components": ["--force"]}, "components is '--force'"),
        ({"extra": [{"channel": "nightly", "component": []}]}, "extra[0]. has component;"),
        ({"extra": [{"channel": "1.92.0"}]}, "extra names 1.92.0 twice"),
        ({"rustup_version": "latest"}, "rustup_version is 'latest'"),
        ({"rustup_checksums": {}}, "rustup_checksums is {}"),
        ({"rustup_checksums": {"arm64": SUM}}, "rustup_checksums names 'arm64'"),
        ({"rustup_checksums": {"x86_64": "abc"}}, "rustup_checksums.x86_64 is 'abc'"),
    ],
)
def test_invalid_request_is_refused(change: dict[str, Any], shown: str):
    with pytest.raises(RequestError) as error:
        Request.from_options({**OPTIONS, **change})
    assert str(error.value).startswith(shown)


def test_each_architecture_has_its_checksum():
    request = Request.from_options({**OPTIONS, "rustup_checksums": {"x86_64": SUM, "aarch64": "a" * 64}})
    assert (request.checksum(architecture("x86_64")), request.checksum(architecture("arm64"))) == (SUM, "a" * 64)
    with pytest.raises(RequestError) as error:
        Request.from_options(OPTIONS).checksum("aarch64")
    assert "rustup_checksums" in str(error.value) and "aarch64" in str(error.value)
    with pytest.raises(RequestError) as error:
        architecture("riscv64")
    assert "riscv64" in str(error.value) and "aarch64 and x86_64" in str(error.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("https://static.rust-lang.org", "https://static.rust-lang.org"),
        ("http://mirror.example:8080/rust/", "http://mirror.example:8080/rust"),
        ("file:///srv/rustup", "file:///srv/rustup"),
        ("file:///srv//rustup//", "file:///srv/rustup"),
        ("https://host/rust-static//rustup", "https://host/rust-static/rustup"),
    ],
)
def test_source_is_normalized(value: str, expected: str):
    assert source_url(value, "dist_server") == expected


@pytest.mark.parametrize(
    "url", ["https://me:secret@mirror.example", "https://secret@mirror.example/x", "http://:secret@m"]
)
def test_password_is_refused_and_not_shown(url: str):
    with pytest.raises(RequestError) as error:
        source_url(url, "dist_server")
    assert "secret" not in str(error.value) and str(error.value).startswith("dist_server ")


@pytest.mark.parametrize(
    "value", ["", None, "mirror.example", "ftp://mirror.example", "http://a b", "https://", "http://m?x"]
)
def test_invalid_source_is_refused(value: Any):
    with pytest.raises(RequestError) as error:
        source_url(value, "update_root")
    assert str(error.value) == (
        f"update_root is {value!r}; allowed is http://, https:// or file://, such as https://static.rust-lang.org"
    )


@pytest.mark.parametrize(
    ("channel", "path"),
    [
        ("1.92.0", "dist/channel-rust-1.92.0.toml"),
        ("stable", "dist/channel-rust-stable.toml"),
        ("nightly-2026-05-20", "dist/2026-05-20/channel-rust-nightly.toml"),
    ],
)
def test_path_of_a_manifest_follows_from_the_channel(channel: str, path: str):
    assert manifest_path(channel) == path


def test_http_needs_a_checksum_for_each_channel():
    extra = {"extra": [{"channel": "1.93.0"}]}
    sums = {"channel_checksums": {"1.92.0": SUM}}
    check_source(Request.from_options({**OPTIONS, **sums}), "http://mirror.example")
    check_source(Request.from_options({**OPTIONS, **extra}), "https://mirror.example")
    check_source(Request.from_options({**OPTIONS, **extra}), "file:///srv/rustup")
    with pytest.raises(RequestError, match=r"agent_toolchain_channel_checksums has no sha256 for 1\.93\.0"):
        check_source(Request.from_options({**OPTIONS, **sums, **extra}), "http://mirror.example", "agent_toolchain_")


def test_checksum_must_belong_to_a_requested_channel():
    sums = {"channel_checksums": {"1.92.0": SUM, "1.40.0": "a" * 64}}
    request = Request.from_options({**OPTIONS, **sums})
    assert request.toolchains[0].sha256 == SUM
    assert request.to_dict()["channel_checksums"] == {"1.92.0": SUM}
    assert Request.from_options(request.to_dict()) == request
    for wrong in ({"1.92.0": "x"}, {1.92: SUM}, [SUM]):
        with pytest.raises(RequestError, match="channel_checksums"):
            Request.from_options({**OPTIONS, "channel_checksums": wrong})


def test_only_allowed_variables_are_passed_to_rustup():
    given = {"https_proxy": "http://u:p@proxy.example:3128", "RUSTUP_MAX_RETRIES": 5, "SSL_CERT_FILE": "/etc/x.pem"}
    assert check_environment(given, "e")["RUSTUP_MAX_RETRIES"] == "5"
    for name in ("RUSTUP_HOME", "CARGO_HOME", "LD_PRELOAD", "RUSTUP_DIST_SERVER", "PYTHONPATH"):
        with pytest.raises(RequestError, match=f"e has {name};") as error:
            check_environment({**given, name: "secret"}, "e")
        assert "secret" not in str(error.value)
    assert [is_public(name, str(value)) for name, value in given.items()] == [False, True, True]


def test_all_proxy_is_also_used_by_python():
    found = network_environment({"ALL_PROXY": "http://p:1"}, {"PATH": "/bin", "RUSTUP_HOME": "/x", "LD_PRELOAD": "/y"})
    assert found == {"ALL_PROXY": "http://p:1", "http_proxy": "http://p:1", "https_proxy": "http://p:1", "PATH": "/bin"}
    assert (
        network_environment({"all_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, {})["HTTPS_PROXY"] == "http://q:1"
    )
    with pytest.raises(RequestError, match="the proxy in ALL_PROXY is a SOCKS proxy"):
        network_environment({"ALL_PROXY": "socks5h://p:1"}, {})
