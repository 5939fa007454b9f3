# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""variables.py MIRROR.json URL: print the variables of the demo's host as JSON. demo_mirror.py writes MIRROR.json."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    mirror = json.load(file)
variables = {
    "agent_policy_users": ["agent1"],
    "agent_policy_create_users": True,
    "agent_policy_rust_channel": mirror["channel"],
    "agent_toolchain_components": mirror["components"],
    "agent_toolchain_dist_server": sys.argv[2],
    "agent_toolchain_channel_checksums": mirror["channel_checksums"],
    "agent_toolchain_rustup_version": mirror["rustup_version"],
    "agent_toolchain_rustup_checksums": mirror["rustup_checksums"],
}
print(json.dumps(variables, indent=1))
