# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Kernel settings, sshd's configuration, and drop-ins of other programs, read below a FIXTURE root."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.desired.sysctl import FILE
from ansible_collections.nova.agent_host.plugins.module_utils.host import capacity
from ansible_collections.nova.agent_host.plugins.module_utils.host.kernel import observe_kernel, set_settings
from ansible_collections.nova.agent_host.plugins.module_utils.host.slices import observe_oomd, observe_overrides
from ansible_collections.nova.agent_host.plugins.module_utils.host.sshd import observe_sshd, uses_pam
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import Given, Setting
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import StateError


@pytest.fixture
def write(tmp_path):
    def write(path: str, text: str) -> None:
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def test_setting_is_read_with_the_files_that_set_it(tmp_path, write):
    write("/proc/sys/kernel/keys/maxkeys", "1000\n")
    write(FILE, "# kernel.keys.maxkeys was 200\nkernel.keys.maxkeys = 1000\n")
    write("/etc/sysctl.d/50-a.conf", "kernel/keys/maxkeys=300\n-kernel.keys.maxkeys = 400\n# kernel.keys.maxkeys=9\n")
    write("/usr/lib/sysctl.d/50-a.conf", "kernel.keys.maxkeys = 1\n")  # hidden by the one in /etc
    write("/usr/lib/sysctl.d/99-b.conf", "kernel.keys.maxkeys = 500\n")
    assert observe_kernel(str(tmp_path)) == {
        "kernel.keys.maxkeys": Setting(1000, True, 1000, 200, 400, "/usr/lib/sysctl.d/99-b.conf")
    }
    write("/usr/lib/sysctl.d/99-c.conf", "kernel.keys.maxkeys = 1000\n")
    assert observe_kernel(str(tmp_path))["kernel.keys.maxkeys"].later == ""


@pytest.mark.parametrize("value", ["9999999999999999999", "18446744073709551615", "4194305"])
def test_value_that_the_kernel_refuses_counts_as_not_set(tmp_path, write, value):
    write("/proc/sys/kernel/pid_max", "4194304\n")
    write("/etc/sysctl.d/50-a.conf", f"kernel.pid_max = 32768\nkernel.pid_max = {value}\n")
    write("/etc/sysctl.d/99-b.conf", f"kernel.pid_max = {value}\n")
    assert observe_kernel(str(tmp_path)) == {"kernel.pid_max": Setting(4_194_304, True, earlier=32_768)}


def test_largest_value_of_an_older_kernel_fits_into_an_answer(tmp_path, write):
    write("/proc/sys/fs/file-max", "18446744073709551615\n")
    assert observe_kernel(str(tmp_path))["fs.file-max"].now == 2**63 - 1


def test_tasks_of_an_account_are_read_from_its_own_slice_if_that_is_read_last(tmp_path, write, monkeypatch):
    monkeypatch.setattr(capacity, "user_ids", lambda names: {1000: "a", 1001: "b", 1002: "c"})
    own = "/run/systemd/system/user-1000.slice.d/95-x.conf"
    write(own, "[Slice]\nTasksMax = 100\n")
    write("/etc/systemd/system/user-1001.slice.d/50-x.conf", "[Slice]\nTasksMax=100\n")
    write("/etc/systemd/system/user-1003.slice.d/95-x.conf", "[Slice]\nTasksMax=100\n")  # not an agent
    write("/etc/systemd/system/user-.slice.d/90-nova-agent.conf", "[Slice]\nTasksMax=5000\n")
    write("/usr/lib/systemd/system/user-1002.slice.d/90-nova-agent.conf", "[Slice]\nTasksMax=1\n")  # hidden by /etc
    assert capacity.observe_capacity(str(tmp_path), ["a", "b", "c"]).own_tasks == {"a": Given(own, "100")}


def test_empty_value_of_systemd_is_empty_and_not_the_next_line(tmp_path, write):
    path = "/etc/systemd/system/user-.slice.d/50.conf"
    write(path, "[Slice]\nTasksMax=\nMemoryMax=4G\n")
    write("/etc/systemd/logind.conf", "[Login]\nSessionsMax=\n#x\n")
    found = capacity.observe_capacity(str(tmp_path))
    assert found.user_tasks == [Given(path, "")] and found.sessions == [Given("/etc/systemd/logind.conf", "")]


def test_setting_is_written_and_no_other_file(tmp_path, write):
    write("/proc/sys/vm/max_map_count", "65530\n")
    assert set_settings({"vm.max_map_count": 262_144}, str(tmp_path)) == ["set vm.max_map_count = 262144"]
    assert (tmp_path / "proc/sys/vm/max_map_count").read_text().strip() == "262144"
    with pytest.raises(StateError, match=r"kernel\.core_pattern"):
        set_settings({"kernel.core_pattern": 1}, str(tmp_path))


def test_drop_ins_of_sshd_are_read_in_order_up_to_a_match(tmp_path, write):
    write(
        "/etc/ssh/sshd_config",
        "Include /etc/ssh/sshd_config.d/*.conf\nMaxStartups 10\nUsePAM yes\nMatch User x\nMaxSessions 1\n",
    )
    write("/etc/ssh/sshd_config.d/20-b.conf", "MaxStartups = 30:50:60 # many\n")
    write("/etc/ssh/sshd_config.d/10-a.conf", "Match User y\n  MaxSessions 2\n")
    write("/var/lib/dpkg/status", "Package: openssh-server\nStatus: install ok installed\nVersion: 1:9.9p1-3\n\n")
    found = observe_sshd(str(tmp_path))
    assert (found.version, found.drop_ins) == ("9.9", True)
    assert found.settings == {
        "maxstartups": [Given("/etc/ssh/sshd_config.d/20-b.conf", "30:50:60"), Given("/etc/ssh/sshd_config", "10")]
    }
    assert uses_pam(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "reads", "sessions"),
    [
        ("Include sshd_config.d/*.conf", True, ["5"]),
        ("Include /etc/ssh/other.d/*.conf '/etc/ssh/sshd_config.d/*.conf'", True, ["5"]),
        ('Include "/etc/ssh/other.d/*.conf" "/etc/ssh/sshd_config.d/*.conf"', True, ["5"]),
        ("Include=/etc/ssh/*/[0-9]*.conf", True, ["5"]),
        ("Include /etc/ssh/sshd_config.d/50-*.conf", False, ["5"]),
        ("Include /etc/ssh/*.conf", False, []),
        ("Match User x\nMaxSessions 1\nMatch all\nMaxSessions 2\nInclude sshd_config.d/*.conf", True, ["2", "5"]),
        ("Match User x\nInclude sshd_config.d/*.conf", False, []),
    ],
)
def test_include_lines_of_sshd_are_followed(tmp_path, write, text, reads, sessions):
    write("/etc/ssh/sshd_config", f"{text}\n")
    write("/etc/ssh/sshd_config.d/50-cloud.conf", "MaxSessions 5\n")
    found = observe_sshd(str(tmp_path))
    assert found.drop_ins == reads
    assert [given.value for given in found.settings.get("maxsessions", [])] == sessions


def test_last_values_of_an_enabled_socket_of_sshd_are_in_force(tmp_path, write):
    write("/etc/ssh/sshd_config", "UsePAM yes\n")
    write("/usr/lib/systemd/system/ssh.socket", "[Socket]\nListenStream=22\nAccept=yes\nMaxConnections=100\n")
    write("/etc/systemd/system/ssh.socket.d/50-x.conf", "[Socket]\nMaxConnections = 200\n#MaxConnectionsPerSource=3\n")
    assert observe_sshd(str(tmp_path)).settings == {}  # it is not enabled
    write("/etc/systemd/system/sockets.target.wants/ssh.socket", "")
    found = observe_sshd(str(tmp_path)).settings
    assert {keyword: given[0].value for keyword, given in found.items()} == {"accept": "yes", "maxconnections": "200"}


def test_oomd_is_reported_if_it_runs_and_kills_sessions(tmp_path, write):
    write("/usr/lib/systemd/system/user@.service.d/10-oomd.conf", "[Service]\nManagedOOMMemoryPressure=kill\n")
    assert observe_oomd(str(tmp_path)) == []
    (tmp_path / "sys/fs/cgroup/system.slice/systemd-oomd.service").mkdir(parents=True)
    assert observe_oomd(str(tmp_path)) == ["/usr/lib/systemd/system/user@.service.d/10-oomd.conf"]


def test_values_of_set_property_are_found_by_unit(tmp_path, write):
    path = "/etc/systemd/system.control/user.slice.d/50-MemoryMax.conf"
    write(path, "[Slice]\nMemoryMax=1G\n")
    write("/etc/systemd/system.control/cron.service.d/50-CPUWeight.conf", "[Service]\nCPUWeight=1\n")
    assert observe_overrides(str(tmp_path)) == {"user.slice": [path]}


def test_later_drop_ins_with_limits_are_found(tmp_path, write):
    later = "/etc/systemd/system/user.slice.d/99-local.conf"
    write(later, "[Slice]\nMemoryMax=1G\n")
    write("/etc/systemd/system/user.slice.d/10-local.conf", "[Slice]\nMemoryMax=2G\n")
    write("/etc/systemd/system/user.slice.d/90-nova-agent.conf", "[Slice]\nMemoryMax=3G\n")
    write("/etc/systemd/system/user.slice.d/99-other.conf", "[Slice]\n# MemoryMax=1G\nCPUWeight=50\n")
    of_all = "/etc/systemd/system/slice.d/99-local.conf"
    write(of_all, "[Slice]\nTasksMax=77\n")
    assert observe_overrides(str(tmp_path)) == {"user.slice": [later, of_all]}
    assert capacity.observe_capacity(str(tmp_path)).user_tasks == [Given(of_all, "77")]


def test_file_with_two_names_is_found_once(tmp_path, write):
    write("/usr/lib/systemd/system/user.slice.d/99-local.conf", "[Slice]\nTasksMax=5\n")
    (tmp_path / "lib").symlink_to("usr/lib")
    assert observe_overrides(str(tmp_path)) == {"user.slice": ["/usr/lib/systemd/system/user.slice.d/99-local.conf"]}
