"""Rows of a JSON Lines file or of one JSON array, parsed one at a time."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from chapeta.errors import BadInput
from chapeta.examples.rows import FIX_ENCODING, BadRow, RowFault
from chapeta.examples.source import HEAD_BYTES, MAX_LINE_BYTES, Progress, Source

MEGABYTES = MAX_LINE_BYTES // 1024**2
TOO_LONG = RowFault(f"The line is longer than {MEGABYTES} MB.", "Put one example on a line, or shorten it.")
BAD_JSON = "The line is not valid JSON."
WHITE = " \t\r\n"


def json_lines(source: Source, progress: Progress | None = None) -> Iterator[tuple[int, Any] | BadRow]:
    """(line number, value) of each line that is not blank; a line that cannot be parsed is a BadRow."""
    for number, raw in source.lines(progress):
        if raw is None:
            yield TOO_LONG.at(number)
        elif raw.strip():
            try:
                yield number, parse(raw)
            except RowFault as fault:
                yield fault.at(number)


def json_array(source: Source, progress: Progress | None = None) -> Iterator[tuple[int, Any] | BadRow]:
    """(1-based number, value) of each element. Nothing after a fault can be trusted, so a fault is `BadInput`."""
    with source.open() as stream:
        window = _Window(source, stream)
        window.expect("[")
        number = 0
        while not window.follows("]"):
            if number:
                window.expect(",")
            number += 1
            yield number, window.value(number)
            if progress is not None and number % 1000 == 0:
                progress("read", min(1.0, window.bytes_read / max(1, source.size_bytes)))
        window.end()


def parse(raw: bytes) -> Any:
    """One JSON value from UTF-8 bytes; `RowFault` for other encodings, broken JSON, NaN and Infinity."""
    try:
        return _DECODER.decode(raw.decode())
    except UnicodeDecodeError as error:
        raise RowFault(
            "The line is not valid UTF-8.", FIX_ENCODING, repr(raw[error.start : error.start + 20])
        ) from None
    except json.JSONDecodeError as error:
        near = f"{error.msg} at character {error.pos + 1}: {error.doc[max(0, error.pos - 20) : error.pos + 20]}"
        raise RowFault(BAD_JSON, "Write one complete JSON object per line.", near) from None
    except RecursionError:
        raise RowFault("JSON is nested too deeply.", "Flatten the value, or delete the row.") from None
    except ValueError as error:
        raise RowFault("A number cannot be read.", "Write it as a string.", str(error)) from None


def _not_finite(name: str) -> NoReturn:
    raise RowFault("A number is NaN or infinite.", "Write null or a number.", name)


_DECODER = json.JSONDecoder(parse_constant=_not_finite)


class _Window:
    """The part of an array file that is in memory: from the element at hand on, at most one element's limit."""

    def __init__(self, source: Source, stream: BinaryIO) -> None:
        self.source, self.stream = source, stream
        self.utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.at, self.ended, self.bytes_read = "", 0, False, 0

    def fill(self, size: int = HEAD_BYTES) -> None:
        try:
            chunk = self.stream.read(size)
            text = self.utf8.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise BadInput(f"{self.source.name} is not valid UTF-8.", FIX_ENCODING) from None
        except (OSError, EOFError, zlib.error) as error:
            raise BadInput(f"{self.source.name} cannot be read: {error}.", "Copy the file again.") from None
        self.bytes_read += len(chunk)
        self.ended = not chunk
        self.text, self.at = self.text[self.at :] + text, 0

    def follows(self, character: str) -> bool:
        """Whether the next character that is not white space is this one."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in WHITE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at] == character
            if self.ended:
                raise BadInput(
                    f"{self.source.name}: the JSON array has no end.", "Close it with ], or write JSON Lines."
                )
            self.fill()

    def expect(self, character: str) -> None:
        if not self.follows(character):
            near = self.text[self.at : self.at + 40]
            raise BadInput(f"{self.source.name}: {character!r} expected near {near!r}.", "Repair the JSON array.")
        self.at += 1

    def end(self) -> None:
        """Nothing may come after the array: it would be lost."""
        self.at += 1
        while not self.text[self.at :].strip():
            if self.ended:
                return
            self.at = len(self.text)
            self.fill()
        near = self.text[self.at :].strip()[:40]
        raise BadInput(f"{self.source.name} goes on after the JSON array: {near!r}.", "Keep one array in the file.")

    def value(self, number: int) -> Any:
        """The next element. More is read, twice as much each time, as long as it is not complete."""
        self.follows("")
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
                if end < len(self.text) or self.ended:
                    self.at = end
                    return value
            except json.JSONDecodeError as error:
                if self.ended or len(self.text) - self.at > MAX_LINE_BYTES:
                    raise self.broken(number, error.msg) from None
            except RowFault as fault:
                raise self.broken(number, fault.reason) from None
            except (RecursionError, ValueError) as error:
                raise self.broken(number, str(error)) from None
            self.fill(max(HEAD_BYTES, len(self.text) - self.at))

    def broken(self, number: int, why: str) -> BadInput:
        return BadInput(f"{self.source.name}: element {number} of the JSON array cannot be read: {why}.", "Repair it.")
