"""Datasets: files of examples that grow with use. `datasets/NAME.jsonl` holds OpenAI chat rows, NAME.preferences.jsonl
preference pairs in OpenAI's form; any other program reads them as they are.

A row has an `id` of its own and a `source` beside its `messages`; files that were put there by hand, without ids, are
read too. Adding a row appends a line. Changing one writes the file anew beside the old one and puts it in its place, so
a reader sees either. Writers of all processes take turns by a lock file.
"""

from __future__ import annotations

import os
import re
import secrets
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chapeta import config
from chapeta.errors import BadInput, Missing
from chapeta.examples import lines
from chapeta.examples.check import CONTEXT_TOKENS, CheckReport, good_examples
from chapeta.examples.check import check as check_file
from chapeta.examples.dataset_rows import Pair, Row, may_have_id, pair_line, pair_of, row_line, row_of
from chapeta.examples.lengths import CountTokens
from chapeta.examples.personal import Place, point_out
from chapeta.examples.read import read
from chapeta.examples.rows import BadRow
from chapeta.examples.split import Splits
from chapeta.examples.split import split as split_examples
from chapeta.files import disk_errors
from chapeta.types import Message

__all__ = [
    "Dataset", "Page", "Pair", "Place", "Row", "append", "append_pair", "check", "create", "delete_row", "edit_row", "get",
    "import_file", "listed", "page", "pairs", "path_of", "point_out", "remove", "remove_pair", "rename", "row", "split",
]  # fmt: skip

PREFERENCES = ".preferences"
MOST_NAME_BYTES = 150
_NAME = re.compile(r"[^\W_](?:[\w -]{0,58}[^\W_])?")
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")  # Windows takes these for devices, whatever the ending


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset: rows and preference pairs, bytes of its rows, and when it was last changed, in seconds since 1970."""

    name: str
    path: Path
    rows: int
    pairs: int
    size_bytes: int
    changed_s: float


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a dataset, in the order of the file. start: how many come before them; total: of the dataset."""

    rows: tuple[Row, ...]
    start: int
    total: int


def listed() -> list[Dataset]:
    """All datasets, the one that was changed last first."""
    files = [file for file in folder().glob("*.jsonl") if not file.name.startswith(".")]
    names = {file.name.removesuffix(".jsonl").removesuffix(PREFERENCES) for file in files}
    found = [_about(name) for name in names if _is_name(name)]
    return sorted(found, key=lambda one: (-one.changed_s, one.name))


def get(name: str) -> Dataset:
    """One dataset; raises Missing."""
    _require(name)
    return _about(name)


def create(name: str) -> Dataset:
    """A new dataset without rows. Raises BadInput for a name that will not do, or that is taken."""
    file = path_of(name)
    with lines.locked(file):
        if file.exists() or _pairs_file(name).exists():
            raise BadInput(f"There is a dataset '{name}' already.", "Choose another name.")
        lines.append(file, [])
    return _about(name)


def append(name: str, messages: Sequence[Message], answer: str, source: str = "") -> Row:
    """Adds an example; a dataset that is not there yet comes to be. The work does not grow with the dataset.

    source: where it came from, such as "chat/ID/TURN". Raises BadInput for a row that could not be learned from (no
    question, no answer, half a character, above 8 MB), and where it cannot be written.
    """
    file = path_of(name)
    line = row_line({"id": _new_id(), "source": source, "added_s": round(time.time(), 3)}, messages, answer)
    with lines.locked(file):
        lines.append(file, [line])
    return row_of(line, -1)


def page(name: str, start: int = 0, count: int = 50) -> Page:
    """`count` rows from the one after the first `start`; reads these alone, however many there are."""
    _require(name)
    total, found = lines.read(path_of(name), start, count)
    return Page(tuple(row_of(line, start + place) for place, line in enumerate(found)), start, total)


def row(name: str, row_id: str) -> Row:
    """The row with this id; raises Missing."""
    _require(name)
    for place, line in enumerate(lines.each(path_of(name))):
        if may_have_id(line, row_id) and (found := row_of(line, place)).id == row_id:
            return found
    raise _no_row(name, row_id)


def edit_row(name: str, row_id: str, messages: Sequence[Message], answer: str, version: str = "") -> Row:
    """Changes the row with this id; other fields that it has are kept.

    version: of the row as the user saw it. Raises BadInput where it was changed since then, Missing where it is gone.
    """
    changed: list[bytes] = []

    def change(old: Row) -> bytes:
        _same_version(old, version)
        fields = {**old.fields, "id": old.id, "changed_s": round(time.time(), 3)}
        changed.append(row_line(fields, messages, answer))
        return changed[0]

    place = _replace(name, path_of(name), row_id, change)
    return row_of(changed[0], place)


def delete_row(name: str, row_id: str, version: str = "") -> None:
    """Removes the row with this id; raises as `edit_row` does."""

    def drop(old: Row) -> None:
        _same_version(old, version)

    _replace(name, path_of(name), row_id, drop)


def append_pair(name: str, messages: Sequence[Message], preferred: str, other: str, source: str = "") -> Pair:
    """Adds a preference pair: of two answers to the same conversation the one that is liked better."""
    file = _pairs_file(name)
    fields = {"id": _new_id(), "source": source, "added_s": round(time.time(), 3)}
    line = pair_line(fields, messages, preferred, other)
    with lines.locked(path_of(name)):
        lines.append(file, [line])
    return pair_of(line)


def pairs(name: str, start: int = 0, count: int = 50) -> tuple[int, tuple[Pair, ...]]:
    """How many preference pairs there are, and some of them; lines that are none are left out."""
    _require(name)
    total, found = lines.read(_pairs_file(name), start, count)
    return total, tuple(pair for line in found if (pair := pair_of(line)).messages)


def remove_pair(name: str, pair_id: str) -> None:
    """Removes a preference pair; raises Missing."""
    _replace(name, _pairs_file(name), pair_id, lambda _: None)


def remove(name: str) -> None:
    """Removes a dataset, its preference pairs included. What was made from it stays."""
    _require(name)
    with lines.locked(path_of(name)), disk_errors(path_of(name)):
        path_of(name).unlink(missing_ok=True)
        _pairs_file(name).unlink(missing_ok=True)


def rename(name: str, new: str) -> Dataset:
    """Gives a dataset another name; raises BadInput where that is taken."""
    _require(name)
    first, second = sorted((path_of(name), path_of(new)))  # two renames that cross do not wait for each other
    if first == second:
        return _about(name)
    with lines.locked(first), lines.locked(second), disk_errors(second):
        if path_of(new).exists() or _pairs_file(new).exists():
            raise BadInput(f"There is a dataset '{new}' already.", "Choose another name.")
        for old_file, new_file in ((path_of(name), path_of(new)), (_pairs_file(name), _pairs_file(new))):
            if old_file.exists():
                old_file.rename(new_file)
    return _about(new)


def import_file(name: str, file: str | Path) -> tuple[int, tuple[BadRow, ...]]:
    """Adds the good rows of a file in any format that `chapeta check` reads. Returns how many, and the first bad rows."""
    added, bad, waiting = 0, [], []
    source = Path(file).name
    with lines.locked(path_of(name)):
        for example in read(file):
            if isinstance(example, BadRow):
                bad.append(example)
                continue
            fields = {"id": _new_id(), "source": source, "added_s": round(time.time(), 3)}
            if example.weight != 1:
                fields["weight"] = example.weight
            fields |= {"tools": list(example.tools)} if example.tools else {}
            fields |= {"group": example.group} if example.group else {}
            waiting.append(row_line(fields, example.messages, example.answer))
            added += 1
            if len(waiting) == 1000:
                lines.append(path_of(name), waiting)
                waiting = []
        lines.append(path_of(name), waiting)
    return added, tuple(bad[:1000])


def check(name: str, count_tokens: CountTokens | None = None, context_tokens: int = CONTEXT_TOKENS) -> CheckReport:
    """What `chapeta check` says of it. Raises BadInput where it has no row."""
    _require(name)
    return check_file(path_of(name), None, count_tokens, context_tokens)


def split(name: str, seed: int = 0) -> Splits:
    """How a run would split it. Raises BadInput where there is too little to learn from."""
    _require(name)
    return split_examples(list(good_examples(path_of(name))), seed)


def folder() -> Path:
    """Where the datasets are."""
    return config.home() / "datasets"


def path_of(name: str) -> Path:
    """The file of a dataset's rows, which every command takes. Raises BadInput for a name that cannot be a file's."""
    if not _is_name(name):
        raise BadInput(
            f"'{name[:80]}' cannot be a dataset's name.",
            "Use 1 to 60 letters, digits, spaces, - and _, with a letter or digit first and last.",
        )
    return folder() / f"{unicodedata.normalize('NFC', name)}.jsonl"


def _is_name(name: str) -> bool:
    plain = unicodedata.normalize("NFC", name)
    fits = len(plain.encode("utf-8", "surrogatepass")) <= MOST_NAME_BYTES
    return fits and _NAME.fullmatch(plain) is not None and _DEVICES.fullmatch(plain) is None


def _pairs_file(name: str) -> Path:
    file = path_of(name)
    return file.with_name(f"{file.name.removesuffix('.jsonl')}{PREFERENCES}.jsonl")


def _require(name: str) -> None:
    if not path_of(name).exists() and not _pairs_file(name).exists():
        raise Missing(f"There is no dataset '{name}'.", "An example that is kept under this name begins it.")


def _about(name: str) -> Dataset:
    file, pairs_file = path_of(name), _pairs_file(name)
    stats = [os.stat(one) for one in (file, pairs_file) if one.exists()]  # noqa: PTH116 - size and time in one look
    counts = []
    for one in (file, pairs_file):
        try:
            counts.append(lines.read(one, 0, 0)[0])
        except BadInput:  # a file that was put there and is no dataset does not hide the others
            counts.append(0)
    size = file.stat().st_size if file.exists() else 0
    return Dataset(name, file, counts[0], counts[1], size, max((one.st_mtime for one in stats), default=0.0))


def _new_id() -> str:
    return secrets.token_hex(6)


def _same_version(old: Row, version: str) -> None:
    if version and old.version != version:
        raise BadInput(
            "This row was changed in another window since it was shown.", "Look at it again, then change it."
        )


def _no_row(name: str, row_id: str) -> Missing:
    return Missing(f"Dataset '{name}' has no row {row_id[:40]}.", "It was removed, perhaps in another window.")


def _replace(name: str, file: Path, row_id: str, change: Callable[[Row], bytes | None]) -> int:
    """Puts another line, or none, in the place of the first row with this id. Returns its place from 0."""
    _require(name)
    found: list[int] = []

    def changed(place: int, line: bytes) -> bytes | None:
        if found or not may_have_id(line, row_id):
            return line
        old = row_of(line, place)
        if old.id != row_id:
            return line
        found.append(place)
        return change(old)

    with lines.locked(path_of(name)):
        if file.exists():
            lines.rewrite(file, changed, lambda: bool(found))
    if not found:
        raise _no_row(name, row_id)
    return found[0]
