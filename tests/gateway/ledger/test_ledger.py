"""The ledger: every call is in the database once, whatever happens to the database or to the process."""

from __future__ import annotations

import json
import math
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from chapeta import config
from chapeta.errors import BadInput
from chapeta.gateway.ledger import Call, Ledger, import_journal
from chapeta.gateway.ledger.access import Budget, Gate, issue, listed
from chapeta.storage.database import open_database
from chapeta.storage.tables import calls, spend
from postgres import Server

SOON_S = 30.0


def a_call(number: int, **changes: Any) -> Call:
    call = Call(
        id=f"call-{number:06}", started_at=1.8e9 + number, provider="openrouter", model="openrouter/a/b", deployment="",
        key_name="ci", run="", tokens_in=10, tokens_out=2, tokens_cached=None, tokens_reasoning=None, usd=0.25,
        latency_ms=80.0, first_token_ms=None, status=200, outcome="ok", code="", streamed=False, attempts=1, request_id="",
    )  # fmt: skip
    return call._replace(**changes)


def ids(url: str) -> list[str]:
    with open_database(url) as database, database.read() as connection:
        return list(connection.execute(select(calls.c.id).order_by(calls.c.id)).scalars())


def spent(url: str) -> float:
    with open_database(url) as database, database.read() as connection:
        return float(connection.execute(select(func.coalesce(func.sum(spend.c.usd), 0.0))).scalar_one())


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for something that has to come true, as long as a very slow machine may take."""
    deadline_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < deadline_s, "it did not come true"
        time.sleep(0.05)


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def ledger(database_url: str, warnings: list[str]) -> Iterator[Ledger]:
    """An open ledger."""
    ledger = Ledger(database_url, warn=warnings.append)
    ledger.open()
    yield ledger
    ledger.close()


def test_rows_come_into_the_database_by_themselves(ledger: Ledger, database_url: str) -> None:
    for number in range(250):
        ledger.write(a_call(number))
    eventually(lambda: len(ids(database_url)) == 250)


def test_close_writes_what_is_left(ledger: Ledger, database_url: str, warnings: list[str]) -> None:
    rows = [a_call(number, prompt="Grüße 🙂", answer="ok") for number in range(3)]
    for row in rows:
        ledger.write(row)
    ledger.close()
    ledger.close()
    with open_database(database_url) as database, database.read() as connection:
        assert [Call(*row) for row in connection.execute(select(calls).order_by(calls.c.id))] == rows
    assert warnings == []


def test_many_threads_write_at_once(ledger: Ledger, database_url: str) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 500):
            ledger.write(a_call(number))

    threads = [threading.Thread(target=write, args=(500 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()
    assert ids(database_url) == [f"call-{n:06}" for n in range(4000)]


@pytest.mark.parametrize(
    "bad", [{"usd": math.inf}, {"prompt": "a\0b\ud83d"}, {"tokens_in": 2**80}, {"tokens_out": {"text": 3}}], ids=str
)
def test_a_row_that_does_not_fit_takes_no_other_with_it(
    ledger: Ledger, database_url: str, warnings: list[str], bad: dict[str, Any]
) -> None:
    ledger.write(a_call(0))
    ledger.write(a_call(1, **bad))
    ledger.write(a_call(2))
    ledger.close()
    assert ids(database_url) == [f"call-{n:06}" for n in range(3)]
    assert warnings == []


WRITER = """
import sys, time
from chapeta.gateway.ledger import Call, Ledger
ledger = Ledger(sys.argv[1])
if sys.argv[2] == "open":
    ledger.open()
number = 0
while True:
    name, now_s = f"call-{number:06}", time.time()
    ledger.write(Call(name, now_s, "p", "m", "", "", "", 1, 1, 0, 0, 0.1, 1.0, 1.0, 200, "ok", "", True, 1, ""))
    print(number, time.time(), flush=True)
    number += 1
    time.sleep(0.005)
"""


@pytest.mark.parametrize("opened", ["open", "not open yet"])
def test_a_kill_loses_the_last_second_at_most(database_url: str, opened: str) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, database_url, opened], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    lines: list[str] = []
    while len(lines) < 400:
        line = writer.stdout.readline()
        assert line, "the writer ended by itself"
        lines.append(line)
    writer.send_signal(signal.SIGKILL)
    lines += writer.stdout.readlines()
    writer.wait()
    written = {int(number): float(at_s) for number, at_s in (line.split() for line in lines if line.endswith("\n"))}
    last_s = max(written.values())
    with open_database(database_url) as database:
        import_journal(database)
    there = ids(database_url)
    assert len(there) == len(set(there))
    missing = [number for number in written if f"call-{number:06}" not in set(there)]
    assert all(written[number] > last_s - 1.0 for number in missing)


def test_a_short_process_leaves_its_row_in_the_journal_and_loads_no_database(empty_home: Path) -> None:
    code = """
import sys, time
from chapeta.gateway.ledger import Call, Ledger
ledger = Ledger()
ledger.write(Call("one", time.time(), "p", "m", "", "", "", 1, 1, 0, 0, 0.1, 1.0, 1.0, 200, "ok", "", True, 1, "", "asked"))
ledger.close()
sys.exit("sqlalchemy" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    journal = config.ledger_journal()
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert not (empty_home / "chapeta.sqlite").exists()
    with open_database() as database:
        assert import_journal(database) == 1
        assert import_journal(database) == 0
    assert ids(config.database_url()) == ["one"]
    assert not journal.exists()


def test_a_call_that_ends_after_the_ledger_was_closed_is_not_lost(ledger: Ledger, database_url: str) -> None:
    ledger.close()
    ledger.write(a_call(7))
    with open_database(database_url) as database:
        import_journal(database)
    assert ids(database_url) == ["call-000007"]


def test_an_unopened_ledger_opens_the_database_in_the_background(database_url: str) -> None:
    ledger = Ledger(database_url)
    ledger.write(a_call(1))
    eventually(lambda: ids(database_url) == ["call-000001"])
    ledger.write(a_call(2))
    eventually(lambda: len(ids(database_url)) == 2)
    ledger.close()
    assert not config.ledger_journal().exists()


def test_a_locked_database_delays_rows_and_nothing_else(empty_home: Path, warnings: list[str]) -> None:
    url = config.database_url()
    ledger = Ledger(warn=warnings.append)
    ledger.open()
    with closing(sqlite3.connect(empty_home / "chapeta.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(100):
            ledger.write(a_call(number))
        eventually(lambda: config.ledger_journal().exists() and len(warnings) == 1)
        ledger.write(a_call(100))
    assert "is locked by another program" in warnings[0]
    assert str(config.ledger_journal()) in warnings[0]
    eventually(lambda: len(ids(url)) == 101)
    ledger.write(a_call(101))
    ledger.close()
    assert len(ids(url)) == 102
    assert len(warnings) == 1


def test_a_server_that_stops_delays_rows_and_nothing_else(
    empty_home: Path, postgres_server: Server, warnings: list[str]
) -> None:
    url = postgres_server.new_database()
    gate = Gate(warn=warnings.append)
    with open_database(url) as database:
        token = issue(database, "ci", budget=Budget(100.0, "total"))
    ledger = Ledger(url, gate, warnings.append)
    ledger.open()
    key = gate.admit(token, time.time())
    assert key is not None
    ledger.write(a_call(0))
    gate.charge(key, 0.25)
    eventually(lambda: ids(url) == ["call-000000"])
    postgres_server.stop()
    try:
        for number in range(1, 50):
            ledger.write(a_call(number))
            gate.charge(key, 0.25)
        eventually(lambda: len(warnings) == 1 and config.ledger_journal().exists())
    finally:
        postgres_server.start()
    eventually(lambda: len(ids(url)) == 50 and spent(url) == 12.5)
    ledger.close()
    assert len(warnings) == 1
    assert spent(url) == 12.5


def test_a_read_only_database_leaves_rows_in_the_journal(
    unprivileged: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setenv("CHAPETA_HOME", str(unprivileged / "home"))
    url = f"sqlite:///{unprivileged / 'data' / 'c.sqlite'}"
    open_database(url).close()
    (unprivileged / "data" / "c.sqlite").chmod(0o400)
    ledger = Ledger(url, warn=warnings.append)
    ledger.open()
    ledger.write(a_call(1))
    ledger.close()
    assert "read-only" in warnings[0]
    for file in (unprivileged / "data").iterdir():
        file.chmod(0o600)
    with open_database(url) as database:
        assert import_journal(database) == 1
    assert ids(url) == ["call-000001"]


def test_rows_wait_in_memory_where_nothing_can_be_written(
    unprivileged: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setenv("CHAPETA_HOME", str(unprivileged))
    ledger = Ledger(warn=warnings.append)
    unprivileged.chmod(0o500)
    ledger.write(a_call(1))
    eventually(lambda: len(warnings) == 1)
    assert f"{config.ledger_journal()} cannot be written" in warnings[0]
    unprivileged.chmod(0o700)
    eventually(lambda: (unprivileged / "chapeta.sqlite").exists() and ids(config.database_url()) == ["call-000001"])
    ledger.close()


def test_open_says_what_is_wrong(empty_home: Path) -> None:
    ledger = Ledger("mysql://ann:s3cret@host/name")
    with pytest.raises(BadInput, match="'mysql' are not supported"):
        ledger.open()
    ledger.close()


def test_two_processes_import_a_journal_and_double_nothing(database_url: str) -> None:
    """With what keys have spent, which adds up rather than being replaced."""
    lines = []
    for batch in range(200):
        rows = [a_call(10 * batch + n)._asdict() for n in range(10)]
        lines.append(json.dumps({"calls": rows, "charges": [["key", 0.0, 0.5]]}))
    journal = config.ledger_journal()
    half = len(lines) // 2
    # one file that a dead importer has left, which both take, and one that only the faster renames
    journal.with_name(f"{journal.stem}.0123456789abcdef.taken").write_text("\n".join(lines[:half]), encoding="utf-8")
    journal.write_text("\n".join(lines[half:]) + '\n{"calls": [{"id": "torn', encoding="utf-8")
    open_database(database_url).close()
    code = f"""
import sys
from chapeta.gateway.ledger import import_journal
from chapeta.storage.database import open_database
with open_database({database_url!r}, 60) as database:
    sys.stdin.read(1)
    import_journal(database)
"""
    importers = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(2)]
    for importer in importers:
        assert importer.stdin
        importer.stdin.write(b"x")
        importer.stdin.flush()
    for importer in importers:
        importer.communicate(timeout=120)
        assert importer.returncode == 0
    assert ids(database_url) == [f"call-{n:06}" for n in range(2000)]
    assert spent(database_url) == 100.0
    assert list(journal.parent.glob("ledger-journal*")) == []


def test_a_batch_that_was_written_after_all_is_not_counted_again(database_url: str) -> None:
    """As when the connection breaks just before the answer to COMMIT: the batch is in the journal and in the database."""
    with open_database(database_url) as database:
        token = issue(database, "ci", budget=Budget(10.0, "total"))
        gate = Gate()
        ledger = Ledger(database_url, gate)
        ledger.open()
        key = gate.admit(token, time.time())
        assert key is not None
        ledger.write(a_call(1))
        gate.charge(key, 0.25)
        ledger.close()
        line = json.dumps({"calls": [a_call(1)._asdict()], "charges": [[key.id, 0.0, 0.25]]})
        config.ledger_journal().write_text(line + "\n", encoding="utf-8")
        assert import_journal(database) == 1
        assert [key.spent_usd for key in listed(database)] == [0.25]
    assert ids(database_url) == ["call-000001"]
