"""Where skills are looked for, and the bounded look itself: nobody knows what lies in a folder of somebody else's.

A place is a folder such as `.agents/skills`; a folder in it with a `SKILL.md` is a skill, and what is below it is the
skill's own. Links are followed only as long as they stay in the places of the same owner, as installers put a skill in
one of them and link to it from the others.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from chapeta import config
from chapeta.skills.file import SKILL_FILE

DEPTH = 4
MOST_FOLDERS = 2000
MOST_IN_FOLDER = 10_000
SUBFOLDERS = (".agents/skills", ".claude/skills")
_FILES = (SKILL_FILE, SKILL_FILE.lower())
_PASSED_OVER = frozenset({"node_modules", "__pycache__", "__MACOSX"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A folder that is, or should be, a skill. fault: why it cannot be read, "" if it can; `file` is None then."""

    folder: Path
    file: Path | None
    fault: str = ""


def own_dir() -> Path:
    """The skills that Chapeta keeps, one folder each."""
    return config.home() / "skills"


def user_dirs() -> list[Path]:
    """The places of the user's home that programs share."""
    return [Path.home() / name for name in SUBFOLDERS]


def project_dirs(project: Path) -> list[Path]:
    """The places of a project folder; none that a link leads out of it, and none that are the user's own."""
    inside = project.resolve()
    user = {place.resolve() for place in user_dirs()}
    found = [project / name for name in SUBFOLDERS]
    return [p for p in found if p.resolve().is_relative_to(inside) and p.resolve() not in user]


def scan(places: Sequence[Path], depth: int = DEPTH) -> list[Seen]:
    """The skills of some places of one owner, sorted within each; what is broken is among them. Places may be missing.

    depth: how many folders below a place a skill may be. A folder that several names lead to is seen once.
    """
    look = _Look(tuple(place.resolve() for place in places), depth)
    return [seen for place in places for seen in look.at(place)]


@dataclass(slots=True)
class _Look:
    """One look through the places of an owner. visited: real folders."""

    allowed: tuple[Path, ...]
    depth: int
    visited: set[Path] = field(default_factory=set)

    def at(self, place: Path) -> Iterator[Seen]:
        """A place's skills, then the folders right in it that hold none."""
        if not place.is_dir() or place.resolve() in self.visited:
            return
        self.visited.add(place.resolve())
        hollow: dict[Path, None] = {}
        waiting: deque[tuple[Path, Path, int]] = deque((child, child, 1) for child in self._children(place))
        while waiting:
            folder, top, level = waiting.popleft()
            if level == 1:
                hollow[top] = None
            seen = self._seen(folder)
            if seen is not None:
                hollow.pop(top, None)
                yield seen
            elif len(self.visited) > MOST_FOLDERS:
                yield Seen(place, None, f"It holds more than {MOST_FOLDERS:,} folders; the rest was not looked at.")
                return
            elif folder.resolve() in self.visited:
                hollow.pop(top, None)
            else:
                self.visited.add(folder.resolve())
                waiting.extend((child, top, level + 1) for child in self._children(folder) if level < self.depth)
        yield from (Seen(top, None, f"It holds no {SKILL_FILE}.") for top in hollow)

    def _seen(self, folder: Path) -> Seen | None:
        """A skill, or something broken; None for a folder that is neither, and for a skill that was seen before."""
        if not self._stays(folder):
            return Seen(folder, None, "It is a link that leads elsewhere, so it is not followed. Import it instead.")
        file = next((folder / name for name in _FILES if os.path.lexists(folder / name)), None)
        if file is None or folder.resolve() in self.visited:
            return None
        self.visited.add(folder.resolve())
        if not self._stays(file):
            return Seen(folder, None, f"Its {file.name} is a link that leads elsewhere, so it is not followed.")
        if not file.is_file():
            return Seen(folder, None, f"Its {file.name} is no file.")
        return Seen(folder, file)

    def _stays(self, path: Path) -> bool:
        if not path.is_symlink():
            return True
        try:
            target = path.resolve(strict=True)
        except (OSError, RuntimeError):  # leads nowhere, or in a circle
            return False
        return any(target.is_relative_to(place) for place in self.allowed)

    def _children(self, folder: Path) -> list[Path]:
        """The folders, and links that may be such, in a folder; hidden ones are left out."""
        try:
            with os.scandir(folder) as entries:
                names = [
                    entry.name
                    for entry in islice(entries, MOST_IN_FOLDER)
                    if not entry.name.startswith(".") and entry.name not in _PASSED_OVER
                    and (entry.is_dir() or (entry.is_symlink() and not entry.is_file()))
                ]  # fmt: skip
        except OSError:
            return []
        return [folder / name for name in sorted(names)]
