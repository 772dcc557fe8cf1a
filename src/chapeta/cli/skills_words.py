"""What the verbs of `chapeta skills` share: which skills are meant, and text of others on a terminal."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.skills.library import Entry


def entries(arguments: argparse.Namespace) -> list[Entry]:
    from chapeta.skills import library

    return library.entries(projects(arguments))


def projects(arguments: argparse.Namespace) -> list[Path] | None:
    """The trusted folders, unless one was named."""
    if arguments.project is not None and not arguments.project.is_dir():
        raise BadInput(f"{arguments.project} is no folder.", "Give a project's folder.")
    return None if arguments.project is None else [arguments.project]


def text_of(file: str) -> str:
    """A text file, or standard input, within the bounds of a skill."""
    from chapeta.skills.file import MAX_FILE_BYTES, decoded, read_bounded

    if file != "-":
        path = Path(file).expanduser()
        if not path.is_file():
            raise BadInput(f"{path} is no file.", f"Check the path; the current folder is {Path.cwd()}.")
        return decoded(read_bounded(path), path)
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"Standard input is larger than {MAX_FILE_BYTES // 1024} KiB.", "Shorten it.")
    return decoded(data, Path("standard input"))


def which(word: str) -> int | str:
    """A version's number, or its hash: eight digits are the shortest of those."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 8 else word


def iso(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment is not None else ""


def shown(text: str) -> str:
    """Text that anybody may have written, without what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)
