# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Reading files of a host."""

from __future__ import annotations

from ansible_collections.nova.agent_host.plugins.module_utils.host.files import CHUNK, CHUNKS, read_text
from ansible_collections.nova.agent_host.plugins.module_utils.host.kernel import observe_kernel


def test_settings_of_the_kernel_are_read():
    """The kernel refuses to read many MiB of /proc/sys at a time."""
    assert int(read_text("/proc/sys/kernel/pid_max")) > 0
    assert {"fs.file-max", "kernel.pid_max", "kernel.threads-max"} <= set(observe_kernel())


def test_a_file_without_an_end_is_read_to_the_bound():
    assert len(read_text("/dev/zero")) == CHUNK * CHUNKS


def test_a_missing_file_and_one_of_other_bytes_are_text(tmp_path):
    (tmp_path / "file").write_bytes(b"\xff one")
    assert (read_text("/file", str(tmp_path)), read_text("/missing", str(tmp_path))) == ("\ufffd one", "")
