# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Action of rustup_mirror: build the mirror on the controller, and print the progress."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils.mirror.build import Built, Mirror
from ..module_utils.mirror.channel import ChannelError
from ..module_utils.toolchain.fetch import FetchError, is_unreachable
from ..module_utils.toolchain.request import TRIPLES, UPSTREAM, Request, RequestError, check_source, source_url

SPEC: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "channel": {"type": "str", "required": True},
    "channel_checksums": {"type": "dict", "default": {}},
    "profile": {"type": "str", "default": "minimal"},
    "components": {"type": "list", "elements": "str", "default": []},
    "targets": {"type": "list", "elements": "str", "default": []},
    "extra": {"type": "list", "elements": "dict", "default": []},
    "architectures": {"type": "list", "elements": "str", "choices": sorted(TRIPLES), "default": sorted(TRIPLES)},
    "rustup_version": {"type": "str", "required": True},
    "rustup_checksums": {"type": "dict", "required": True},
    "dist_server": {"type": "str", "default": UPSTREAM},
    "update_root": {"type": "str", "default": f"{UPSTREAM}/rustup"},
}

REMEDY = (
    "; if this machine can't reach the server, set agent_mirror_source to another one, "
    "or https_proxy in the environment of ansible-playbook"
)


class ActionModule(ActionBase):
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _spec, options = self.validate_argument_spec(SPEC)
        was = os.umask(0o022)  # the web server is another user
        try:
            built = self._build(options)
        except (RequestError, ChannelError, FetchError, OSError) as error:
            unreachable = isinstance(error, FetchError) and is_unreachable(error)
            raise AnsibleActionFail(
                f"{error}{REMEDY if unreachable else ''}"
            ) from None  # a chain would repeat the message
        finally:
            os.umask(was)
        return {"changed": bool(built.fetched), "path": options["path"], **asdict(built)}

    def _build(self, options: dict[str, Any]) -> Built:
        request = Request.from_options(options)
        dist_server = source_url(options["dist_server"], "dist_server")
        check_source(request, dist_server)
        mirror = Mirror(options["path"], options["architectures"], self._say, self._task.check_mode)
        return mirror.build(request, dist_server, source_url(options["update_root"], "update_root"))

    def _say(self, line: str) -> None:
        self._display.display(f"  {line}")
