# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""heartbeat.py FILE: measure the pauses of an uninvolved process, and write the longest one in seconds to FILE."""

from __future__ import annotations

import sys
import time

BEAT = 0.1


def main() -> None:
    longest, last = 0.0, time.monotonic()
    while True:
        time.sleep(BEAT)
        now = time.monotonic()
        if now - last - BEAT > longest:
            longest = now - last - BEAT
            with open(sys.argv[1], "w", encoding="ascii") as file:
                file.write(f"{longest:.2f}\n")
        last = time.monotonic()


if __name__ == "__main__":
    main()
