"""Addresses of databases: what is taken, what is refused, and that no message shows a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from chapeta import config
from chapeta.errors import BadInput
from chapeta.storage.address import parse, shown


def test_sqlite_is_a_path() -> None:
    assert shown(parse("sqlite:////data/chapeta.sqlite")) == "/data/chapeta.sqlite"
    assert shown(parse("sqlite:///here.sqlite")) == str(Path("here.sqlite").absolute())
    assert shown(parse("sqlite:///~/c.sqlite")) == str(Path("~/c.sqlite").expanduser())


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgres_goes_through_psycopg(scheme: str) -> None:
    url = parse(f"{scheme}://ann:p%40ss@db.example:6543/ledger?sslmode=require&password=other")
    assert url.drivername == "postgresql+psycopg"
    assert (url.password, url.port) == ("p@ss", 6543)
    assert shown(url) == "postgresql://ann@db.example:6543/ledger"


@pytest.mark.parametrize(
    "address",
    [
        "s3cret",
        "postgresql://ann:s3cret@host:port/name",
        "postgresql://ann:s3cret@host:99999/name",
        "postgresql://ann:s3cret@host",
        "postgresql+asyncpg://ann:s3cret@host/name",
        "mysql://ann:s3cret@host/name",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///x.sqlite?mode=memory",
    ],
)
def test_other_addresses_are_refused_without_showing_the_password(address: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(address)
    assert "s3cret" not in str(refused.value)
    assert config.DATABASE_VARIABLE in refused.value.remedy
    assert "\n" not in str(refused.value)


def test_the_default_is_a_file_in_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "100% ours? #1"
    monkeypatch.setenv("CHAPETA_HOME", str(folder))
    monkeypatch.delenv("CHAPETA_DATABASE_URL", raising=False)
    assert shown(parse(config.database_url())) == str(folder / "chapeta.sqlite")
    monkeypatch.setenv("CHAPETA_DATABASE_URL", "postgresql://host/name")
    assert config.database_url() == "postgresql://host/name"
