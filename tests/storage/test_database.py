"""Opening a database: private, with its tables, and with one clear line where it cannot be had."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, inspect, select

from chapeta.errors import BadInput, ChapetaError, Corrupt
from chapeta.storage.database import open_database
from chapeta.storage.tables import HEAD, VERSION_TABLE, calls, metadata, spend
from postgres import PASSWORD, Server


def failure(url: str, patience_s: float = 0.1) -> ChapetaError:
    with (
        pytest.raises(ChapetaError) as refused,
        open_database(url, patience_s) as database,
        database.write() as connection,
    ):
        connection.execute(spend.insert().values(key_id="a", period_start=0.0, usd=1.0))
    line = str(refused.value)
    assert "\n" not in line
    assert PASSWORD not in line
    assert refused.value.remedy
    return refused.value


def file_url(path: Path) -> str:
    return f"sqlite:///{path}"


def test_a_new_database_has_the_tables_and_a_second_opening_finds_them(database_url: str) -> None:
    for _ in range(2):
        with open_database(database_url) as database, database.read() as connection:
            names = set(inspect(connection).get_table_names())
            assert names >= {*metadata.tables, "turn_words", "chat_words", VERSION_TABLE}
            assert connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalars().all() == [HEAD]


def test_opening_a_current_database_loads_no_alembic(database_url: str) -> None:
    open_database(database_url).close()
    code = f"""
import sys
from chapeta.storage.database import open_database
open_database({database_url!r}).close()
sys.exit("alembic" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_default_is_a_private_file_in_the_data_directory(empty_home: Path) -> None:
    old = os.umask(0)
    try:
        with open_database() as database, database.write() as connection:
            connection.execute(spend.insert().values(key_id="a", period_start=0.0, usd=1.0))
            files = sorted(empty_home.iterdir())
            assert [file.name for file in files] == ["chapeta.sqlite", "chapeta.sqlite-shm", "chapeta.sqlite-wal"]
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(old)


def test_a_transaction_is_kept_whole_or_not_at_all(database_url: str) -> None:
    with open_database(database_url) as database:
        with pytest.raises(ZeroDivisionError), database.write() as connection:
            connection.execute(spend.insert().values(key_id="a", period_start=0.0, usd=1.0))
            raise ZeroDivisionError
        with database.read() as connection:
            assert connection.execute(select(func.count()).select_from(spend)).scalar() == 0


def test_a_reader_sees_one_moment_while_others_write(database_url: str) -> None:
    query = select(func.count()).select_from(spend)
    with open_database(database_url) as database, database.read() as reading:
        assert reading.execute(query).scalar() == 0
        with database.write() as writing:
            writing.execute(spend.insert().values(key_id="a", period_start=0.0, usd=1.0))
        assert reading.execute(query).scalar() == 0


def test_writers_wait_for_each_other(database_url: str) -> None:
    with open_database(database_url) as database:
        with database.write() as connection:
            connection.execute(spend.insert().values(key_id="a", period_start=0.0, usd=0.0))

        def add() -> None:
            for _ in range(5):
                with database.write() as connection:
                    connection.execute(spend.update().values(usd=spend.c.usd + 1))

        threads = [threading.Thread(target=add) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with database.read() as connection:
            assert connection.execute(select(spend.c.usd)).scalar() == 40


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.sqlite"
    path.write_text("to do: everything\n" * 100, encoding="utf-8")
    error = failure(file_url(path))
    assert isinstance(error, Corrupt)
    assert f"{path} is not a SQLite database." in str(error)
    assert path.read_text(encoding="utf-8").startswith("to do")


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    assert f"{tmp_path} is a folder" in str(failure(file_url(tmp_path)))


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file, not a folder" in str(failure(file_url(tmp_path / "file" / "x.sqlite")))


def test_a_locked_file(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    open_database(file_url(path)).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert f"{path} is locked by another program" in str(failure(file_url(path)))


def test_a_read_only_folder(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    assert f"{unprivileged / 'c.sqlite'} cannot be made (Permission denied)" in str(
        failure(file_url(unprivileged / "c.sqlite"))
    )


def test_a_read_only_file(unprivileged: Path) -> None:
    path = unprivileged / "c.sqlite"
    open_database(file_url(path)).close()
    path.chmod(0o400)
    assert f"{path} is read-only" in str(failure(file_url(path)))


def test_a_file_that_may_not_be_read(unprivileged: Path) -> None:
    path = unprivileged / "c.sqlite"
    open_database(file_url(path)).close()
    path.chmod(0o000)
    assert f"{path} cannot be opened" in str(failure(file_url(path)))


def test_a_schema_newer_than_this_program(database_url: str) -> None:
    with open_database(database_url) as database, database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    error = failure(database_url)
    assert "written by a newer Chapeta (its schema is 9999" in str(error)
    assert "Update this program" in error.remedy


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:  # bound, but not listening: nothing can answer on this port
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = failure(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/ledger")
    assert f"PostgreSQL at 127.0.0.1, port {port} cannot be reached" in str(error)
    assert "Connection refused" in str(error)


def test_a_wrong_password(postgres_server: Server) -> None:
    error = failure(postgres_server.url("postgres", password="wr0ng-one"))
    assert isinstance(error, BadInput)
    assert "refuses the user 'chapeta' or the password" in str(error)
    assert "wr0ng-one" not in str(error)


def test_a_database_that_does_not_exist(postgres_server: Server) -> None:
    assert "no database 'nowhere'" in str(failure(postgres_server.url("nowhere")))


def test_a_user_who_may_not_make_tables(postgres_server: Server) -> None:
    import psycopg

    url = postgres_server.new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    assert "permission denied for schema public" in str(failure(url.replace("chapeta:", "guest:")))


def test_a_missing_driver() -> None:
    code = """
import sys
sys.modules["psycopg"] = None  # as if it were not installed
from chapeta.errors import Missing
from chapeta.storage.database import open_database
try:
    open_database("postgresql://host/name")
except Missing as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "PostgreSQL needs a driver that is not installed. Run `pip install 'chapeta[postgres]'`.\n"


def test_what_is_written_does_not_get_into_errors(database_url: str) -> None:
    with open_database(database_url) as database, pytest.raises(Exception) as refused, database.write() as connection:
        connection.execute(calls.insert().values(id="a", prompt="my secret prompt"))
    assert "NOT NULL" in str(refused.value) or "not-null" in str(refused.value)
    assert "[SQL parameters hidden" in str(refused.value)
