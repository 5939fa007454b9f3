# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""What asks EC2, against moto: a stand-in for EC2 on this machine's loopback. Run by `make aws`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="module")
def ec2() -> Iterator[dict[str, str]]:
    """The environment in which a play finds the stand-in."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    server.stop()


def plan(instance_type: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", "nova.agent_host.plan", "-e", f"instance_type={instance_type}"]
    return subprocess.run(command, check=False, text=True, capture_output=True, env=environment)


def test_a_type_that_is_not_in_the_table_is_asked_from_ec2(ec2):
    run = plan("m5.4xlarge", ec2)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "m5.4xlarge: 16 CPUs, 64 GiB nominal" in run.stdout
    assert "(source: EC2's answer)" in run.stdout


def test_a_type_that_is_in_the_table_is_not_asked_for(ec2):
    run = plan("r7i.48xlarge", {**ec2, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "r7i.48xlarge: 192 CPUs, 1,536 GiB nominal" in run.stdout


def test_a_type_that_nobody_knows_is_an_error(ec2):
    run = plan("x9.huge", ec2)
    assert run.returncode == 2
    assert "x9.huge" in run.stdout + run.stderr
