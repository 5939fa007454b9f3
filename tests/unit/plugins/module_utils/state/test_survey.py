# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A look at many paths: a folder that does not answer delays it by seconds, and affects no other path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

# A FUSE file system that an account mounted for all users (user_allow_other), with a server that never answers.
SILENT_MOUNT = """
import ctypes, json, os, sys
from ansible_collections.nova.agent_host.plugins.module_utils.state import foreign, survey as looks
from ansible_collections.nova.agent_host.plugins.module_utils.state.survey import Survey
place, honest = sys.argv[1:]
libc = ctypes.CDLL(None, use_errno=True)
server = os.open("/dev/fuse", os.O_RDWR)
options = b"fd=%d,rootmode=40000,user_id=54321,group_id=54321,allow_other" % server
if libc.mount(b"silent", place.encode(), b"fuse", 0, options):
    sys.exit(77)
foreign.SILENCE = looks.SILENCE = 0.5
survey = Survey([place + "/scripts/one", place + "/two", honest], lambda path: True)
print(json.dumps([{path: state.kind for path, state in survey.found.items()}, survey.is_roots(honest)]))
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_silent_mount_of_an_account_does_not_end_the_look(tmp_path):
    if not shutil.which("unshare") or not os.path.exists("/dev/fuse"):
        pytest.skip("no unshare or no /dev/fuse")
    (tmp_path / "mount").mkdir()
    (tmp_path / "honest").write_text("")
    command = [sys.executable, "-c", SILENT_MOUNT, str(tmp_path / "mount"), str(tmp_path / "honest")]
    done = subprocess.run(["unshare", "-m", *command], capture_output=True, text=True, timeout=600)
    if done.returncode == 77:
        pytest.skip("this machine lets nobody mount a FUSE file system")
    found, is_roots = json.loads(done.stdout or "[{}, false]")
    assert found == {
        f"{tmp_path}/mount/scripts/one": "unreadable",
        f"{tmp_path}/mount/two": "unreadable",
        f"{tmp_path}/honest": "file",
    }, done.stderr
    assert is_roots
