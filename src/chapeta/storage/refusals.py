"""What a database says when it refuses, as one line that names the database and the next step."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from chapeta.config import DATABASE_VARIABLE
from chapeta.errors import BadInput, ChapetaError, Corrupt, Missing
from chapeta.storage.address import HOW, shown

LINE_CHARACTERS = 200


@contextlib.contextmanager
def refusals(url: URL) -> Iterator[None]:
    """Turns a database's errors into ours. A DBAPIError that passes is about the data itself, not about the database."""
    try:
        yield
    except DBAPIError as error:
        if _is_about_data(error):
            raise
        raise refusal(error.orig or error, url) from None
    except sqlite3.Error as error:  # from where SQLAlchemy does not wrap them, as on connecting
        raise refusal(error, url) from None
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("psycopg"):
            raise
        raise no_driver() from None
    except ImportError as error:  # psycopg without libpq
        if "psycopg" not in str(error) and "libpq" not in str(error):
            raise
        raise no_driver() from None


def _is_about_data(error: DBAPIError) -> bool:
    """Whether a value did not fit: too large, of a type that the driver does not know, or against a constraint."""
    if isinstance(error, DataError | IntegrityError):
        return True
    if isinstance(error.orig, sqlite3.Error):
        return isinstance(error.orig, sqlite3.InterfaceError | sqlite3.ProgrammingError)
    return isinstance(error, ProgrammingError) and not getattr(error.orig, "sqlstate", None)


def refusal(error: BaseException, url: URL) -> ChapetaError:
    """The error for what a driver raised."""
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, shown(url))
    return _of_postgres(error, url)


def no_driver() -> Missing:
    return Missing("PostgreSQL needs a driver that is not installed.", "Run `pip install 'chapeta[postgres]'`.")


def _of_sqlite(error: sqlite3.Error, path: str) -> ChapetaError:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF  # the primary code, sqlite.org/rescode.html
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return BadInput(f"The database {path} is locked by another program.", "Wait until it is done, or end it.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        remedy = (
            f"Change the permissions of the file, its -wal and -shm files and the folder, or set {DATABASE_VARIABLE}."
        )
        return BadInput(f"The database {path} is read-only.", remedy)
    if code == sqlite3.SQLITE_CANTOPEN:
        remedy = f"Check that it is a file, and that you may write to its folder, or set {DATABASE_VARIABLE}."
        return BadInput(f"The database {path} cannot be opened.", remedy)
    if code == sqlite3.SQLITE_NOTADB:
        return Corrupt(f"{path} is not a SQLite database.", f"Move it away, or set {DATABASE_VARIABLE}.")
    if code == sqlite3.SQLITE_CORRUPT:
        return Corrupt(f"The database {path} is damaged.", "Put a copy from backups/ in its place.")
    if code == sqlite3.SQLITE_FULL:
        return BadInput(f"The disk of the database {path} is full.", "Free some space, then try again.")
    return BadInput(f"The database {path} refuses ({_line(error)}).", "Check the file, its folder and the disk.")


def _of_postgres(error: BaseException, url: URL) -> ChapetaError:
    state = getattr(error, "sqlstate", None) or ""
    said = str(error)
    where, server = shown(url), f"{url.host or 'this machine'}, port {url.port or 5432}"
    if state in ("28P01", "28000") or "password" in said or "no pg_hba.conf entry" in said:
        return BadInput(f"PostgreSQL refuses the user '{url.username}' or the password of {where}.", HOW)
    if state == "3D000" or ("database" in said and "does not exist" in said):
        return BadInput(f"There is no database '{url.database}' at {server}.", f"Make it: createdb {url.database}.")
    if state == "42501":
        return BadInput(f"The user of {where} may not do that ({_line(error)}).", "Grant CREATE on its schema.")
    if state == "25006":
        return BadInput(f"The database {where} is read-only.", "Name the primary server, not a replica of it.")
    if state in ("55P03", "40P01"):
        return BadInput(f"The database {where} is locked by another program.", "Wait until it is done, or end it.")
    if not state:  # the connection was not made, or broke
        remedy = "Check that it runs and that host and port are right."
        return BadInput(f"PostgreSQL at {server} cannot be reached ({_line(error)}).", remedy)
    return BadInput(f"The database {where} refuses ({_line(error)}).", "Check its log.")


def _line(error: BaseException) -> str:
    """The last line of what the driver said, which is the reason; before it stands each address that was tried."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    told = next((line for line in lines if "failed:" in line), lines[0])
    return told.rpartition("failed: ")[2].strip()[:LINE_CHARACTERS]
