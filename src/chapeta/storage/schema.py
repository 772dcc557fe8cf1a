"""Brings a database's tables up to date, once, however many processes start at the same moment.

A database that is current costs one query, and Alembic is not loaded (0.4 s). Else the migration runs in one transaction
behind a lock. A SQLite file is copied to `backups/` first and put back if a migration that failed had kept a part.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL

from chapeta.errors import BadInput, ChapetaError
from chapeta.storage.address import shown
from chapeta.storage.refusals import refusal
from chapeta.storage.tables import HEAD, VERSION_TABLE

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x63686170  # "chap": our advisory lock in PostgreSQL
PATIENCE_S = 60.0  # for another process that is migrating
RETRY_S = 0.02
WRITES = "chapeta_writes"  # option of a connection whose transactions write


def ensure(engine: Engine, address: URL, head: str = HEAD, scripts: Path = SCRIPTS) -> None:
    """Makes or migrates the tables if they are not at `head`. Raises BadInput for a schema newer than this program."""
    with engine.connect() as connection:
        found = version(connection)
    if found == head:
        return
    _refuse_newer(found, head, address)
    if engine.dialect.name == "postgresql":
        _upgrade_postgres(engine, address, head, scripts)
    else:
        _upgrade_sqlite(engine, address, head, scripts)


def version(connection: Connection) -> str | None:
    """The revision that the tables are at, None if there are none yet."""
    if connection.dialect.name == "postgresql":
        there = connection.exec_driver_sql(f"SELECT to_regclass('{VERSION_TABLE}')").scalar()
    else:
        there = connection.exec_driver_sql(f"SELECT 1 FROM sqlite_master WHERE name = '{VERSION_TABLE}'").scalar()
    if there is None:
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
    return None if found is None else str(found)


def _refuse_newer(found: str | None, head: str, address: URL) -> None:
    if found is not None and found > head:
        raise BadInput(
            f"The database {shown(address)} was written by a newer Chapeta (its schema is {found}, ours {head}).",
            "Update this program: pip install --upgrade chapeta.",
        )


def _upgrade_postgres(engine: Engine, address: URL, head: str, scripts: Path) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(PATIENCE_S * 1000)}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        found = version(connection)
        _refuse_newer(found, head, address)
        if found != head:
            _migrate(connection, address, head, scripts, "")


def _upgrade_sqlite(engine: Engine, address: URL, head: str, scripts: Path) -> None:
    path = Path(address.database or "")
    watcher = sqlite3.connect(path, timeout=PATIENCE_S)
    with contextlib.closing(watcher), engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={round(PATIENCE_S * 1000)}")
        connection.rollback()
        _write_ahead(connection)
        connection = connection.execution_options(**{WRITES: True})
        with connection.begin():
            found = version(connection)
            _refuse_newer(found, head, address)
            if found == head:
                return
            copy = None if found is None else back_up(watcher, path, found)
            before = _data_version(watcher)
            try:
                _migrate(connection, address, head, scripts, f" A copy is {copy}." if copy else "")
            except BaseException:
                connection.rollback()
                if copy and _data_version(watcher) != before:
                    restore(copy, path)
                raise
        connection.invalidate()  # its busy timeout is not the pool's


def back_up(source: sqlite3.Connection, path: Path, found: str) -> Path:
    """A dated copy of a database beside it, in `backups/`, for its owner alone."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    copy = path.parent / "backups" / f"{path.stem}-{moment}-schema-{found}.sqlite"
    try:
        copy.parent.mkdir(exist_ok=True, mode=0o700)
        copy.touch(mode=0o600)
    except OSError as error:
        remedy = "It was not migrated: check that folder and the disk."
        raise BadInput(f"The database cannot be copied to {copy} ({error.strerror}).", remedy) from None
    with contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def restore(copy: Path, path: Path) -> None:
    """Puts a copy back in place, page by page, so that programs which have the database open see it too."""
    with (
        contextlib.closing(sqlite3.connect(copy)) as source,
        contextlib.closing(sqlite3.connect(path, timeout=PATIENCE_S)) as target,
    ):
        source.backup(target)


def _migrate(connection: Connection, address: URL, head: str, scripts: Path, copy: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy.exc import DBAPIError

    settings = Config(attributes={"connection": connection})
    settings.set_main_option("script_location", str(scripts).replace("%", "%%"))
    try:
        command.upgrade(settings, head)
    except (DBAPIError, CommandError) as error:
        told = refusal(error.orig, address) if isinstance(error, DBAPIError) and error.orig else error
        raise ChapetaError(
            f"The tables of {shown(address)} could not be brought to schema {head}; they are as they were.{copy}",
            f"Reason: {told}",
        ) from error


def _write_ahead(connection: Connection) -> None:
    """Switches to the write-ahead log, which the file remembers. SQLite does not wait for the lock that this needs."""
    deadline_s = time.monotonic() + PATIENCE_S
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(RETRY_S)


def _data_version(watcher: sqlite3.Connection) -> int:
    """A number that changes when another connection has committed (sqlite.org/pragma.html#pragma_data_version)."""
    return int(watcher.execute("PRAGMA data_version").fetchone()[0])
