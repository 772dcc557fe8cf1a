"""A row in the database for every call, written off the hot path.

    write → memory → every 0.5 s a thread → the database, and with it what access keys have spent
                                          → the journal, while there is no database that takes rows

So a call never waits for the database or fails with it, and a kill loses the last half second. The database is opened in
the background when there is something to write (SQLAlchemy takes 0.6 s to load); a process that ends before that leaves
its rows in the journal, which whoever opens the database next imports. Nothing is counted twice: a row that is there
already is skipped, and what a batch has spent counts only if the batch's first row is new.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from chapeta import config
from chapeta.errors import ChapetaError

if TYPE_CHECKING:
    from chapeta.gateway.ledger.access import Gate
    from chapeta.storage.database import Database

LOG = logging.getLogger("chapeta")
FLUSH_EVERY_S = 0.5
REFRESH_EVERY_S = 1.0  # how soon a revoked key, or what another process has spent, is known here
PATIENCE_S = 0.3  # for a lock; rows that wait longer go to the journal
CLOSE_S = 10.0
LONGEST_PAUSE_S = 10.0  # between two attempts to open a database that is down
MOST_IN_MEMORY = 100_000  # rows, where not even the journal can be written
ROWS_A_LINE = 1000
LINES_A_TRANSACTION = 10


class Call(NamedTuple):
    """One call to a model, as the table `calls` has it.

    started_at: seconds since 1970 UTC; model: its full id; deployment: the name that was asked for, "" if none.
    tokens_*: None where the provider does not say; usd: None is unknown, 0.0 is for calls that nobody bills.
    outcome: ok, error or cancelled; code: of the error; attempts: how often providers were asked.
    prompt, answer: only if the user turned that on.
    """

    id: str
    started_at: float
    provider: str
    model: str
    deployment: str
    key_name: str
    run: str
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    tokens_reasoning: int | None
    usd: float | None
    latency_ms: float
    first_token_ms: float | None
    status: int
    outcome: str
    code: str
    streamed: bool
    attempts: int
    request_id: str
    prompt: str | None = None
    answer: str | None = None


class Batch(NamedTuple):
    """What is written in one transaction. charges: key id and start of the period → USD."""

    calls: Sequence[Call]
    charges: dict[tuple[str, float], float]


class Ledger:
    """Keeps a row of each call. `gate` gets the keys and what they have spent; `warn` a line when rows have to wait."""

    def __init__(
        self,
        url: str | None = None,
        gate: Gate | None = None,
        warn: Callable[[str], None] = LOG.warning,
        journal: Path | None = None,
    ) -> None:
        self._url = url or config.database_url()
        self._gate = gate
        self._warn = warn
        self._journal = journal or config.ledger_journal()
        self._rows: deque[Call] = deque(maxlen=MOST_IN_MEMORY)
        self.write: Callable[[Call], None] = self._rows.append  # the hot path is one append, without a lock
        self._database: Database | None = None
        self._opener: threading.Thread | None = None
        self._journal_waits = False
        self._trouble = ""
        self._pause_s = FLUSH_EVERY_S
        self._open_again_s = 0.0
        self._refresh_s = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Opens the database now, imports the journal and fills the gate, as a server does before its first call.

        Raises BadInput, Corrupt or Missing if it cannot be opened.
        """
        database = self._opened()
        try:
            self._refresh(database)
        except BaseException:
            database.close()
            raise
        self._database = database

    def close(self) -> None:
        """Writes what is left and ends the thread; to the journal if the database is not open. May be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._thread.join(CLOSE_S)
        self.write = self._write_late
        if self._thread.is_alive():  # the database hangs: the thread still tries with the rows that it took
            self._wait_in_journal(self._taken())
            return
        self._flush()
        if self._database is not None:
            self._database.close()

    def _run(self) -> None:
        while not self._closing.wait(FLUSH_EVERY_S):
            self._flush()

    def _flush(self) -> None:
        """Writes what has come in since the last time."""
        database = self._database
        if database is None:
            self._wait_in_journal(self._taken())
            return
        batch = self._taken()
        try:
            if self._journal_waits:  # of the time while the database was being opened
                self._journal_waits = False
                import_journal(database, self._journal)
            store(database, batch)
            self._refresh(database)
        except _database_errors() as error:
            self._fell_out(error)
            self._wait_in_journal(batch)

    def _taken(self) -> Batch:
        """All that waits. Rows first: what they have spent is charged after they are written."""
        if len(self._rows) == MOST_IN_MEMORY:
            self._warn(f"The ledger lost calls: neither the database nor {self._journal} can be written.")
        calls = [self._rows.popleft() for _ in range(len(self._rows))]
        return Batch(calls, self._gate.take_charges() if self._gate else {})

    def _wait_in_journal(self, batch: Batch) -> None:
        """Puts a batch where it survives this process; back into memory if that fails. Then sees to the database."""
        if batch.calls:
            self._journal_waits = True
            try:
                _append(self._journal, batch)
            except OSError as error:
                self._say(f"The ledger's calls wait in memory: {self._journal} cannot be written ({error.strerror}).")
                self._put_back(batch)
        elif batch.charges:  # without a row nobody could tell whether they were counted
            self._put_back(batch)
        if (batch.calls or self._trouble) and not self._closing.is_set():
            self._open_in_background()

    def _put_back(self, batch: Batch) -> None:
        self._rows.extendleft(reversed(batch.calls))
        if self._gate:
            self._gate.give_back(batch.charges)

    def _open_in_background(self) -> None:
        if (self._opener is None or not self._opener.is_alive()) and time.monotonic() >= self._open_again_s:
            self._opener = threading.Thread(target=self._try_to_open, name="ledger-open", daemon=True)
            self._opener.start()

    def _try_to_open(self) -> None:
        try:
            database = self._opened()
        except (ChapetaError, OSError) as error:
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self._open_again_s = time.monotonic() + self._pause_s
            self._say(f"{error} Until then the calls wait in {self._journal}.")
        else:
            self._trouble, self._pause_s = "", FLUSH_EVERY_S
            if self._closing.is_set():
                database.close()
            else:
                self._database = database

    def _opened(self) -> Database:
        from chapeta.storage.database import open_database

        database = open_database(self._url, PATIENCE_S)
        try:
            self._journal_waits = False
            import_journal(database, self._journal)
            self._refresh_s = 0.0
        except BaseException:
            database.close()
            raise
        return database

    def _refresh(self, database: Database) -> None:
        if self._gate is None or time.monotonic() < self._refresh_s:
            return
        from chapeta.gateway.ledger.access import listed

        self._gate.renew(listed(database, time.time()))
        self._refresh_s = time.monotonic() + REFRESH_EVERY_S

    def _fell_out(self, error: Exception) -> None:
        """The database does not take rows: it is closed, and opened again after a pause."""
        if self._database is not None:
            self._database.close()
            self._database = None
        self._open_again_s = time.monotonic() + self._pause_s
        told = str(error) if isinstance(error, ChapetaError) else f"The database refuses ({type(error).__name__})."
        self._say(f"{told} Until then the calls wait in {self._journal}.")

    def _say(self, line: str) -> None:
        """Warns once, until the database takes rows again."""
        if not self._trouble:
            self._trouble = line
            self._warn(line)

    def _write_late(self, call: Call) -> None:
        """For calls that end after the ledger was closed."""
        self._wait_in_journal(Batch([call], {}))


def import_journal(database: Database, journal: Path | None = None) -> int:
    """Moves the rows that wait in the journal into the database, and says how many lines there were.

    Raises BadInput where the database does not take them: they wait on. Lines cut off by a kill are left out.
    """
    from chapeta.storage import calls
    from chapeta.storage import journal as file

    with file.taken(journal or config.ledger_journal()) as lines:
        batches = [batch for batch in map(_read, lines) if batch is not None]
        for start in range(0, len(batches), LINES_A_TRANSACTION):
            with database.write() as connection:
                calls.lock_imports(connection)
                for batch in batches[start : start + LINES_A_TRANSACTION]:
                    if batch.charges and not calls.is_known(connection, batch.calls[0].id):
                        calls.add_spend(connection, batch.charges)
                    calls.insert_calls(connection, [calls.cleaned(call) for call in batch.calls])
    return len(batches)


def store(database: Database, batch: Batch) -> None:
    """Writes a batch in one transaction. Rows that the database does not take as they are, it gets cleaned."""
    from sqlalchemy.exc import DBAPIError

    from chapeta.storage import calls

    if not batch.calls and not batch.charges:
        return
    try:
        with database.write() as connection:
            calls.insert_calls(connection, batch.calls)
            calls.add_spend(connection, batch.charges)
    except (DBAPIError, ValueError, OverflowError, TypeError):
        with database.write() as connection:
            calls.insert_calls(connection, [calls.cleaned(call) for call in batch.calls])
            calls.add_spend(connection, batch.charges)


def _database_errors() -> tuple[type[Exception], ...]:
    from sqlalchemy.exc import SQLAlchemyError

    return (ChapetaError, SQLAlchemyError)


def _append(journal: Path, batch: Batch) -> None:
    from chapeta.storage.journal import append

    lines: list[str] = []
    for start in range(0, len(batch.calls), ROWS_A_LINE):
        rows = [call._asdict() for call in batch.calls[start : start + ROWS_A_LINE]]
        charges = [[*key, usd] for key, usd in batch.charges.items()] if start == 0 else []
        lines.append(json.dumps({"calls": rows, "charges": charges}, default=str))
    append(journal, lines)


def _read(line: str) -> Batch | None:
    """A line of the journal; None if it is not whole."""
    try:
        data: Any = json.loads(line)
        calls = [Call(**row) for row in data["calls"]]
        return Batch(calls, {(key, float(start)): float(usd) for key, start, usd in data["charges"]}) if calls else None
    except (ValueError, TypeError, KeyError):
        return None
