# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the pip bootstrap script that ansible-test downloads: the pip that comes with Python, then the pinned one."""

import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "pip==25.2"], check=True)
