# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Configurations of sshd and PAM with and without limits."""

from __future__ import annotations

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.host.logins import observe_login_paths


def lay_out(root, files):
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(root)


@pytest.mark.parametrize(
    ("files", "without"),
    [
        ({}, False),  # no sshd
        ({"etc/ssh/sshd_config": "UsePAM yes\n"}, False),
        ({"etc/ssh/sshd_config": "UsePAM no\n"}, True),
        ({"etc/ssh/sshd_config": "# UsePAM yes\n"}, True),  # the default of sshd
        ({"etc/ssh/sshd_config": "usepam=YES # really\n"}, False),
        ({"etc/ssh/sshd_config": "UsePAM no\nUsePAM yes\n"}, True),  # the first counts
        ({"etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n", "etc/ssh/sshd_config.d/a.conf": "UsePAM no\n"}, True),
        ({"etc/ssh/sshd_config": "Include sshd_config.d/*.conf\nUsePAM no\n", "etc/ssh/sshd_config.d/a.conf": "UsePAM yes\n"}, False),
        ({"etc/ssh/sshd_config": "Include sshd_config\nUsePAM yes\n"}, False),  # includes itself
    ],
)  # fmt: skip
def test_sshd_with_and_without_pam_is_recognized(tmp_path, files, without):
    assert observe_login_paths(lay_out(tmp_path, files)).sshd_without_pam is without


LIMITS = "session    required   pam_limits.so\n"


@pytest.mark.parametrize(
    ("files", "without"),
    [
        ({"etc/pam.d/cron": LIMITS}, []),
        ({"etc/pam.d/cron": "session [success=ok default=ignore] /lib/security/pam_limits.so conf=/etc/x\n"}, []),
        ({"etc/pam.d/cron": f"#{LIMITS}"}, ["cron"]),
        ({"etc/pam.d/cron": "account required pam_limits.so\n"}, ["cron"]),
        ({"etc/pam.d/cron": "@include common\n", "etc/pam.d/common": LIMITS}, []),
        ({"etc/pam.d/cron": "session include common\n", "etc/pam.d/common": f"-{LIMITS}"}, []),
        ({"etc/pam.d/cron": "@include cron\n"}, ["cron"]),
        ({"etc/pam.d/cron": "@include missing\n"}, ["cron"]),
        ({"usr/lib/pam.d/systemd-user": LIMITS}, []),
        ({"usr/lib/pam.d/su": LIMITS, "etc/pam.d/su": "session required pam_unix.so\n"}, ["su"]),
        ({"etc/pam.d/sshd": "", "etc/pam.d/atd": ""}, ["atd", "sshd"]),
    ],
)
def test_pam_services_without_limits_are_found(tmp_path, files, without):
    assert observe_login_paths(lay_out(tmp_path, files)).pam_without_limits == without
