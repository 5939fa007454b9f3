# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""A web server on loopback for a mirror's folder. It can fail at a given request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Server(ThreadingHTTPServer):
    """``requests`` are the requested paths. ``trouble`` starts at request ``at`` (counted from 0):

    ``stall`` sends half of the file and then nothing, ``close`` sends half of it and ends the connection, ``refuse`` answers
    503, ``corrupt`` sends the file with one changed byte, ``endless`` sends zeros until the client ends the connection.
    """

    daemon_threads = True
    address_family = 2

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(root)))
        self.requests: list[str] = []
        self.trouble: str | None = None
        self.at = 0
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        self.sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore killed clients."""


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        number = len(server.requests)
        server.requests.append(self.path)
        if server.trouble is None or number < server.at:
            return self.answer()
        if server.trouble == "refuse":
            self.send_error(503)
            return None
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        if server.trouble == "endless":
            self.end_headers()
            while True:
                self.wfile.write(bytes(1 << 16))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        if server.trouble == "corrupt":
            content = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
            self.wfile.write(content)
            return None
        self.wfile.write(content[:half])
        self.wfile.flush()
        if server.trouble == "stall":
            server.stalled.set()
            server.go_on.wait()
        self.close_connection = True
        return None

    def answer(self) -> None:
        """Serve a file like a static web server, also with Range."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[len("bytes=") : -1])
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])
        self.server.sent += len(content) - start

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(root: Path) -> Iterator[Server]:
    server = Server(root)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
