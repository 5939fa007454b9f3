# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The example policies of the documentation are valid."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.nova.agent_host.tests.unit.plugins.module_utils.example_host import ROOT, host

POLICIES = sorted((ROOT / "docs/examples").glob("*/group_vars/agent_hosts.yml"))


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.parts[-3])
def test_policies_of_the_examples_fit_a_host(path):
    given = yaml.safe_load(path.read_text())
    host(**{**given, "agent_policy_create_users": True, "agent_policy_users": []})
