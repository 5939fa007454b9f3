# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Set up Ansible's collection finder before the first import of the collection, or it finds no plugins."""

from __future__ import annotations

import signal

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader()

# A shell starts background jobs with these signals ignored, and programs that the tests start would inherit that.
for one in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(one) == signal.SIG_IGN:
        signal.signal(one, signal.SIG_DFL)
