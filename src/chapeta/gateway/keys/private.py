"""Small private JSON files in the data directory that several processes may change at once: keys and addresses."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chapeta.config import HOME_VARIABLE
from chapeta.errors import BadInput, Corrupt
from chapeta.files import disk_errors, write_atomic

OWNER_ONLY = 0o600
OTHERS = 0o077
LOCK_PATIENCE_S = 150.0  # longer than a holder may wait for the keychain


def read(path: Path) -> dict[str, Any]:
    """The records of a file, by name; none if there is no file. Raises Corrupt, and leaves the file as it is."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise _corrupt(path, "not UTF-8") from None
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        # only the place: the words of a decoder's message could be the file's
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "its numbers or depth"
        raise _corrupt(path, place) from None
    if not isinstance(records, dict):
        raise _corrupt(path, "no object")
    return records


@contextlib.contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file, to be changed in a `with` block; written when it ends well. Others wait meanwhile."""
    _make_private(path.parent)
    with _locked(path.with_suffix(".lock")):
        records = read(path)
        before = json.dumps(records)
        yield records
        if json.dumps(records) != before:
            last = stamp(path)
            write_atomic(path, json.dumps(records, ensure_ascii=False, indent=1) + "\n", OWNER_ONLY)
            if stamp(path) <= last:  # clocks of file systems tick slowly: two changes may fall into one tick
                os.utime(path, ns=(last + 1000, last + 1000))


def stamp(path: Path) -> int:
    """A number that changes whenever the file does; 0 if there is none. Costs one look at the file's time."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def mend(path: Path) -> None:
    """Takes a file that holds secrets from the eyes of others, if it was open to them, and says so in a warning."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if os.name == "nt" or not mode & OTHERS:
        return
    try:
        path.chmod(OWNER_ONLY)
        done = "It is 0600 now. If others use this machine, replace the keys in it."
    except PermissionError:
        done = "Its owner has to change that: it is not you."
    logging.getLogger("chapeta").warning("%s was open to others (mode %04o). %s", path, mode & 0o777, done)


def _corrupt(path: Path, what: str) -> Corrupt:
    return Corrupt(f"{path} is not valid JSON ({what}).", "Repair it or move it away; it was not changed.")


def _make_private(folder: Path) -> None:
    """Makes the data directory for its owner alone; one that the user chose and made keeps its mode."""
    with disk_errors(folder):
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if new or HOME_VARIABLE not in os.environ:
            with contextlib.suppress(PermissionError):  # it belongs to somebody else, who let us in
                folder.chmod(0o700)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds a lock that the operating system frees when its holder dies."""
    with disk_errors(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY)
    try:
        deadline_s = time.monotonic() + LOCK_PATIENCE_S
        while not _try_lock(handle):
            if time.monotonic() > deadline_s:
                raise BadInput(
                    f"Another process has held {path} for {LOCK_PATIENCE_S:.0f} s.", "End it, then try again."
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
