# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The pages of docs/how-to: their files are written, their commands run, and their output is compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from reader import PAGES, Reader

ON_ONE_HOST = ["ec2-fleet", "without-internet", "raise-the-cap", "out-of-memory", "move-the-pin", "take-it-out"]
ON_A_HOST_WITH_CLOUD_INIT = ["ansible-pull", "baking-an-image"]  # test_pull.py


@pytest.fixture(scope="module")
def reader(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """The reader has run the commands of the first page."""
    reader = Reader(lab, tmp_path_factory.mktemp("reader"))
    reader.follow("first-host")
    return reader


@pytest.fixture
def instance(reader: Reader) -> Iterator[None]:
    """A STAND-IN for EC2, with one instance: the test host."""
    boto3, server = pytest.importorskip("boto3"), pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    variables = {
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "true",  # where amazon.aws is
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    reader.environment.update(variables)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        client = boto3.client("ec2")
        image = client.describe_images()["Images"][0]["ImageId"]
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": "nova-agents"}]}]
        (started,) = client.run_instances(
            ImageId=image, InstanceType="m5.4xlarge", MinCount=1, MaxCount=1, TagSpecifications=tags
        )["Instances"]
    # A test host has no memory controller, and its address differs from that of the stand-in.
    reader.set(f"host_vars/{started['InstanceId']}", **reader.connection, agent_ceiling_enabled=False)
    yield
    server.stop()
    reader.environment.clear()


def test_every_page_has_a_test() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == {"first-host", *ON_ONE_HOST, *ON_A_HOST_WITH_CLOUD_INIT}


def test_commands_of_the_first_page_work(reader: Reader) -> None:
    assert reader.lab.manifest(reader.host)["roles"]


@pytest.mark.parametrize("page", ON_ONE_HOST)
def test_commands_of_a_page_work(reader: Reader, page: str, request: pytest.FixtureRequest) -> None:
    if page == "ec2-fleet":
        request.getfixturevalue("instance")
    reader.follow(page)
