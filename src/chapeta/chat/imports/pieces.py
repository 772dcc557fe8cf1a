"""Cuts JSON of any size into its records, each as bytes, without holding more than one of them.

A record is an object at the top, in a list at the top, or in the list of `{"conversations": [...]}`; JSON Lines are such
records too. Cutting needs no full parser, only strings and brackets. Against a streaming parser it has three merits here:
one damaged record spoils no other, its size and nesting are known before anything is built of it (ijson, measured, takes
memory with the square of the depth), and decoding record by record with msgspec is faster.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zipfile import BadZipFile

CHUNK_BYTES = 1 << 20
MOST_BYTES = 128 << 20  # of one record
MOST_MEMORY_BYTES = 768 << 20  # that one record may take when decoded, by a rough count
MOST_DEPTH = 1000
VALUE_BYTES = 64  # what a value takes in memory beyond its text
OBJECT_BYTES = 200  # and an object or list beyond that
DAMAGE = (EOFError, OSError, zlib.error, BadZipFile)

_WRAPPER = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"conversations"\s*:\s*\[')
_NEXT = re.compile(rb'[^"\[\]{}]*+(?:"[^"]*+"[^"\[\]{}]*+)*+([\[\]{}])')  # up to and with a bracket
_SKIP = re.compile(rb'[^"\[\]{}]*+(?:"[^"]*+"[^"\[\]{}]*+)*+')  # up to a string without an end, or to the end
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_OPEN, _OBJECT = b"[{", ord("{")


@dataclass(frozen=True, slots=True)
class Piece:
    """A record and where it begins, in bytes. data is None where `problem` says why it was not kept."""

    start: int
    data: bytes | None
    problem: str = ""


def pieces(
    stream: BinaryIO,
    most_bytes: int = MOST_BYTES,
    most_memory_bytes: int = MOST_MEMORY_BYTES,
    look: Callable[[int], None] = lambda _: None,
) -> Iterator[Piece]:
    """The records of a stream, in order. One that is cut off, or too large, comes without data.

    look: is told, at each chunk, how many bytes were read; it ends the reading by raising something.
    """
    cutter = _Cutter(most_bytes, most_memory_bytes)
    some = getattr(
        stream, "read1", stream.read
    )  # `read` gathers, and loses what it has when the file turns out damaged
    while True:
        try:
            chunk = some(CHUNK_BYTES)
        except DAMAGE as error:
            yield Piece(cutter.at, None, f"the file is damaged after byte {cutter.at:,} ({_line(error)})")
            return
        if not chunk:
            break
        yield from cutter.feed(chunk)
        look(cutter.at)
        if cutter.depth > MOST_DEPTH:
            yield Piece(cutter.at, None, "nested too deeply for an export; what follows was not read")
            return
    if cutter.depth or cutter.in_string:
        yield Piece(
            cutter.start if cutter.in_record else cutter.at, None, f"the file breaks off after byte {cutter.at:,}"
        )


class _Cutter:
    """Follows strings and brackets through chunks."""

    def __init__(self, most_bytes: int, most_memory_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.most_memory_bytes = most_memory_bytes
        self.at = 0  # bytes followed
        self.start = 0  # where the record began
        self.depth = 0
        self.base = 0  # depth at which records begin
        self.in_string = False
        self.in_record = False
        self._kept = bytearray()  # of the record, from the chunks before
        self._size = 0  # of the record so far; more than is kept, if it is too large
        self._rest = b""  # of the chunk before: a backslash that belongs to what follows

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        """The records that end in this chunk."""
        data = self._rest + chunk
        slashes = len(data) - len(data.rstrip(b"\\"))
        data, self._rest = (data[:-1], b"\\") if slashes % 2 else (data, b"")
        plain = data.replace(b"\\\\", b"..").replace(
            b'\\"', b".."
        )  # of the same length, where each quote is a string's end
        offset = self.at
        place = self._opened(data) if offset == 0 else 0
        begun = 0  # from where on this chunk belongs to the record
        while place < len(plain):
            if self.in_string:
                end = plain.find(b'"', place)
                self.in_string = end < 0
                place = len(plain) if end < 0 else end + 1
                continue
            found = _NEXT.match(plain, place)
            if found is None:  # a string that goes on in the next chunk, or no more brackets
                skipped = _SKIP.match(plain, place)
                place = skipped.end() if skipped else place
                self.in_string = place < len(plain)
                place += self.in_string
                continue
            place = found.end()
            bracket = plain[place - 1]
            if bracket in _OPEN:
                if self.depth == self.base and bracket == _OBJECT:
                    begun = place - 1
                    self.in_record, self.start, self._size = True, offset + begun, 0
                elif self.depth == 0:
                    self.base = 1
                self.depth += 1
            else:
                self.depth -= self.depth > 0
                if self.depth == self.base and self.in_record:
                    self._keep(data, begun, place)
                    yield self._done()
                if self.depth == 0:
                    self.base = 0
        if self.in_record:
            self._keep(data, begun, place)
        self.at = offset + place

    def _opened(self, data: bytes) -> int:
        """Where to begin: behind the opening of a list that is wrapped in an object."""
        wrapper = _WRAPPER.match(data)
        if wrapper is None:
            return 0
        self.depth = self.base = 2
        return wrapper.end()

    def _keep(self, data: bytes, begun: int, end: int) -> None:
        self._size += end - begun
        if self._size > self.most_bytes:
            self._kept = bytearray()
        else:
            self._kept += data[begun:end]

    def _done(self) -> Piece:
        """The record that ends here."""
        kept, self._kept, self.in_record = bytes(self._kept), bytearray(), False
        if self._size > self.most_bytes:
            return Piece(self.start, None, f"larger than {self.most_bytes >> 20} MiB")
        taken = kept.count(b",") * VALUE_BYTES + (kept.count(b"[") + kept.count(b"{")) * OBJECT_BYTES
        if len(kept) + taken > self.most_memory_bytes:
            plain = _STRING.sub(b"", kept)  # what looks like a value within a text is none
            taken = plain.count(b",") * VALUE_BYTES + (plain.count(b"[") + plain.count(b"{")) * OBJECT_BYTES
        if len(kept) + taken > self.most_memory_bytes:
            return Piece(self.start, None, "holds more values than a chat can have")
        return Piece(self.start, kept)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
