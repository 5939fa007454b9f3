# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A STAND-IN for the script that ansible-test downloads: it installs the pip of Python, then the pinned version."""

import os
import subprocess
import sys
from pathlib import Path

# ansible-test sets this variable to the path of the script, whose name has the version: get_pip_25_2.py.
version = Path(os.environ["GET_PIP"]).stem.removeprefix("get_pip_").replace("_", ".")
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", f"pip=={version}"], check=True)
