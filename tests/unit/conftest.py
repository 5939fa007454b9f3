# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Settings for all unit tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No time limits, because a test of a thousand cases is slow on a busy machine.
settings.register_profile("without a clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without a clock")
