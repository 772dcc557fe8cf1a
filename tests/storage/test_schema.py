"""Migrations: the tables are those of the migrations, many starters migrate once, and a failure leaves all as it was."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from chapeta.errors import BadInput, ChapetaError
from chapeta.storage import schema
from chapeta.storage.address import parse
from chapeta.storage.database import Database, open_database
from chapeta.storage.tables import HEAD, VERSION_TABLE, metadata, spend

NEXT = f"{int(HEAD) + 1:04}"
INDEXES = (
    "turn_words",
    "chat_words",
)  # made by hand, as SQLAlchemy knows no full-text index; SQLite's have side tables
ADDS = 'op.add_column("spend", sa.Column("note", sa.Text))'
FAILS = ADDS + '\n    op.execute("INSERT INTO nowhere VALUES (1)")'
COMMITS = 'op.execute("DELETE FROM spend")\n    op.execute("COMMIT")\n    op.execute("INSERT INTO nowhere VALUES (1)")'


@pytest.fixture
def database(database_url: str) -> Database:
    """A database with one row in it."""
    database = open_database(database_url)
    with database.write() as connection:
        connection.execute(spend.insert().values(key_id="a", period_start=0.0, usd=1.0))
    return database


def scripts(folder: Path, upgrade: str) -> Path:
    """Our migrations and one more, NEXT."""
    place = shutil.copytree(schema.SCRIPTS, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    body = f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{NEXT}", "{HEAD}"
def upgrade():
    {upgrade}
"""
    (place / "versions" / f"{NEXT}_more.py").write_text(body, encoding="utf-8")
    return place


def is_not_an_index(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not (name or "").startswith(INDEXES)


def migrate(database: Database, url: str, place: Path) -> None:
    schema.ensure(database.engine, parse(url), NEXT, place)


def state(database: Database) -> tuple[str | None, list[float]]:
    with database.read() as connection:
        return schema.version(connection), list(connection.execute(select(spend.c.usd)).scalars())


def test_head_is_the_newest_migration_and_names_sort() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    settings = Config()
    settings.set_main_option("script_location", str(schema.SCRIPTS))
    names = [script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()]
    assert names[0] == HEAD
    assert names == sorted(names, reverse=True)
    assert all(len(name) == 4 and name.isdigit() for name in names)


def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.read() as connection:
        opts = {"version_table": VERSION_TABLE, "compare_type": True, "include_name": is_not_an_index}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []


def test_a_migration_copies_a_sqlite_file_first(database: Database, database_url: str, tmp_path: Path) -> None:
    migrate(database, database_url, scripts(tmp_path, ADDS))
    assert state(database) == (NEXT, [1.0])
    folder = tmp_path / "home" / "backups"
    if database.engine.dialect.name == "postgresql":
        assert not folder.exists()
        return
    [copy] = folder.iterdir()
    assert copy.name.startswith("chapeta-20")
    assert copy.name.endswith(f"Z-schema-{HEAD}.sqlite")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("SELECT * FROM spend").fetchall() == [("a", 0.0, 1.0)]


def test_a_failed_migration_changes_nothing(database: Database, database_url: str, tmp_path: Path) -> None:
    with pytest.raises(ChapetaError) as failed:
        migrate(database, database_url, scripts(tmp_path, FAILS))
    assert f"could not be brought to schema {NEXT}; they are as they were." in str(failed.value)
    assert "nowhere" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert state(database) == (HEAD, [1.0])
    with database.read() as connection:
        assert "note" not in connection.exec_driver_sql("SELECT * FROM spend").keys()  # noqa: SIM118


def test_a_failed_migration_that_had_kept_a_part_is_put_back(empty_home: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{empty_home / 'chapeta.sqlite'}"
    with open_database(url) as database, open_database(url) as other:
        with database.write() as connection:
            connection.execute(spend.insert().values(key_id="a", period_start=0.0, usd=1.0))
        assert state(other) == (HEAD, [1.0])
        with pytest.raises(ChapetaError, match=r"A copy is .*backups"):
            migrate(database, url, scripts(tmp_path, COMMITS))
        assert state(other) == (HEAD, [1.0])  # for who had it open all the time, too
        with other.write() as connection:
            connection.execute(spend.insert().values(key_id="b", period_start=0.0, usd=2.0))
        assert state(database) == (HEAD, [1.0, 2.0])


def test_an_older_program_refuses_a_migrated_database(database: Database, database_url: str, tmp_path: Path) -> None:
    migrate(database, database_url, scripts(tmp_path, ADDS))
    with pytest.raises(BadInput, match="written by a newer Chapeta"):
        open_database(database_url)
    assert state(database) == (NEXT, [1.0])


def test_many_processes_that_start_at_once_all_get_the_tables(database_url: str) -> None:
    code = f"""
import sys
from chapeta.storage.database import open_database
from chapeta.storage.tables import spend
sys.stdin.read(1)
with open_database({database_url!r}, 30) as database, database.write() as connection:
    connection.execute(spend.insert().values(key_id=sys.argv[1], period_start=0.0, usd=1.0))
"""
    starters = [
        subprocess.Popen([sys.executable, "-c", code, str(n)], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for n in range(4)
    ]
    for starter in starters:
        assert starter.stdin
        starter.stdin.write(b"x")
        starter.stdin.flush()
    for starter in starters:
        _, said = starter.communicate(timeout=120)
        assert starter.returncode == 0, said.decode()
    with open_database(database_url) as database:
        assert state(database) == (HEAD, [1.0] * 4)
