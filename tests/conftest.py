# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Settings for all tests."""

from __future__ import annotations

import signal

# A shell starts background commands with SIGINT ignored, and every program that a test starts would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
