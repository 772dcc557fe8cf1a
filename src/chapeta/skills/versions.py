"""What a skill said before: every text that was saved, found again by number or by the SHA-256 that a chat noted down.

    skill-versions/NAME/SHA256.md            a text, kept once however often it was saved
    skill-versions/NAME/0007-SHA256.json     that it was saved as the seventh, when and why

Both are whole files that never change, so backups of two machines can be merged by adding what is missing; numbers are
then counted anew, hashes stay. Writers take turns: see `library.py`.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chapeta import config
from chapeta.errors import Corrupt, Missing
from chapeta.files import read_json, write_atomic, write_json
from chapeta.skills.file import decoded, is_name, read_bounded, skill_name

Kind = Literal["kept", "added", "removed"]
NOT_TAKEN = "not taken: the skill had been changed in another window"
MOST_CELLS = 64_000_000  # of the table that two texts are compared in, a bit each
_RECORD = re.compile(r"(\d{4,9})-[0-9a-f]{8,64}\.json")
_HASH = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Version:
    """One save. number: from 1; saved_s: seconds since 1970; note: why, where it was no plain save; size: bytes."""

    number: int
    sha256: str
    saved_s: float
    note: str
    size: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a comparison. before, after: its number from 1 in the old and in the new text, None where it is not."""

    kind: Kind
    text: str
    before: int | None
    after: int | None


def versions(name: str) -> list[Version]:
    """All saves of a skill, the oldest first; empty if there is none."""
    found = sorted((number, *_record(path)) for number, path in _records(name))
    return [Version(n, digest, at, note, size) for n, (_, at, digest, note, size) in enumerate(found, 1)]


def version_text(name: str, which: int | str) -> str:
    """The text of a version, by its number or by (the first 8 or more digits of) its SHA-256.

    Raises Missing where there is none, Corrupt where its file is not what was saved.
    """
    return decoded(version_bytes(name, which), _folder(name))


def version_bytes(name: str, which: int | str) -> bytes:
    """The bytes of a version; see `version_text`."""
    digest = _digest(name, which)
    path = _folder(name) / f"{digest}.md"
    if not path.is_file():
        raise Corrupt(f"The text of version {which} of skill '{name}' is gone: {path}.", "Restore it from a backup.")
    data = read_bounded(path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise Corrupt(f"{path} is not what was saved: its SHA-256 differs.", "Restore it from a backup.")
    return data


def diff(name: str, before: int | str, after: int | str) -> tuple[Line, ...]:
    """What changed from one version to another, line by line."""
    return compare(version_text(name, before), version_text(name, after))


def compare(before: str, after: str) -> tuple[Line, ...]:
    """Two texts as one list of lines: kept and removed ones are the old text, kept and added ones the new.

    As few lines as possible change; in texts of tens of thousands of lines, all between the first and the last change.
    """
    old, new = before.split("\n"), after.split("\n")
    start, end = _alike(old, new), 0
    end = _alike(old[start:][::-1], new[start:][::-1])
    lines = [Line("kept", text, n + 1, n + 1) for n, text in enumerate(old[:start])]
    stop_old, stop_new = len(old) - end, len(new) - end
    for kind, a, b, c, d in _steps(old[start:stop_old], new[start:stop_new]):
        a, b, c, d = a + start, b + start, c + start, d + start
        if kind == "equal":
            lines += [Line("kept", old[n], n + 1, n - a + c + 1) for n in range(a, b)]
        else:
            lines += [Line("removed", old[n], n + 1, None) for n in range(a, b)]
            lines += [Line("added", new[n], None, n + 1) for n in range(c, d)]
    lines += [Line("kept", old[n], n + 1, n - stop_old + stop_new + 1) for n in range(stop_old, len(old))]
    return tuple(lines)


def keep(name: str, data: bytes, note: str = "") -> Version:
    """Adds a version, unless the newest is this text already. To be called by one writer at a time.

    A text that was kept because it was not taken is a version of its own when it is taken after all.
    """
    digest = keep_text(name, data)
    known = _records(name)
    number, newest = max(known, default=(0, None))
    if newest is not None:
        saved_s, kept, old_note, size = _record(newest)
        if kept == digest and (old_note != NOT_TAKEN or note == NOT_TAKEN):
            return Version(len(known), digest, saved_s, old_note, size)
    version = Version(len(known) + 1, digest, round(time.time(), 3), note, len(data))
    told = {"sha256": digest, "saved_s": version.saved_s, "note": note, "bytes": len(data)}
    write_json(_folder(name) / f"{number + 1:04d}-{digest[:16]}.json", told)
    return version


def is_kept(name: str, data: bytes) -> bool:
    """Whether a text is one of the versions."""
    digest = hashlib.sha256(data).hexdigest()
    return any(path.stem.endswith(digest[:16]) for _, path in _records(name))


def keep_text(name: str, data: bytes) -> str:
    """Keeps a text, so that it is found again by its SHA-256, which is returned."""
    digest = hashlib.sha256(data).hexdigest()
    path = _folder(name) / f"{digest}.md"
    if not path.exists():
        write_atomic(path, data)
    return digest


def names() -> list[str]:
    """The names that versions are kept of."""
    folder = config.home() / "skill-versions"
    return (
        sorted(path.name for path in folder.iterdir() if is_name(path.name) and _records(path.name))
        if folder.is_dir()
        else []
    )


def _folder(name: str) -> Path:
    """By the name as the standard would have it: names of others' skills may be anything."""
    return config.home() / "skill-versions" / skill_name(name)


def _digest(name: str, which: int | str) -> str:
    if isinstance(which, int):
        known = versions(name)
        if not 1 <= which <= len(known):
            raise Missing(f"Skill '{name}' has no version {which}.", f"It has {len(known)}, from 1.")
        return known[which - 1].sha256
    folder = _folder(name)
    found = sorted(path.stem for path in folder.glob(f"{which}*.md")) if _HASH.fullmatch(which) else []
    if not found:
        raise Missing(f"Skill '{name}' has no version {which[:80]!r}.", "Give a number, or 8 digits of its SHA-256.")
    return found[0]


def _records(name: str) -> list[tuple[int, Path]]:
    """(number, file) of each save, in no order; two may have one number after backups were merged."""
    folder = _folder(name)
    found = [(_RECORD.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return [(int(match[1]), path) for match, path in found if match]


def _record(path: Path) -> tuple[float, str, str, int]:
    """(saved_s, sha256, note, size)"""
    told = read_json(path, "chapeta skills save")
    try:
        digest = told["sha256"]
        if not _HASH.fullmatch(digest) or len(digest) != 64:
            raise ValueError(digest)
        return float(told["saved_s"]), digest, str(told.get("note", "")), int(told["bytes"])
    except (KeyError, TypeError, ValueError):
        raise Corrupt(f"{path} is not as Chapeta writes it.", "Delete it, or restore it from a backup.") from None


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines the two begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _steps(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    """(kind, from, to in the old, from, to in the new); the longest common sequence is kept."""
    if len(old) * len(new) > MOST_CELLS:
        return [("replace", 0, len(old), 0, len(new))]
    from rapidfuzz.distance import LCSseq

    numbers: dict[str, int] = {}  # lines as numbers: the library would compare their hashes
    one, other = ([numbers.setdefault(line, len(numbers)) for line in lines] for lines in (old, new))
    steps: list[tuple[str, int, int, int, int]] = []
    for step in LCSseq.opcodes(one, other):
        kind = "equal" if step.tag == "equal" else "replace"
        if steps and steps[-1][0] == kind == "replace":  # what goes is shown before what comes instead
            _, a, _, c, _ = steps.pop()
            steps.append((kind, a, step.src_end, c, step.dest_end))
        else:
            steps.append((kind, step.src_start, step.src_end, step.dest_start, step.dest_end))
    return steps
