"""Where rows come from: a file, a gzip file or standard input, as numbered lines of bytes in bounded memory.

Standard input and pipes are copied to a temporary file first, because checking and splitting read more than once.
A line above `MAX_LINE_BYTES` is skipped up to its end without being held, and comes out as None.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from chapeta.errors import BadInput, ChapetaError

MAX_LINE_BYTES = 8 * 1024 * 1024
HEAD_BYTES = 64 * 1024
UTF8_BOM = b"\xef\xbb\xbf"
PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
MAGICS = {
    b"PK\x03\x04": "a ZIP archive or Office file",
    b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xfd7zXZ": "compressed with xz",
    b"BZh": "compressed with bzip2",
    b"SQLite format 3": "a SQLite database",
    b"GGUF": "a model (GGUF)",
}
USE_TEXT = "Give JSONL, CSV, TSV (plain or gzip) or Parquet."

Progress = Callable[[str, float], None]
"""Called now and then with the stage's name and the share done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Source:
    """A readable, non-empty, regular file. `name` is what the user wrote; `head` its first bytes, decompressed."""

    name: str
    path: Path
    gzipped: bool
    size_bytes: int
    head: bytes
    spool: Any = field(default=None, repr=False, compare=False)

    def open(self) -> BinaryIO:
        """The content from its start, decompressed."""
        raw = self.path.open("rb")
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if self.gzipped else raw

    def lines(self, progress: Progress | None = None) -> Iterator[tuple[int, bytes | None]]:
        """(1-based number, bytes with the line end) of each line; None for a line that is too long. The BOM is gone."""
        with self.path.open("rb") as raw:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if self.gzipped else raw)
            number = 0
            while True:
                try:
                    line = _next_line(stream)
                except (EOFError, OSError, zlib.error) as error:
                    remedy = "Copy or compress the file again."
                    raise BadInput(f"{self.name} cannot be read after line {number}: {error}.", remedy) from None
                if line == b"":
                    break
                number += 1
                if number == 1 and line is not None:
                    line = line.removeprefix(UTF8_BOM)
                if progress is not None and number % 1000 == 0:
                    progress("read", min(1.0, raw.tell() / max(1, self.size_bytes)))
                yield number, line


def open_source(path: str | Path | Source) -> Source:
    """Look at the file and its first bytes. `BadInput` names what is wrong with it; "-" is standard input."""
    if isinstance(path, Source):
        return path
    name = str(path)
    if name == "-":
        return _spooled("standard input", sys.stdin.buffer)
    location = Path(path).expanduser()
    try:
        mode = location.stat().st_mode
        if stat.S_ISDIR(mode):
            raise BadInput(f"{name} is a directory.", "Give a file inside it.")
        if stat.S_ISFIFO(mode):
            with location.open("rb") as pipe:
                return _spooled(name, pipe)
        if not stat.S_ISREG(mode):
            raise BadInput(f"{name} is not a regular file.", USE_TEXT)
        return _inspected(name, location)
    except FileNotFoundError:
        raise BadInput(f"{name} does not exist.", f"Check the path; the current folder is {Path.cwd()}.") from None
    except PermissionError:
        raise BadInput(
            f"{name} cannot be read: permission denied.", f"Run `chmod +r {name}` or copy the file."
        ) from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{name!r} cannot be opened: {error}.", "Check the path.") from None


def no_room(error: OSError) -> ChapetaError:
    """What to say when a temporary file cannot be written."""
    remedy = "Free some space, or set TMPDIR to a folder that has it."
    return ChapetaError(f"Cannot write temporary files to {tempfile.gettempdir()}: {error}.", remedy)


def _next_line(stream: IO[bytes]) -> bytes | None:
    """The next line, b"" at the end, None for a line that is too long (read past, chunk by chunk)."""
    line = stream.readline(MAX_LINE_BYTES + 1)
    if len(line) <= MAX_LINE_BYTES:
        return line
    while line and not line.endswith(b"\n"):
        line = stream.readline(MAX_LINE_BYTES)
    return None


def _spooled(name: str, stream: IO[bytes]) -> Source:
    """Copy a stream that can be read only once to a temporary file, which lives as long as the Source."""
    spool = tempfile.NamedTemporaryFile(prefix="chapeta-")  # noqa: SIM115 - closed with the Source
    try:
        shutil.copyfileobj(stream, spool, 1024 * 1024)
        spool.flush()
    except OSError as error:
        spool.close()
        raise no_room(error) from None
    return _inspected(name, Path(spool.name), spool)


def _inspected(name: str, path: Path, spool: object = None) -> Source:
    size = path.stat().st_size
    with path.open("rb") as raw:
        gzipped = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        try:
            head = gzip.GzipFile(fileobj=raw).read(HEAD_BYTES) if gzipped else raw.read(HEAD_BYTES)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadInput(f"{name} is damaged gzip: {error}.", "Compress the file again.") from None
    if not head.removeprefix(UTF8_BOM).strip():
        _require_content(name, path, gzipped)
    if not head.startswith(PARQUET_MAGIC):
        _require_text(name, head)
    elif gzipped:
        raise BadInput(f"{name} is Parquet inside gzip.", f"Run `gunzip {name}` first.")
    return Source(name, path, gzipped, size, head, spool)


def _require_content(name: str, path: Path, gzipped: bool) -> None:
    """Refuse a file without anything but white space, reading on where the first bytes are only that."""
    with path.open("rb") as raw:
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if gzipped else raw)
        try:
            while chunk := stream.read(HEAD_BYTES):
                if chunk.removeprefix(UTF8_BOM).strip():
                    return
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise BadInput(f"{name} is damaged gzip: {error}.", "Compress the file again.") from None
    raise BadInput(f"{name} is empty.", "Give a file with at least one example per line.")


def _require_text(name: str, head: bytes) -> None:
    for magic, what in MAGICS.items():
        if head.startswith(magic):
            raise BadInput(f"{name} is {what}, not examples.", USE_TEXT)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        utf16 = f"Save it as UTF-8, for example: `iconv -f UTF-16 -t UTF-8 {name}`."
        raise BadInput(f"{name} is in UTF-16 or UTF-32, not UTF-8.", utf16)
    controls = sum(head.count(byte) for byte in (*range(1, 9), *range(14, 27), *range(28, 32)))
    if b"\x00" in head or controls > len(head) // 10:
        raise BadInput(f"{name} is a binary file, not text.", USE_TEXT)


def extension_of(name: str) -> str:
    """The file's extension without .gz, lower case: ".jsonl"."""
    return os.path.splitext(name.lower().removesuffix(".gz"))[1]  # noqa: PTH122 - a name, not a path
