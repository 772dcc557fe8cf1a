"""Splits on disk: train.jsonl, validation.jsonl, test.jsonl and split.json, which holds the report and their SHA-256.

The rows are stored without loss (roles, weights, tools, group, line), unlike the formats that users bring.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from chapeta.errors import Corrupt, Missing
from chapeta.examples.split import SplitReport, Splits
from chapeta.files import read_json, write_atomic, write_json
from chapeta.types import Example, Json, Message

PARTS = ("train", "validation", "test")
MADE_BY = "chapeta split FILE"


def write_splits(folder: Path, splits: Splits) -> None:
    """Write the four files, split.json last: a folder without it is unfinished."""
    digests = {}
    for part in PARTS:
        content = write_examples(getattr(splits, part))
        write_atomic(folder / f"{part}.jsonl", content)
        digests[part] = sha256(content).hexdigest()
    write_json(folder / "split.json", {"report": splits.report.to_json(), "sha256": digests})


def read_splits(folder: Path) -> Splits:
    """What `write_splits` wrote; `Missing` without it, `Corrupt` where a file changed since."""
    index = read_json(folder / "split.json", MADE_BY)
    again = f"Run `{MADE_BY}` again."
    try:
        report = SplitReport(**{**index["report"], "notes": tuple(index["report"]["notes"])})
        digests = {part: index["sha256"][part] for part in PARTS}
    except (KeyError, TypeError):
        raise Corrupt(f"{folder / 'split.json'} is not what this version writes.", again) from None
    train, validation, test = (_read_part(folder / f"{part}.jsonl", digests[part], again) for part in PARTS)
    return Splits(train, validation, test, report)


def _read_part(path: Path, digest: str, again: str) -> tuple[Example, ...]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Missing(f"{path} does not exist.", again) from None
    if sha256(content).hexdigest() != digest:
        raise Corrupt(f"{path} was changed after the split (its SHA-256 differs).", again)
    return read_examples(content)


def read_examples(content: bytes) -> tuple[Example, ...]:
    """Examples from lines in the stored form."""
    return tuple(_example(json.loads(line)) for line in content.decode().split("\n") if line)


def write_examples(examples: Sequence[Example]) -> bytes:
    """Lines in the stored form."""
    rows = (json.dumps(dataclasses.asdict(example), ensure_ascii=False) for example in examples)
    return "".join(f"{row}\n" for row in rows).encode()


def _example(row: Json) -> Example:
    fields: dict[str, Any] = {**row, "tools": tuple(row["tools"])}
    return Example(**{**fields, "messages": tuple(Message(**message) for message in row["messages"])})
