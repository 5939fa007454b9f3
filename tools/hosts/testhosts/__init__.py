# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Boots real systemd hosts on this machine for tests and demonstrations.

``run`` starts and ends a run, which is a group of hosts. A run consists of a record (``registry``), processes
(``cgroup``), a subnet (``network``), an apt proxy (``proxy``) and hosts (``host``) on top of a cached image (``base``).
"""
