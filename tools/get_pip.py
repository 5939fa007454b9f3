# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the pip bootstrap script that ansible-test downloads: the pip that comes with Python, then the pinned one."""

import os
import subprocess
import sys
from pathlib import Path

# ansible-test says by this variable where the script is, and its name has the version: get_pip_25_2.py.
version = Path(os.environ["GET_PIP"]).stem.removeprefix("get_pip_").replace("_", ".")
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"pip=={version}"], check=True)
