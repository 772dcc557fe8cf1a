"""The library of skills: ours, those that programs share in the user's home, and those of the projects the user trusts.

Ours lie in `skills/NAME/` of the data directory and are written by `store.py`; others are read where they are. Two of one
name: the project's goes before ours, ours before the user's, as long as it can be used. What is broken is listed with why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from chapeta.errors import BadInput, Missing
from chapeta.skills import settings, trust
from chapeta.skills.file import Skill, decoded, parse_skill, read_bounded, skill_file
from chapeta.skills.places import Seen, own_dir, project_dirs, scan, user_dirs
from chapeta.skills.settings import Use
from chapeta.skills.store import ChangedMeanwhile, Deleted, Saved, delete, deleted, restore, save, undelete
from chapeta.skills.versions import Version, diff, keep_text, version_text, versions

__all__ = [
    "ChangedMeanwhile", "Deleted", "Entry", "Found", "Place", "Saved", "Use", "Version", "always_on", "delete", "deleted",
    "diff", "entries", "find", "noted", "restore", "save", "source", "undelete", "use", "version_text", "versions",
]  # fmt: skip

Place = Literal["mine", "user", "project"]
Count = Callable[[str], int]
_BEFORE: dict[Place, int] = {"project": 0, "mine": 1, "user": 2}
_parsed = lru_cache(maxsize=256)(parse_skill)  # YAML takes 2 ms a head, and the library is read for each message


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the library.

    enabled:     it can be used now: whole, trusted, not off, and no other takes its place.
    use:         how; by_hand is False for one that says it is for models only.
    fault:       why it cannot be read; its name is then the folder's. warnings: what is odd about it.
    needs_trust: it waits for the user's trust in `project`, or has changed since.
    shadowed_by: the folder of the skill of the same name that goes before it.
    sha256:      of its SKILL.md as it lies there. tokens: of its instructions, where a count was asked for.
    """

    name: str
    description: str
    folder: Path
    place: Place
    enabled: bool
    use: Use
    by_hand: bool = True
    warnings: tuple[str, ...] = ()
    fault: str = ""
    needs_trust: bool = False
    project: Path | None = None
    shadowed_by: Path | None = None
    sha256: str = ""
    tokens: int | None = None

    @property
    def always(self) -> bool:
        return self.enabled and self.use == "always"

    @property
    def by_model(self) -> bool:
        """Whether a model may choose it. One that is always on need not be chosen."""
        return self.enabled and self.use == "model"

    @property
    def key(self) -> str:
        """How its settings are found."""
        return self.name if self.place == "mine" else str(self.folder)


@dataclass(frozen=True, slots=True)
class Found:
    """A skill ready for use. source: the bytes of its SKILL.md, from which `skill` was read."""

    entry: Entry
    skill: Skill
    source: bytes

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def text(self) -> str:
        """The instructions that a model gets."""
        return self.skill.body

    @property
    def version(self) -> str:
        """What a chat notes down, so that `versions.version_text(name, version)` finds this text again."""
        return self.entry.sha256[:16]


def entries(projects: Sequence[Path] | None = None, count: Count | None = None) -> list[Entry]:
    """All skills, by name, the one that goes before first. projects: folders to look in (those that the user trusts).

    count: tokens of a text, to fill in `tokens`. Raises Corrupt where our own settings cannot be read. Blocks.
    """
    return [entry for entry, _ in _read_all(projects, count)]


def find(name: str, projects: Sequence[Path] | None = None) -> Found:
    """The skill of this name that can be used. Raises Missing where there is none, or it is off, broken or not trusted."""
    found = [(entry, read) for entry, read in _read_all(projects, None) if entry.name == name]
    for entry, read in found:
        if entry.enabled and read is not None:
            return Found(entry, *read)
    if not found:
        raise Missing(f"There is no skill '{name[:80]}'.", "It was removed or renamed; `chapeta skills list` has them.")
    entry = found[0][0]
    if entry.fault:
        raise Missing(f"Skill '{name}' cannot be read: {entry.fault}", "Mend it, or choose another.")
    if entry.needs_trust:
        raise Missing(f"Skill '{name}' of {entry.project} is not trusted, or has changed.", "Look at it under Skills.")
    raise Missing(f"Skill '{name}' is turned off.", "Turn it on under Skills, or choose another.")


def always_on(projects: Sequence[Path] | None = None) -> list[Found]:
    """The skills that are always on, by name."""
    return [Found(entry, *read) for entry, read in _read_all(projects, None) if entry.always and read is not None]


def source(entry: Entry) -> tuple[str, str]:
    """(the whole SKILL.md to show or edit, its SHA-256), also of one that is broken, as far as it is text.

    Raises BadInput where it cannot be read, and for a link that leads elsewhere.
    """
    if any(seen.folder == entry.folder and seen.file is None for seen in scan(_places(entry))):
        raise BadInput(f"Skill '{entry.name}' cannot be shown: {entry.fault}", f"See {entry.folder}.")
    file = skill_file(entry.folder)
    data = read_bounded(file)
    return decoded(data, file), hashlib.sha256(data).hexdigest()


def use(entry: Entry, how: str | None) -> None:
    """Sets how a skill is used; None goes back to what it says of itself. Raises BadInput for what is no use."""
    settings.write(entry.key, how)


def noted(found: Found) -> str:
    """Keeps the text that a chat is about to use, wherever it is from, and returns the version to note down."""
    keep_text(found.name, found.source)
    return found.version


_Read = tuple[Skill, bytes]


def _read_all(projects: Sequence[Path] | None, count: Count | None) -> list[tuple[Entry, _Read | None]]:
    kept = settings.read()
    found = [_read(seen, "mine", kept) for seen in scan([own_dir()], depth=1)]
    found += [_read(seen, "user", kept) for seen in scan(user_dirs())]
    for project in trust.folders() if projects is None else projects:
        found += _of_project(project, kept)
    found.sort(key=lambda pair: (pair[0].name.casefold(), pair[0].name, _BEFORE[pair[0].place]))
    return list(_counted(_shadowed(found), count))


def _of_project(project: Path, kept: Mapping[str, Use]) -> Iterator[tuple[Entry, _Read | None]]:
    folder = project.expanduser().resolve()
    trusted = trust.trusted(folder)
    for seen in scan(project_dirs(folder)):
        entry, read = _read(seen, "project", kept)
        waits = read is not None and trusted.get(trust.path_in(folder, seen.folder)) != entry.sha256
        yield replace(entry, project=folder, needs_trust=waits, enabled=entry.enabled and not waits), read


def _read(seen: Seen, place: Place, kept: Mapping[str, Use]) -> tuple[Entry, _Read | None]:
    """A skill and its entry, as if no other were there."""
    name = seen.folder.name
    try:
        if seen.file is None:
            raise BadInput(seen.fault)
        data = read_bounded(seen.file)
        skill = _parsed(data, seen.file)
    except BadInput as error:
        return Entry(name, "", seen.folder, place, False, "off", fault=error.message), None
    if place != "mine":  # ours are known by their folders, which `store.save` writes to
        name = skill.name
    entry = Entry(name, skill.description, seen.folder, place, True, "off", skill.by_hand, skill.warnings)
    how = kept.get(entry.key) or _as_it_says(skill)
    return replace(entry, enabled=how != "off", use=how, sha256=hashlib.sha256(data).hexdigest()), (skill, data)


def _as_it_says(skill: Skill) -> Use:
    """How a skill wants to be used, where the user has said nothing."""
    if skill.always:
        return "always"
    if skill.by_model:
        return "model"
    return "hand" if skill.by_hand else "off"


def _shadowed(found: Sequence[tuple[Entry, _Read | None]]) -> Iterator[tuple[Entry, _Read | None]]:
    """Marks all but the first usable skill of each name; they come sorted."""
    first: dict[str, Path] = {}
    for entry, read in found:
        if entry.enabled and entry.name in first:
            yield replace(entry, enabled=False, shadowed_by=first[entry.name]), read
        else:
            if entry.enabled:
                first[entry.name] = entry.folder
            yield entry, read


def _counted(found: Iterator[tuple[Entry, _Read | None]], count: Count | None) -> Iterator[tuple[Entry, _Read | None]]:
    for entry, read in found:
        yield (replace(entry, tokens=count(read[0].body)) if count and read else entry), read


def _places(entry: Entry) -> list[Path]:
    if entry.place == "mine":
        return [own_dir()]
    return user_dirs() if entry.project is None else project_dirs(entry.project)
