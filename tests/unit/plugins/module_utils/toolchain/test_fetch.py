# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Answers of servers that are no mirror."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.toolchain.fetch import FetchError, fetch


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(self.path[1:4]))
        self.send_header("Location", self.path)
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def url():
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [302, 403, 407, 503])
def test_answer_of_a_server_that_is_no_mirror_is_one_line_with_url_and_status(url, status):
    with pytest.raises(FetchError) as error:
        fetch(f"{url}/{status}")
    assert str(error.value).startswith(f"{url}/{status}: the server answers {status} ")
    assert "\n" not in str(error.value)
