# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The record that each wrapped command sends to the system's journal. Here a socket replaces the journal."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from .bench import COMPILE, REFUSED, Bench, bench
from .host import ALL_SLOTS, FREE, GIB, GUARD, SLOTS, TOTAL, TURN, eventually, render


@dataclass
class Journal:
    """A socket instead of that of journald."""

    bench: Bench
    socket: socket.socket

    def record(self) -> dict[str, str]:
        """The next record, with its account from the kernel."""
        data, [(_, _, credentials)], _, _ = self.socket.recvmsg(65536, 1024)
        lines = [line.split("=", 1) for line in data.decode().splitlines()]
        fields = {name.removeprefix("NOVA_CARGO_"): value for name, value in lines}
        assert len(fields) == len(lines)
        return {**fields, "_UID": str(struct.unpack("3i", credentials)[1])}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        listening.settimeout(GUARD)
        with bench(render(tmp_path, pool_bytes=4 * GIB, slots=1, ledger=path)) as made:
            yield Journal(made, listening)


def test_record_has_the_command_without_its_arguments(journal: Journal) -> None:
    words = "test -p nova-core --config http.token=secret -- secret"
    journal.bench.start(words=words)
    assert journal.bench.finish() == [0]
    record = journal.record()
    assert "secret" not in str(record)
    assert record["_UID"] == str(os.geteuid())
    assert record["SYSLOG_IDENTIFIER"] == "cargo_agent"
    assert (record["COMMAND"], record["FOLDER"]) == ("cargo test -p nova-core", str(journal.bench.host.checkout))
    assert (record["ENDED"], record["CAP_BYTES"]) == ("exit 0", str(4 * GIB))
    assert "HIT" not in record and int(record["RAN_MS"]) >= 0 and int(record["PEAK_BYTES"]) > 0


def test_record_has_the_largest_process_and_the_end_of_the_command(journal: Journal) -> None:
    journal.bench.start("perl -e '$x = q(x) x (200 << 20); exit 3'")
    journal.bench.start('kill -KILL "$$"', do=f"{COMPILE}; kill -TERM $$")
    journal.bench.start(REFUSED, name="nova")
    journal.bench.finish()
    records = sorted((journal.record() for _ in range(3)), key=lambda record: record["ENDED"])
    assert [record["ENDED"] for record in records] == ["exit 134", "exit 137", "exit 3"]
    assert [record.get("HIT") for record in records] == ["rustc nova", None, None]
    assert int(records[2]["PEAK_BYTES"]) > 200 << 20 > int(records[1]["PEAK_BYTES"])


def test_waiting_for_slot_and_memory_are_separate_fields(journal: Journal) -> None:
    bench = journal.bench
    bench.host.change_policy(SLOTS=2)
    bench.host.make_pool()
    bench.hold("first")
    bench.start(name="waits for memory", words="check")
    eventually(lambda: bench.queue() == 1)
    bench.start(name="waits for a slot", words="doc")
    eventually(lambda: bench.waiting(SLOTS) == 1)
    bench.release()
    bench.finish()
    records = {record["COMMAND"]: record for record in (journal.record() for _ in range(3))}
    first, memory, slot = (records[f"cargo {word}"] for word in ("build", "check", "doc"))
    assert first["SLOT_MS"] == first["MEMORY_MS"] == memory["SLOT_MS"] == "0"
    assert int(memory["MEMORY_MS"]) > 0 and int(slot["SLOT_MS"]) > 0
    assert (bench.host.value(FREE), bench.host.value(ALL_SLOTS), bench.host.value(TURN)) == (
        bench.host.value(TOTAL),
        2,
        1,
    )


def test_three_hundred_writers_lose_no_record_while_the_journal_is_stopped(journal: Journal) -> None:
    """Its queue is full after a few records. No command is delayed, and each record arrives when it reads again."""
    for number in range(300):
        journal.bench.start(words=f"build -p crate{number}", do="true")
    eventually(lambda: sum(process.poll() is not None for process in journal.bench.processes) > 30)
    assert len({journal.record()["COMMAND"] for _ in range(300)}) == 300
    assert set(journal.bench.finish()) == {0}


@pytest.mark.parametrize("state", ["no socket", "nobody listens", "off"])
def test_missing_journal_changes_nothing(journal: Journal, state: str) -> None:
    journal.socket.close()
    if state == "no socket":
        (journal.bench.host.root / "journal").unlink()
    elif state == "off":
        journal.bench.host.change_policy(LEDGER="")
    assert journal.bench.start().communicate(timeout=GUARD) == ("", "")
    assert journal.bench.finish() == [0]


def test_name_of_a_folder_cannot_add_a_field(journal: Journal) -> None:
    folder = journal.bench.host.root / "a\nNOVA_CARGO_HIT=rustc x"
    folder.mkdir()
    journal.bench.host.start("bash", journal.bench.host.cargo_agent, "build", cwd=folder).communicate(timeout=GUARD)
    record = journal.record()
    assert "HIT" not in record and record["FOLDER"].endswith("/a?NOVA_CARGO_HIT=rustc x")
