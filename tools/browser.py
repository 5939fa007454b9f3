# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""Debian's Chromium with selenium: opens files, runs scripts, takes screenshots, and records requested addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains

# No sandbox, because root can't have one, and the pages are trusted. No background requests.
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--force-device-scale-factor=1"]


class Browser:
    def __init__(self, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.driver.quit()

    def open(self, page: Path) -> None:
        self.driver.get(page.as_uri())

    def resize(self, width: int, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": script, "returnByValue": True})
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press one of selenium's Keys in the element with the focus."""
        ActionChains(self.driver).send_keys(key).perform()

    def picture(self, path: Path, whole: bool = False) -> None:
        if whole:
            height = self.run("document.documentElement.scrollHeight")
            self.resize(self.run("innerWidth"), height)
        self.driver.save_screenshot(str(path))

    def accessible(self) -> list[dict[str, Any]]:
        """The nodes of the page that a screen reader gets."""
        nodes = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        return [node for node in nodes if not node["ignored"]]

    def requests(self) -> list[str]:
        """The addresses that pages requested since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """The messages on the browser's console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
