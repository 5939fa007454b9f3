# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Set up Ansible's collection finder before the first import of the collection, or it finds no plugins."""

from __future__ import annotations

import signal

from ansible.plugins.loader import init_plugin_loader

init_plugin_loader()

# Jobs in the background of a shell ignore these, and what they start does so too: then no program could be ended by them.
for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(one) == signal.SIG_IGN:
        signal.signal(one, signal.SIG_DFL)
