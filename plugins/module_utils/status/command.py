# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
# pylint: disable=ansible-bad-function
# (runs without AnsibleModule)
"""The program agent-status: options, output, and redrawing."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from .facts import Facts, Policy, gather
from .metrics import metrics
from .view import render

SHORTEST, LONGEST = 0.2, 86400.0  # seconds between two updates
# The alternate screen of a terminal, without a cursor, and back.
ENTER, LEAVE = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\033[H", "\033[K", "\033[J"


def main(arguments: Sequence[str], policy_file: str, root: str = "/") -> int:
    """Return the exit status: 0, or 1 if a file can't be read or written. Wrong options: 2."""
    options = _parse(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not support Unicode
    try:
        with open(policy_file, encoding="utf-8") as file:
            policy: Policy = json.load(file)
    except (OSError, ValueError) as error:
        print(f"agent-status: {policy_file} can't be read ({error}): apply role agent_status", file=sys.stderr)
        return 1
    try:
        if options.metrics is not None:
            return _write_metrics(metrics(gather(policy, root)), options.metrics)
        if options.watch is None:
            _show(gather(policy, root), options.json)
        else:
            _watch(policy, root, options)
    except BrokenPipeError:  # such as `agent-status | head -n 1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        pass
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="agent-status",
        description="Show memory, agents, builds, toolchain, drift and disk of this host. Without root it shows less.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object; with --watch one per line")
    parser.add_argument(
        "--metrics",
        nargs="?",
        const="-",
        metavar="FILE",
        help="print OpenMetrics, or replace FILE, for the textfile collector of node_exporter",
    )
    parser.add_argument(
        "--watch", nargs="?", type=_seconds, const=2.0, metavar="SECONDS", help="repeat every SECONDS (default: 2)"
    )
    return parser.parse_args(arguments)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not SHORTEST <= seconds <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not from {SHORTEST:g} to {LONGEST:g} seconds")
    return seconds


def _show(facts: Facts, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts, indent=1, sort_keys=True, default=asdict))
    else:
        print("\n".join(render(facts, _colours())))
    sys.stdout.flush()


def _write_metrics(text: str, path: str) -> int:
    """Replace a file in a folder of the caller. A reader sees the old or the new text."""
    if path == "-":
        print(text, end="", flush=True)
        return 0
    temporary = f"{path}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with open(os.open(temporary, flags, 0o644), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        os.replace(temporary, path)
    except OSError as error:
        print(f"agent-status: {path} can't be written: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _watch(policy: Policy, root: str, options: argparse.Namespace) -> None:
    # SIGTERM works like Ctrl-C, so that the terminal is restored. SIGINT is set too, because a shell starts background
    # commands with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    on_screen = sys.stdout.isatty() and not options.json
    try:
        if on_screen:
            sys.stdout.write(ENTER)
        facts = None
        while True:
            facts = gather(policy, root, facts)
            if options.json:
                print(json.dumps(facts, sort_keys=True, default=asdict), flush=True)
            elif on_screen:
                _redraw(render(facts, _colours()))
            else:
                print("\n".join([*render(facts), ""]), flush=True)
            time.sleep(options.watch)
    finally:
        if on_screen:
            sys.stdout.write(LEAVE)
            sys.stdout.flush()


def _redraw(lines: list[str]) -> None:
    """Overwrite the screen in one write, without clearing it first, so that it does not flicker."""
    height = os.get_terminal_size(sys.stdout.fileno()).lines or len(lines)  # 0: the terminal has no size
    if len(lines) > height:
        lines = [*lines[: height - 1], f"({len(lines) - height + 1} more lines)"]
    sys.stdout.write(HOME + f"{REST_OF_LINE}\r\n".join(lines) + REST_OF_LINE + REST_OF_SCREEN)
    sys.stdout.flush()
