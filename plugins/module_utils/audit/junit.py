# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""An audit as JUnit XML: each host is a suite, each item is a case. Pure.

Drift is a failure, an item that could not be checked is an error. Each host has one more case, which is an error if the
host was not reached or not compared completely; then the other items are skipped.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ..compare.items import DRIFTED, NOTE, UNKNOWN
from .record import FleetReport, ItemView, Record

# XML 1.0 can't contain these, not even escaped. A parser would read a carriage return as a line break.
_UNFIT = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(report: FleetReport) -> str:
    """The whole document for the result of ``fleet_report``."""
    root = ElementTree.Element("testsuites", name=report["collection"])
    for record in report["hosts"]:
        root.append(_suite(record, report["finished"]))
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(record: Record, finished: str) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=_fit(record["host"]), timestamp=finished)
    ended = "why" in record
    case = ElementTree.SubElement(suite, "testcase", classname=_fit(record["host"]), name="compared to the end")
    if ended:
        _outcome(case, "error", record["status"], record["why"], "")
    for item in record["items"]:
        _case(suite, record["host"], item, ended)
    suite.set("tests", str(len(suite)))
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(count, str(len(suite.findall(f"testcase/{tag}"))))
    return suite


def _case(suite: ElementTree.Element, host: str, item: ItemView, ended: bool) -> None:
    classname, name = f"{host}.{item['role']}", f"{item['kind']} {item['item']}"
    case = ElementTree.SubElement(suite, "testcase", classname=_fit(classname), name=_fit(name))
    if item["status"] == DRIFTED:
        _outcome(case, "failure", ",".join(item["differs"]), item["why"], item.get("diff", ""))
    elif item["status"] == UNKNOWN and ended:
        ElementTree.SubElement(case, "skipped", message=_fit(item["why"]))
    elif item["status"] == UNKNOWN:
        _outcome(case, "error", "not checkable", item["why"], "")
    elif item["status"] == NOTE:
        ElementTree.SubElement(case, "system-out").text = _fit(item["why"])


def _outcome(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    ElementTree.SubElement(case, tag, type=_fit(kind), message=_fit(message)).text = _fit(text) or None


def _fit(text: str) -> str:
    return _UNFIT.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
