# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
