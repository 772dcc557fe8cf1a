"""Files of lines that grow: added to at the end, read at any place, rewritten whole. Used by `datasets.py`.

Where lines begin is kept in memory, eight bytes a line, and added to as the file grows; the file itself says whether what
is kept still holds, so other processes and other programs may write it too. Blank lines do not count.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from chapeta.errors import BadInput
from chapeta.examples.source import MAX_LINE_BYTES, UTF8_BOM
from chapeta.files import UNFINISHED, disk_errors

KEPT_FILES = 256
CHECKED_BYTES = 64


def append(file: Path, lines: Sequence[bytes]) -> None:
    """Adds lines (without line ends) at the end, all or none. To be called under `locked`.

    Raises BadInput where the disk is full or the folder may not be written.
    """
    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        is_new = not file.exists()
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            size = os.fstat(handle).st_size
            data = b"".join(line + b"\n" for line in lines)
            if size and data:
                os.lseek(handle, size - 1, os.SEEK_SET)
                if os.read(handle, 1) != b"\n":  # the last line was cut off by a kill, or written without an end
                    data = b"\n" + data
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                if is_new:
                    file.unlink()
                raise
        finally:
            os.close(handle)


def read(file: Path, start: int, count: int) -> tuple[int, list[bytes]]:
    """How many lines the file has, and `count` of them after the first `start`. A file that is not there has none."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return 0, []
    with opened, _guard:
        starts = _index_of(file, opened)
        total = len(starts)
        found = []
        for place in range(max(0, start), min(total, max(0, start) + max(0, count))):
            opened.seek(starts[place])
            found.append(opened.readline(MAX_LINE_BYTES + 1).rstrip(b"\r\n"))
        return total, found


def each(file: Path) -> Iterator[bytes]:
    """All lines, one at a time, without their ends."""
    with contextlib.suppress(FileNotFoundError), file.open("rb") as opened:
        for line in _whole_lines(opened):
            if line.strip():
                yield line.rstrip(b"\r\n")


def rewrite(file: Path, change: Callable[[int, bytes], bytes | None], is_changed: Callable[[], bool]) -> None:
    """Writes the file anew with each line as `change` makes it of its place and text, None leaves it out.

    Only lines are in memory, one at a time. Nothing is replaced unless `is_changed` says so in the end. To be called
    under `locked`; raises what `change` raises, and BadInput where the disk is full.
    """
    with disk_errors(file):
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=UNFINISHED)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                for place, line in enumerate(each(file)):
                    new = change(place, line)
                    if new is not None:
                        out.write(new + b"\n")
                out.flush()
                os.fsync(out.fileno())
            if is_changed():
                temporary.chmod(file.stat().st_mode & 0o777)
                temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Waits until no other writer, of this process or another, is at this file."""
    import portalocker

    with disk_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE)
        yield
    finally:
        os.close(handle)


@dataclass(slots=True)
class _Index:
    """Where lines begin. end: up to where the file was read, always a line's end; tail: its last bytes before that."""

    inode: int
    starts: array[int] = field(default_factory=lambda: array("Q"))
    end: int = 0
    tail: bytes = b""
    changed_ns: int = 0


_guard = threading.Lock()
_kept: OrderedDict[Path, _Index] = OrderedDict()


def _index_of(file: Path, opened: BinaryIO) -> array[int]:
    """The beginnings of all lines of the open file, the last one included even where its end is missing."""
    stat = os.fstat(opened.fileno())
    index = _kept.pop(file, None)
    if index is None or not _still_holds(index, opened, stat):
        index = _Index(stat.st_ino)
    if index.end < stat.st_size:
        _extend(index, opened)
    index.changed_ns = stat.st_mtime_ns
    _kept[file] = index
    while len(_kept) > KEPT_FILES:
        _kept.popitem(last=False)
    if index.end < stat.st_size:  # a last line without an end
        opened.seek(index.end)
        if opened.read(CHECKED_BYTES).strip():
            return array("Q", [*index.starts, index.end])
    return index.starts


def _still_holds(index: _Index, opened: BinaryIO, stat: os.stat_result) -> bool:
    """Whether the file is the one that was read, with nothing but more lines at its end."""
    if index.inode != stat.st_ino or stat.st_size < index.end:
        return False
    if stat.st_size == index.end and stat.st_mtime_ns != index.changed_ns:
        return False
    opened.seek(index.end - len(index.tail))
    return opened.read(len(index.tail)) == index.tail


def _extend(index: _Index, opened: BinaryIO) -> None:
    """Looks for line ends after what is known, in pieces; a line without an end is left for the next time."""
    if index.end == 0:
        opened.seek(0)
        index.end = len(UTF8_BOM) if opened.read(len(UTF8_BOM)) == UTF8_BOM else 0
    opened.seek(index.end)
    for line in _whole_lines(opened, skip_bom=False):
        if not line.endswith(b"\n"):
            break
        if line.strip():
            index.starts.append(index.end)
        index.end += len(line)
    opened.seek(max(0, index.end - CHECKED_BYTES))
    index.tail = opened.read(min(CHECKED_BYTES, index.end))


def _whole_lines(opened: BinaryIO, skip_bom: bool = True) -> Iterator[bytes]:
    """Lines with their ends. Raises BadInput for a line above the limit: whoever wrote that meant another format."""
    if skip_bom and opened.read(len(UTF8_BOM)) != UTF8_BOM:
        opened.seek(0)
    while line := opened.readline(MAX_LINE_BYTES + 2):
        if len(line) > MAX_LINE_BYTES + 1:
            name = Path(opened.name).name
            raise BadInput(f"{name} has a line longer than {MAX_LINE_BYTES >> 20} MB.", "Put one example on a line.")
        yield line
