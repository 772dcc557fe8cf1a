"""Writing our own skills: each save is a version, two windows do not overwrite each other, nothing is deleted for good.

One lock for all skills: a write takes milliseconds. A folder that is deleted is moved to `skills/.deleted/`, from where
it comes back whole, and stays there for 30 days; its versions stay for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chapeta.errors import BadInput, Missing
from chapeta.examples.lines import locked
from chapeta.files import disk_errors, write_atomic
from chapeta.skills import settings, versions
from chapeta.skills.file import SKILL_FILE, Skill, is_name, parse_skill, read_bounded, skill_text
from chapeta.skills.places import own_dir
from chapeta.skills.versions import NOT_TAKEN, Version

DELETED = ".deleted"
KEPT_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written. sha256: of the SKILL.md, what the next save is based on; warnings: what of the text was left out."""

    name: str
    sha256: str
    version: Version
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deleted:
    """A skill that can come back. deleted_s: seconds since 1970; None where only its versions are left."""

    name: str
    deleted_s: float | None


class ChangedMeanwhile(BadInput):
    """A skill was saved elsewhere since it was read. kept: the version that holds the text which was not taken.

    sha256: of what is there now ("" if it was deleted), to save over it all the same.
    """

    def __init__(self, name: str, sha256: str, kept: Version) -> None:
        happened = "changed" if sha256 else "deleted"
        super().__init__(
            f"Skill '{name}' was {happened} in another window since you opened it; your text is kept as version"
            f" {kept.number}.",
            "Compare the two, then save again.",
        )
        self.sha256 = sha256
        self.kept = kept


def save(name: str, text: str, based_on: str | None = None, note: str = "") -> Saved:
    """Writes `SKILL.md` of our skill from a text with a head, as the standard wants it, and keeps the one before.

    based_on: SHA-256 of what the user started from ("": there was no such skill); None writes over whatever is there.
    Raises BadInput for what the standard forbids, with nothing written; ChangedMeanwhile.
    """
    file = folder_of(name) / SKILL_FILE
    try:
        given = text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"Skill '{name}' contains half a character (a lone surrogate).", "Remove it.") from None
    skill = parse_skill(given, file)
    data = canonical(name, skill)
    warnings = tuple(warning for warning in skill.warnings if "has no name" not in warning)
    with locked_library():
        there = _bytes_there(file)
        if there is None:
            settings.write(name, None)
        digest = "" if there is None else hashlib.sha256(there).hexdigest()
        new_digest = hashlib.sha256(data).hexdigest()
        if based_on is not None and digest not in (based_on, new_digest):
            raise ChangedMeanwhile(name, digest, versions.keep(name, data, NOT_TAKEN))
        if there is not None and not versions.is_kept(name, there):
            versions.keep(name, there, "written by another program")
        if digest != new_digest:
            write_atomic(file, data)
            _drop_other_spelling(file)
        if skill.always or not skill.by_model:  # the standard has no words for it, so it becomes a setting
            settings.write(name, "always" if skill.always else "hand")
        return Saved(name, new_digest, versions.keep(name, data, note), warnings)


def canonical(name: str, skill: Skill) -> bytes:
    """What is written for a skill. Raises BadInput for what the standard forbids, and for what would not be read again."""
    folder = folder_of(name)
    if skill.name != name:
        raise BadInput(f"The text names the skill {skill.name!r}, but this is '{name}'.", f"Write `name: {name}`.")
    data = skill_text(skill, folder).encode()
    again = replace(parse_skill(data, folder / SKILL_FILE), warnings=())
    plain = replace(skill, warnings=(), examples=(), always=False, by_model=True, by_hand=True)
    if again != plain:
        raise BadInput(f"Skill '{name}' would not be the same when it is read again.", "Use plain text in its head.")
    return data


def restore(name: str, which: int | str) -> Saved:
    """Makes a version the newest one, by number or SHA-256; also of a skill that was deleted."""
    text = versions.version_text(name, which)
    return save(name, text, note=f"version {which} again" if isinstance(which, int) else f"{which[:8]} again")


def delete(name: str) -> None:
    """Takes a skill out of the library; `undelete` brings it back, scripts and all. Raises Missing."""
    folder = folder_of(name)
    with locked_library(), disk_errors(folder):
        if not folder.is_dir():
            raise Missing(f"There is no skill '{name}' of your own.", "`chapeta skills list` has them.")
        there = _bytes_there(folder / SKILL_FILE)
        if there is not None and not versions.is_kept(name, there):
            versions.keep(name, there, "before it was deleted")
        put_away(folder)
        _purge()


def undelete(name: str) -> None:
    """Brings back what was deleted last: the folder as it was, or after 30 days its newest version.

    Raises BadInput where there is a skill of that name by now, Missing where nothing is left.
    """
    folder = folder_of(name)
    with locked_library(), disk_errors(folder):
        if os.path.lexists(folder):
            raise BadInput(f"There is a skill '{name}' already.", "Its versions hold what it said before.")
        latest = max((at for known, at in _put_away() if known == name), default=None)
        if latest is not None:
            (own_dir() / DELETED / f"{name}.{latest}").rename(folder)
            return
    kept = [version for version in versions.versions(name) if version.note != NOT_TAKEN]
    if not kept:
        raise Missing(f"No skill '{name}' was deleted.", "`chapeta skills list --deleted` has those that were.")
    save(name, versions.version_text(name, kept[-1].number), based_on="", note="brought back")


def deleted() -> list[Deleted]:
    """What `undelete` can bring back, by name."""
    found: dict[str, float | None] = dict.fromkeys(versions.names())
    for name, at in sorted(_put_away()):
        found[name] = at / 1000
    return [Deleted(name, found[name]) for name in sorted(found) if not os.path.lexists(own_dir() / name)]


def folder_of(name: str) -> Path:
    """Where our skill of this name is. Raises BadInput for a name that the standard forbids, and for a link there."""
    if not is_name(name):
        raise BadInput(
            f"{name[:80]!r} cannot be a skill's name.", "Use 1 to 64 lowercase letters and digits with single hyphens."
        )
    folder = own_dir() / name
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise BadInput(f"{folder} is a link or a file, not a folder.", "Remove it, or choose another name.")
    return folder


def put_away(folder: Path) -> None:
    """Moves a skill's folder to where deleted ones are. Under the lock."""
    place = own_dir() / DELETED
    place.mkdir(parents=True, exist_ok=True)
    at = round(time.time() * 1000)
    while os.path.lexists(place / f"{folder.name}.{at}"):
        at += 1
    folder.rename(place / f"{folder.name}.{at}")


@contextlib.contextmanager
def locked_library() -> Iterator[None]:
    """Held by whoever changes our skills or their versions; not to be taken twice by one thread."""
    with locked(own_dir()):
        yield


def _bytes_there(file: Path) -> bytes | None:
    """What is there now, whatever it is; None if nothing is."""
    if not os.path.lexists(file):
        file = file.with_name(file.name.lower())
    if not os.path.lexists(file):
        return None
    if file.is_symlink() or not file.is_file():
        raise BadInput(f"{file} is a link or no file.", "Remove it, then save again.")
    return read_bounded(file)


def _drop_other_spelling(file: Path) -> None:
    """Removes a `skill.md` beside `SKILL.md`, unless the disk takes the two for one."""
    other = file.with_name(file.name.lower())
    if other.name != file.name and other.is_file() and not other.samefile(file):
        other.unlink()


def _put_away() -> list[tuple[str, int]]:
    """(name, milliseconds since 1970) of the folders that can come back."""
    place = own_dir() / DELETED
    parts = [path.name.rpartition(".") for path in place.iterdir()] if place.is_dir() else []
    return [(name, int(at)) for name, _, at in parts if is_name(name) and at.isascii() and at.isdigit()]


def _purge() -> None:
    """Removes what was deleted too long ago."""
    for name, at in _put_away():
        if at / 1000 < time.time() - KEPT_S:
            shutil.rmtree(own_dir() / DELETED / f"{name}.{at}", ignore_errors=True)
