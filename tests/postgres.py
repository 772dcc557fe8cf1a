"""A real PostgreSQL for the tests: a cluster in a temporary folder, on a loopback port, with a password, gone at the end.

Debian's package `postgresql` is enough; its service need not run. PostgreSQL refuses to run as root, so root hands the
cluster to the user `postgres` (or `nobody`). What else the tests of the database share is here too.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

USER, PASSWORD = "chapeta", "s3cret-of-the-tests"
SETTINGS = "-c fsync=off -c full_page_writes=off -c max_connections=60 -c lc_messages=C -c shared_buffers=32MB"


@dataclass
class Server:
    """A running PostgreSQL. `stop` and `start` act on the same cluster and port."""

    programs: Path
    folder: Path
    port: int
    owner: str | None
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of a new, empty database."""
        import psycopg

        name = f"test_{next(self.numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 {SETTINGS}"
        self._control("start", "-w", "-t", "60", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._control("stop", "-w", "-m", "immediate")

    def _control(self, *words: str) -> None:
        run([str(self.programs / "pg_ctl"), "-D", str(self.folder / "data"), *words], self.owner)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server, one for all tests of a session."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="chapeta-postgres-"))
    server = Server(programs, folder, free_port(), unprivileged_user())
    try:
        make_cluster(server)
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """The address of an empty database."""
    return postgres_server.new_database()


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory, without a model in it."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("CHAPETA_HOME", str(folder))
    monkeypatch.delenv("CHAPETA_DATABASE_URL", raising=False)
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, empty_home: Path) -> str:
    """The address of an empty database: every test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{empty_home / 'chapeta.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """An empty folder, and no right to write where a file's mode forbids it: root becomes `nobody` for the test."""
    folder = Path(tempfile.mkdtemp(prefix="chapeta-unprivileged-"))
    root = os.geteuid() == 0
    if root:
        account = pwd.getpwnam("nobody")
        os.chown(folder, account.pw_uid, account.pw_gid)
        os.seteuid(account.pw_uid)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
        shutil.rmtree(folder)


def find_programs() -> Path | None:
    """The folder with initdb and pg_ctl; Debian keeps it out of the PATH."""
    found = shutil.which("pg_ctl")
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [Path(found).resolve().parent] if found else []
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


def make_cluster(server: Server) -> None:
    """An empty cluster whose user has a password."""
    password_file = server.folder / "password"
    password_file.write_text(PASSWORD, encoding="utf-8")
    if server.owner is not None:
        account = pwd.getpwnam(server.owner)
        for path in (server.folder, password_file):
            os.chown(path, account.pw_uid, account.pw_gid)
    words = ["-D", str(server.folder / "data"), "-U", USER, "-A", "scram-sha-256", "--pwfile", str(password_file)]
    run([str(server.programs / "initdb"), *words, "-E", "UTF8", "--locale=C", "--no-sync"], server.owner)


def unprivileged_user() -> str | None:
    """Who the server runs as: None for oneself."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(words: list[str], user: str | None) -> None:
    """Runs a program as a user; what it said is in the error. Its output goes to a file: the server keeps a pipe open."""
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(words, user=user, stdout=said, stderr=said, cwd="/", check=False)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{words[0]}: {said.read().decode(errors='replace')}")
