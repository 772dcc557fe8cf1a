"""Which database: the address that the user gave, checked, and how it is shown. Passwords are never shown."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chapeta.config import DATABASE_VARIABLE
from chapeta.errors import BadInput

HOW = (
    f"Set {DATABASE_VARIABLE} to sqlite:////path/to/file.sqlite or postgresql://user:password@host:5432/name "
    "(with %XX for special characters in the password), or leave it out."
)
POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


def parse(address: str) -> URL:
    """The address as SQLAlchemy wants it. Raises BadInput, without repeating what may hold a password."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise BadInput("The address of the database cannot be read.", HOW) from None
    if url.drivername in POSTGRES:
        if not url.database:
            raise BadInput(f"The address {shown(url)} names no database.", HOW)
        if url.port is not None and not 0 < url.port < 65536:
            raise BadInput(f"{url.port} is not a port.", HOW)
        return url.set(drivername="postgresql+psycopg")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if not url.database or url.database == ":memory:" or url.query or url.host:
            raise BadInput(f"'{url.render_as_string()}' is not the path of a file.", HOW)
        return url.set(drivername="sqlite", database=str(Path(url.database).expanduser().absolute()))
    raise BadInput(f"Databases of the kind '{url.drivername}' are not supported.", HOW)


def shown(url: URL) -> str:
    """The address for a message: a path, or server and database. What is in the query may be a password."""
    if url.drivername.startswith("sqlite"):
        return url.database or ""
    user = f"{url.username}@" if url.username else ""
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host or ""
    return f"postgresql://{user}{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"
