"""The head of a GGUF file: metadata and the table of tensors, read in a tenth of a second.

The `gguf` package's reader makes numpy views of each of the 150,000 strings and numbers of a vocabulary: 7 s for a
small model. Here long arrays are walked over, not kept. Layout: github.com/ggml-org/ggml, docs/gguf.md.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from chapeta.errors import BadInput, Corrupt, Missing

MAGIC = b"GGUF"
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
KEPT_ARRAY_ITEMS = 256  # longer arrays are vocabularies, which nobody asks this module for


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where a tensor lies. `shape` is in numpy's order (rows first); `offset` counts from the file's first byte."""

    name: str
    shape: tuple[int, ...]
    ggml_type: int
    offset: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """metadata: scalars, strings and short arrays by key. digest: SHA-256 of everything before the tensors' data."""

    metadata: dict[str, Any]
    tensors: tuple[TensorInfo, ...]
    digest: str

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", ""))

    def number(self, key: str) -> int:
        """An architecture's own number, as `block_count`. Raises BadInput where the file has none."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        if not isinstance(value, int):
            raise BadInput(f"The GGUF file states no {self.architecture}.{key}.", "Use a language model's GGUF file.")
        return value


def read_header(path: Path) -> GgufHeader:
    """The head of a GGUF file. Raises Missing, or Corrupt where the bytes are not GGUF version 2 or 3."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise Missing(f"{path} does not exist.", "Pull the model with `chapeta models pull`.") from None
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, _mtime_ns: int, size: int) -> GgufHeader:
    if size < 24:
        raise Corrupt(f"{path} is not a GGUF file ({size} bytes).", "Pull the model again.")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != MAGIC:
            raise Corrupt(f"{path} is not a GGUF file (it begins with {data[:4]!r}).", "Pull the model again.")
        try:
            return _parse(_Cursor(data, 4))
        except (struct.error, UnicodeDecodeError, KeyError, IndexError) as error:
            raise Corrupt(f"{path} is damaged: its head cannot be read ({error!r}).", "Pull the model again.") from None


class _Cursor:
    """A place in the file, moving forward."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, code: str) -> Any:
        value = struct.unpack_from(f"<{code}", self.data, self.at)[0]
        self.at += struct.calcsize(f"<{code}")
        return value

    def text(self) -> str:
        length = self.take("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode("utf-8")

    def skip_text(self) -> None:
        self.at += struct.unpack_from("<Q", self.data, self.at)[0] + 8


def _parse(cursor: _Cursor) -> GgufHeader:
    version = cursor.take("I")
    if version not in (2, 3):
        raise KeyError(f"GGUF version {version}")
    tensor_count, pair_count = cursor.take("Q"), cursor.take("Q")
    metadata: dict[str, Any] = {}
    for _ in range(pair_count):
        key = cursor.text()
        metadata[key] = _value(cursor, cursor.take("I"))
    rows = [_tensor_row(cursor) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32)
    digest = hashlib.sha256(cursor.data[: cursor.at]).hexdigest()
    start = -(-cursor.at // alignment) * alignment
    tensors = tuple(TensorInfo(name, shape, kind, start + offset) for name, shape, kind, offset in rows)
    return GgufHeader(metadata, tensors, digest)


def _value(cursor: _Cursor, kind: int) -> Any:
    if kind == STRING:
        return cursor.text()
    if kind != ARRAY:
        return cursor.take(SCALARS[kind])
    item_kind, count = cursor.take("I"), cursor.take("Q")
    if count <= KEPT_ARRAY_ITEMS:
        return [_value(cursor, item_kind) for _ in range(count)]
    if item_kind == STRING:
        for _ in range(count):
            cursor.skip_text()
    else:
        cursor.at += struct.calcsize(f"<{SCALARS[item_kind]}") * count
    return None


def _tensor_row(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text()
    dimensions = cursor.take("I")
    shape = tuple(cursor.take("Q") for _ in range(dimensions))[::-1]
    return name, shape, cursor.take("I"), cursor.take("Q")
