"""A file of lines that outlives whoever wrote them: appended to by many processes, taken by the first that can use them.

A taker renames the file before it reads, so later lines go to a new file. A writer may have opened the old one just
before: it holds a lock while it writes and checks that the name still means its file; the taker waits for that lock.
A taker that dies leaves its renamed file, which the next one takes too: whoever uses lines must not mind seeing them twice.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def append(journal: Path, lines: Sequence[str]) -> None:
    """Adds lines, for their owner alone (0600). Raises OSError where the disk does not take them."""
    journal.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = "".join(
        f"\n{line}" for line in (*lines, "")
    ).encode()  # a new line first: the last one may have been cut off
    while True:
        handle = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY, 0o600)
        try:
            wait_for_lock(handle)
            if _is_named(handle, journal):
                _write_whole(handle, data)
                return
        finally:
            os.close(handle)  # gives the lock back


@contextlib.contextmanager
def taken(journal: Path) -> Iterator[list[str]]:
    """The lines that wait, to be used in a `with` block; they are removed when it ends well, and else wait on.

    A last line that was cut off by a kill is among them. Raises OSError where they cannot be read.
    """
    if journal.exists():
        with contextlib.suppress(FileNotFoundError, *BUSY):  # another process was faster, or is writing just now
            journal.rename(journal.with_name(f"{journal.stem}.{secrets.token_hex(8)}.taken"))
    files = sorted(journal.parent.glob(f"{journal.stem}.*.taken"))
    lines: list[str] = []
    read: list[Path] = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            lines += _read(file)
            read.append(file)
    yield lines
    for file in read:
        file.unlink(missing_ok=True)


def _read(file: Path) -> list[str]:
    """The lines of a renamed file, after its last writer is done."""
    with file.open("r+b") as opened:
        wait_for_lock(opened.fileno())
        return [line for line in opened.read().decode("utf-8", "replace").split("\n") if line]


def _is_named(handle: int, journal: Path) -> bool:
    """Whether the name still means the file that is open."""
    try:
        return os.path.samestat(os.fstat(handle), journal.stat())
    except FileNotFoundError:
        return False


def _write_whole(handle: int, data: bytes) -> None:
    """Writes all or nothing: what a full disk took of it is cut off again."""
    start = os.fstat(handle).st_size
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError:
        os.ftruncate(handle, start)
        raise


if sys.platform == "win32":
    BINARY = os.O_BINARY
    BUSY: tuple[type[OSError], ...] = (PermissionError,)  # Windows does not rename a file that is open

    def wait_for_lock(handle: int) -> None:
        """Not needed: an open file keeps its name here."""

else:
    import fcntl

    BINARY = 0
    BUSY: tuple[type[OSError], ...] = ()

    def wait_for_lock(handle: int) -> None:
        """Waits until no other process holds this file."""
        fcntl.flock(handle, fcntl.LOCK_EX)
