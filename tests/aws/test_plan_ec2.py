# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Planning with EC2's answers, from moto: a STAND-IN for EC2 on loopback. Run by `make aws`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

EXAMPLE = Path(__file__).parents[2] / "docs/examples/ec2/agents.aws_ec2.yml"


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


def test_type_missing_in_the_table_is_requested_from_ec2(ec2):
    run = plan("m5.4xlarge", ec2)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "m5.4xlarge: 16 CPUs, 64 GiB nominal" in run.stdout
    assert "(source: EC2)" in run.stdout


def test_type_in_the_table_is_not_requested(ec2):
    run = plan("r7i.48xlarge", {**ec2, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "r7i.48xlarge: 192 CPUs, 1,536 GiB nominal" in run.stdout


def test_unknown_type_is_an_error(ec2):
    run = plan("x9.huge", ec2)
    assert run.returncode == 2
    assert "x9.huge" in run.stdout + run.stderr


@pytest.fixture
def instances(ec2):
    """Three instances of the stand-in: two with the tag, and another one."""
    client = boto3.client(
        "ec2", endpoint_url=ec2["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="stand-in", aws_secret_access_key="stand-in",
    )  # fmt: skip
    image = client.describe_images()["Images"][0]["ImageId"]
    started = {}
    for instance_type, role in (("r7i.48xlarge", "nova-agents"), ("m5.4xlarge", "nova-agents"), ("t3.micro", "web")):
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": role}]}]
        run = client.run_instances(
            ImageId=image, InstanceType=instance_type, MinCount=1, MaxCount=1, TagSpecifications=tags
        )
        started[instance_type] = run["Instances"][0]
    yield started
    client.terminate_instances(InstanceIds=[instance["InstanceId"] for instance in started.values()])


def test_tagged_instances_become_agent_hosts_with_the_policy_of_their_type(ec2, instances):
    command = ["ansible-inventory", "-i", str(EXAMPLE), "--list"]
    listed = json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, env=ec2).stdout)
    large, small = instances["r7i.48xlarge"], instances["m5.4xlarge"]
    assert set(listed["agent_hosts"]["hosts"]) == {large["InstanceId"], small["InstanceId"]}
    variables = listed["_meta"]["hostvars"][large["InstanceId"]]
    assert variables["ansible_host"]["__ansible_unsafe"] == large["PrivateIpAddress"]
    assert variables["ansible_user"]["__ansible_unsafe"] == "ubuntu"
    assert variables["agent_policy_memory_per_agent"] == "8G" and variables["agent_ceiling_enabled"] is True


def test_plan_of_the_inventory_uses_types_and_policies(ec2, instances):
    command = ["ansible-playbook", "-i", str(EXAMPLE), "nova.agent_host.plan", "-e", "group=agent_hosts"]
    run = subprocess.run(command, check=False, text=True, capture_output=True, env=ec2)
    assert run.returncode == 0, run.stdout + run.stderr
    shown = [line.strip(' ",') for line in run.stdout.splitlines()]
    lines = {line.split()[0]: line.split()[1:] for line in shown if line.startswith("i-")}
    biggest = lines[instances["r7i.48xlarge"]["InstanceId"]]
    assert biggest[:5] == ["r7i.48xlarge", "1,511.4", "GiB", "8", "GiB"] and biggest[-1] == "147"
    assert lines[instances["m5.4xlarge"]["InstanceId"]][:5] == ["m5.4xlarge", "63", "GiB", "4", "GiB"]
    assert set(lines) == {instances["r7i.48xlarge"]["InstanceId"], instances["m5.4xlarge"]["InstanceId"]}
    assert "2 hosts" in run.stdout
