"""Reads a ZIP from its front, without the table at its end: for downloads that broke off (APPNOTE 4.3.7, 4.3.9)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

HEADER = struct.Struct("<4s5H3L2H")
SIGNATURE = b"PK\x03\x04"
SIZE_FOLLOWS = 0x8  # flag: the header does not know the size; the data ends by itself
ENCRYPTED = 0x1
STORED, DEFLATED = 0, 8
UNKNOWN_METHOD = -1
ZIP64 = 0xFFFFFFFF
STEP_BYTES = 1 << 16
MOST_BYTES = 8 << 30  # unpacked, all files together


def cut_members(
    file: BinaryIO, most: int, look: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, int, int, int]]:
    """Name, size unpacked (as far as there is any), start of the data and method of each file that begins in the ZIP.

    All is unpacked to find that; `look` is called all the while, and ends it by raising something.
    """
    place, total = 0, 0
    for _ in range(most):
        file.seek(place)
        head = file.read(HEADER.size)
        if len(head) < HEADER.size or not head.startswith(SIGNATURE):
            return
        _, _, flags, method, _, _, _, packed, _, name_bytes, extra_bytes = HEADER.unpack(head)
        name = file.read(name_bytes).decode("utf-8" if flags & 0x800 else "cp437", "replace")
        start = place + HEADER.size + name_bytes + extra_bytes
        if flags & ENCRYPTED:
            method = UNKNOWN_METHOD
        if method == DEFLATED:
            size, end = _inflated(file, start, MOST_BYTES - total, look)
        elif flags & SIZE_FOLLOWS or packed == ZIP64:
            return  # nothing says where it ends
        else:
            size, end = packed, start + packed
        total += size
        if not name.endswith("/"):
            yield name, size, start, method
        if end is None or total >= MOST_BYTES:
            return
        place = _after_descriptor(file, end) if flags & SIZE_FOLLOWS else end


def open_cut(file: BinaryIO, start: int, method: int, size: int) -> io.RawIOBase:
    """A file of a cut ZIP. Reading past where it was cut raises EOFError."""
    return _Part(file, start, method, size)


def _inflated(file: BinaryIO, start: int, most: int, look: Callable[[], None]) -> tuple[int, int | None]:
    """How much deflated data unpacks to and where it ends; None where the file is cut or damaged before."""
    file.seek(start)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size, read = 0, 0
    try:
        while not inflater.eof and size < most:
            data = inflater.unconsumed_tail or file.read(STEP_BYTES)
            if not data:
                return size, None
            read += 0 if inflater.unconsumed_tail else len(data)
            size += len(inflater.decompress(data, STEP_BYTES * 16))
            look()
    except zlib.error:
        return size, None
    return size, start + read - len(inflater.unused_data) if inflater.eof else None


def _after_descriptor(file: BinaryIO, end: int) -> int:
    """Where the next file begins: a descriptor has 12 or, with large files, 20 bytes, and perhaps a signature."""
    file.seek(end)
    tail = file.read(32)
    found = tail.find(SIGNATURE)
    return end + found if found >= 0 else end + len(tail)


class _Part(io.RawIOBase):
    def __init__(self, file: BinaryIO, start: int, method: int, size: int) -> None:
        self._file, self._place, self._left = file, start, size
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if method == DEFLATED else None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, most: int) -> bytes:
        if self._inflater is None:
            data = self._raw(min(most, self._left))
            self._left -= len(data)
            if self._left and not data:
                raise EOFError("the ZIP file is cut off here")
            return data
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._raw(STEP_BYTES)
            if not packed:
                raise EOFError("the ZIP file is cut off here")
            if data := self._inflater.decompress(packed, most):
                return data
        return b""

    def _raw(self, most: int) -> bytes:
        self._file.seek(self._place)
        data = self._file.read(most)
        self._place += len(data)
        return data
