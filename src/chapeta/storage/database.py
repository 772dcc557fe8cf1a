"""Opens the database: SQLite by default, PostgreSQL by address, with its tables brought up to date first.

SQLite runs with a write-ahead log, so that readers never wait for the writer. Its own implicit transactions are switched
off: a writing transaction takes the lock at its first word (BEGIN IMMEDIATE) and so never fails half-way for being late.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, Engine, Insert, Table, create_engine, event
from sqlalchemy.engine import URL

from chapeta import config
from chapeta.errors import BadInput
from chapeta.storage import schema
from chapeta.storage.address import parse, shown
from chapeta.storage.refusals import refusals

PATIENCE_S = 5.0
PRIVATE: dict[str, Any] = {"hide_parameters": True}  # prompts do not get into errors


def open_database(url: str | None = None, patience_s: float = PATIENCE_S) -> Database:
    """The database at an address (default: `config.database_url()`), made and migrated where needed.

    patience_s: how long to wait for a lock or a server. Raises BadInput, Corrupt or Missing, on one line.
    """
    address = parse(url or config.database_url())
    database = Database(address, _engine(address, patience_s))
    try:
        with refusals(address):
            schema.ensure(database.engine, address)
    except BaseException:
        database.close()
        raise
    return database


class Database:
    """An open database. Safe from several threads; close it, or use it in a `with` block."""

    def __init__(self, address: URL, engine: Engine) -> None:
        self._address = address
        self.engine = engine

    @property
    def shown(self) -> str:
        """Its address, without a password."""
        return shown(self._address)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one moment of the database, whatever others write meanwhile."""
        with refusals(self._address), self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction, which is kept if the block ends well."""
        with (
            refusals(self._address),
            self.engine.connect() as connection,
            connection.execution_options(**{schema.WRITES: True}).begin(),
        ):
            yield connection

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def insert_new(connection: Connection, table: Table) -> Insert:
    """An INSERT that leaves alone what is there already. Only the dialect in use is loaded: PostgreSQL's takes 0.1 s."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()


def _engine(address: URL, patience_s: float) -> Engine:
    with refusals(address):
        if address.drivername == "sqlite":
            return _sqlite(address, patience_s)
        return create_engine(address, connect_args=_impatience(address, patience_s), pool_pre_ping=True, **PRIVATE)


def _sqlite(address: URL, patience_s: float) -> Engine:
    path = Path(address.database or "")
    _make_file(path)
    engine = create_engine(address, connect_args={"timeout": patience_s}, **PRIVATE)

    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous=NORMAL")

    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(schema.WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _make_file(path: Path) -> None:
    """An empty file that only its owner can read, as prompts may come in; SQLite gives its side files the same mode."""
    if path.is_dir():
        raise BadInput(f"The database {path} is a folder.", f"Name a file in {config.DATABASE_VARIABLE}.")
    if path.parent.exists() and not path.parent.is_dir():
        raise BadInput(f"{path.parent} is a file, not a folder.", f"Name another in {config.DATABASE_VARIABLE}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        remedy = f"Check its folder and the disk, or set {config.DATABASE_VARIABLE}."
        raise BadInput(f"The database {path} cannot be made ({error.strerror}).", remedy) from None


def _impatience(address: URL, patience_s: float) -> dict[str, Any]:
    """Limits for PostgreSQL's client, as far as the address does not set its own (libpq's connection parameters)."""
    limits = {
        "connect_timeout": max(2, round(patience_s)),  # libpq takes no less than 2
        "tcp_user_timeout": round(max(2.0, patience_s) * 1000),
        "options": f"-c lock_timeout={round(patience_s * 1000)}",
        "application_name": "chapeta",
    }
    return {name: value for name, value in limits.items() if name not in address.query}
