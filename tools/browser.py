# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""A headless Chromium that opens files: runs scripts in them, takes pictures, and notes what it complains of or asks for.

Speaks the DevTools protocol over the pipe that Chromium offers, so nothing beside the browser is needed. Run as a program
it installs the browser where there is none; `make integration` does that.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE = 120  # seconds for a first page
# No sandbox: root may not have one, and the pages are ours.
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--no-first-run", "--remote-debugging-pipe"]  # fmt: skip


def unusable() -> str:
    """Why no page can be opened here, with what to do; empty where one can."""
    if PROGRAM is None:
        return "no chromium on PATH: make integration installs it where it may (Debian: apt-get install chromium)"
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        page = Path(folder, "page.html")
        page.write_text("<title>it opens</title>")
        command = [PROGRAM, *ARGUMENTS[:-1], f"--user-data-dir={folder}/profile", "--dump-dom", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{PROGRAM} does not start: {error}"
    if "it opens" in done.stdout:
        return ""
    said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
    return f"{PROGRAM} opens no file below {tempfile.gettempdir()} (a snap? use a real package): {said}"


def install() -> None:
    """Install Debian's package where there is no browser. Where that is not possible say why: the tests are skipped then."""
    if PROGRAM:
        return
    if shutil.which("apt-get") is None:
        say("apt-get is not here to install chromium")
        return
    say("installing with apt-get: chromium")
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1", "apt-get"]
    lock = ["-o", "DPkg::Lock::Timeout=300"]
    for words in (["update", *lock], ["install", "--yes", "--no-install-recommends", *lock, "chromium"]):
        done = subprocess.run([*apt, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:  # the update alone may fail: the lists that are there may do
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        say(f"chromium could not be installed: {said}")


def say(message: str) -> None:
    print(f"browser tests: {message}", file=sys.stderr, flush=True)


class Browser:
    def __init__(self, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.profile = tempfile.TemporaryDirectory(prefix="chromium-")
        reads, self.writes = os.pipe()
        self.reads, writes = os.pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{reads} 4>&{writes}', "browser", str(PROGRAM), *ARGUMENTS, f"--user-data-dir={self.profile.name}"],
            pass_fds=(reads, writes),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(reads)
        os.close(writes)
        self.answers = os.fdopen(self.reads, "rb")
        self.buffer = b""
        self.numbers = itertools.count(1)
        self.session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session = None
        self.ask("Browser.close")
        os.close(self.writes)
        self.answers.read()  # until all of the browser's processes have let go of the pipe
        self.process.wait()
        self.answers.close()
        self.profile.cleanup()

    def open(self, page: Path) -> None:
        self.ask("Page.navigate", url=page.as_uri())
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def resize(self, width: int, height: int = 900) -> None:
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def picture(self, path: Path, whole: bool = False) -> None:
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self.numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            pass
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            chunk = self.answers.read1(1 << 20)  # type: ignore[attr-defined]
            assert chunk, "Chromium has ended"
            self.buffer += chunk
        text, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, said: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(said["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"console.{said['type']}")
        elif method == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {said['message']}")


if __name__ == "__main__":
    install()
