"""Every answer that was ever given, kept by what was asked and who was asked: a bench that is killed goes on where it
was, and a second run asks only what has changed. One SQLite file in the data directory, written row by row."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from chapeta.errors import BadInput
from chapeta.files import disk_errors
from chapeta.types import Answer, Request, Usage

SCHEMA = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID"


class AnswerStore:
    """Answers by key. Safe from several threads and several processes."""

    def __init__(self, path: Path) -> None:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._path = path
        try:
            self._database = sqlite3.connect(path, check_same_thread=False, timeout=30, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(SCHEMA)
        except sqlite3.Error as error:
            raise BadInput(
                f"Cannot open {path} ({error}).", "Move that file away; it only saves asking again."
            ) from None

    def find(self, keys: Sequence[str]) -> dict[str, Answer]:
        """The answers that are known already."""
        found: dict[str, Answer] = {}
        with self._lock:
            for key in keys:
                row = self._database.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
                if row:
                    data = json.loads(row[0])
                    found[key] = Answer(**{**data, "usage": Usage(**data["usage"])})
        return found

    def keep(self, key: str, answer: Answer) -> None:
        """Stores an answer; failures are not kept, so that they are tried again."""
        if answer.finish == "error":
            return
        try:
            with self._lock:
                self._database.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(asdict(answer)))
                )
        except sqlite3.OperationalError as error:
            remedy = "Free some space on the disk, then run the same command again: it goes on where it was."
            raise BadInput(f"Cannot write {self._path} ({error}).", remedy) from None

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> AnswerStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def key_of(request: Request, identity: str) -> str:
    """The key of an answer: what is asked and who is asked."""
    return hashlib.sha256(f"{request.fingerprint}:{identity}".encode()).hexdigest()
