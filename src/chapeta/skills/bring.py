"""Bringing skills into the library: from a folder, a ZIP, or pasted text. What is brought becomes ours, strictly written.

What cannot be taken is reported, with why; nothing that is here is overwritten unless asked. Scripts of a skill are kept
as files beside it and never run. See `parcel.py` for what holds a hostile ZIP back.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from chapeta.errors import BadInput, Missing
from chapeta.files import disk_errors, write_atomic
from chapeta.skills import parcel, settings, store, versions
from chapeta.skills.file import (
    MAX_COMPATIBILITY_CHARS,
    MAX_DESCRIPTION_CHARS,
    MAX_FILE_BYTES,
    SKILL_FILE,
    NeedsDescription,
    Skill,
    is_name,
    parse_skill,
    skill_name,
)
from chapeta.skills.parcel import Files
from chapeta.skills.places import scan
from chapeta.skills.store import Saved
from chapeta.storage.zips import DAMAGE

__all__ = ["Brought", "NeedsDescription", "Report", "bring_folder", "bring_text", "bring_zip"]

MOST_ZIP_BYTES = 64 << 20
MOST_SKILLS = 200
MOST_LEFT_OUT = 200
AS_IT_CAME = "as it came"
_HEADED = re.compile(r"---[ \t]*\n")
_FENCED = re.compile(r"(`{3,}|~{3,})[\w-]*[ \t]*\n(.*?)\n?\1[ \t]*", re.DOTALL)
_TITLE = re.compile(r"#{1,6}[ \t]+(.+)")


@dataclass(frozen=True, slots=True)
class Brought:
    """A skill that is in the library now. is_new: False if there was one of its name; files: beside SKILL.md, by path."""

    name: str
    description: str
    is_new: bool
    files: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What came over, what was here already, and what was left out and why; `more` are left out beyond those listed."""

    brought: list[Brought] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0

    def leave_out(self, what: str, why: str) -> None:
        if len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.append((what, why))
        else:
            self.more += 1


def bring_text(text: str, name: str = "", description: str = "") -> Saved:
    """Makes a skill of pasted text, with a head or without; a code fence around all of it is taken off.

    name, description: instead of what the text says; without either, the name is made from its title or first words.
    Raises NeedsDescription, and BadInput for text that is none, or a name that is taken.
    """
    if len(text) > MAX_FILE_BYTES:
        raise BadInput(f"The text is larger than {MAX_FILE_BYTES // 1024} KiB.", "Shorten it.")
    data = _unfenced(text).encode("utf-8", "replace")
    body = data.decode()
    if not body.strip():
        raise BadInput("The text is empty.", "Paste the instructions.")
    wanted = skill_name(name or _title(body))
    if _HEADED.match(body):
        skill = _read(data, wanted, description)
    elif description.strip():
        skill = Skill(wanted, description.strip(), body.strip())
    else:
        raise NeedsDescription(f"Skill '{wanted}'", wanted)
    skill, cut = _strict(replace(skill, name=skill_name(name or skill.name)))
    written = store.canonical(skill.name, skill).decode()
    try:
        saved = store.save(skill.name, written, based_on="", note="pasted")
    except store.ChangedMeanwhile:
        raise BadInput(f"There is a skill '{skill.name}' already.", "Give another name, or edit that one.") from None
    return replace(saved, warnings=(*skill.warnings, *cut))


def bring_folder(path: Path | str, *, name: str = "", description: str = "", over: bool = False) -> Report:
    """Copies the skill of a folder, or all skills in it; the folder stays as it is. Links are not followed.

    name, description: for a folder with one skill, instead of its own. over: also over skills of the same name, whose
    folders are put where deleted ones are. Raises BadInput where there is no skill, or the disk refuses.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder.", f"Check the path; the current folder is {Path.cwd()}.")
    report = Report()
    found: dict[str, Files] = {}
    if any((folder / file).is_file() for file in (SKILL_FILE, SKILL_FILE.lower())):
        found[folder.resolve().name] = parcel.files_of(folder, "", report.leave_out)
    else:
        for seen in scan([folder]):
            if seen.file is None:
                report.leave_out(seen.folder.name, seen.fault)
            else:
                at = seen.folder.relative_to(folder).as_posix()
                found[at] = parcel.files_of(seen.folder, f"{at}/", report.leave_out)
    return _bring(str(folder), found, report, name, description, over)


def bring_zip(path: Path | str, *, name: str = "", description: str = "", over: bool = False) -> Report:
    """Takes the skills of a ZIP (also one called .skill) as `bring_folder` does those of a folder."""
    file = Path(path).expanduser()
    if file.is_file() and file.stat().st_size > MOST_ZIP_BYTES:
        raise BadInput(f"{file} is larger than {MOST_ZIP_BYTES >> 20} MiB.", "Take large files out of it.")
    if not file.is_file():
        raise Missing(f"{file} does not exist.", f"Check the path; the current folder is {Path.cwd()}.")
    report = Report()
    with parcel.zipped(file, report.leave_out) as tree:
        return _bring(str(file), parcel.skills_in(tree, file.stem, report.leave_out), report, name, description, over)


def _bring(source: str, found: dict[str, Files], report: Report, name: str, description: str, over: bool) -> Report:
    """Takes the skills that were found, by where they were."""
    if not found:
        why = f" ({report.left_out[0][0]}: {report.left_out[0][1]})" if report.left_out else ""
        raise BadInput(f"{source} holds no skill{why}.", f"A skill is a folder with a {SKILL_FILE} in it.")
    if (name or description) and len(found) > 1:
        raise BadInput(f"{source} holds {len(found)} skills.", "A name or description can be given for one alone.")
    for at in list(found)[MOST_SKILLS:]:
        report.leave_out(at, f"more than {MOST_SKILLS} skills at once")
    for at in list(found)[:MOST_SKILLS]:
        try:
            _take(at, found[at], report, name, description, over)
        except BadInput as error:
            if len(found) == 1:
                raise
            report.leave_out(at, error.message)
        except DAMAGE:
            report.leave_out(at, "it is damaged")
    return report


def _take(at: str, files: Files, report: Report, name: str, description: str, over: bool) -> None:
    """One skill: unpacked beside the library, then moved into it."""
    main = next((file for file in (SKILL_FILE, SKILL_FILE.lower()) if file in files), None)
    if main is None:
        raise BadInput(f"The {SKILL_FILE} of {at} is a link, or cannot be taken.", "Put the file itself there.")
    with files[main][1]() as stream:
        data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"{at}/{main} is larger than {MAX_FILE_BYTES // 1024} KiB.", "Move details into references/.")
    skill = _read(data, at.rpartition("/")[2], description)
    skill, cut = _strict(replace(skill, name=skill_name(name or skill.name)))
    written = store.canonical(skill.name, skill)
    with parcel.staged(skill.name) as staging:
        taken = parcel.unpack(
            {path: file for path, file in files.items() if path != main}, staging, at, report.leave_out
        )
        write_atomic(staging / SKILL_FILE, written)
        is_new = _move_in(skill.name, staging, data, written, over, report)
    if is_new is not None:
        if not skill.by_model:
            settings.write(skill.name, "hand")
        told = (*skill.warnings, *cut, *_asks(skill))
        report.brought.append(Brought(skill.name, skill.description, is_new, tuple(taken), told))


def _move_in(name: str, staging: Path, data: bytes, written: bytes, over: bool, report: Report) -> bool | None:
    """Whether the skill is new; None if it was left out, or is here already."""
    folder = store.folder_of(name)
    with store.locked_library(), disk_errors(folder):
        is_new = not os.path.lexists(folder)
        if not is_new and parcel.fingerprint(folder) == parcel.fingerprint(staging):
            report.already.append(name)
            return None
        if not is_new and not over:
            report.leave_out(name, "there is a skill of this name already")
            return None
        if is_new:
            settings.write(name, None)
        else:
            before = folder / SKILL_FILE
            if before.is_file() and not before.is_symlink() and before.stat().st_size <= MAX_FILE_BYTES:
                versions.keep(name, before.read_bytes(), "before another was imported")
            store.put_away(folder)
        if data != written:
            versions.keep(name, data, AS_IT_CAME)
        staging.rename(folder)
        versions.keep(name, written, "imported")
    return is_new


def _read(data: bytes, folder: str, description: str) -> Skill:
    """Read leniently, as if its folder had its name: it will."""
    name = parse_skill(data, Path(folder) / SKILL_FILE, description).name
    return parse_skill(data, Path(name if is_name(name) else folder) / SKILL_FILE, description)


def _strict(skill: Skill) -> tuple[Skill, tuple[str, ...]]:
    """Within the standard's lengths, and what was cut for that."""
    cut = []
    values = {"description": MAX_DESCRIPTION_CHARS, "compatibility": MAX_COMPATIBILITY_CHARS}
    for name, most in values.items():
        text = getattr(skill, name)
        if len(text) > most:
            shorter = text[: most - 1].rpartition(" ")[0] or text[: most - 1]
            skill = replace(skill, **{name: f"{shorter}…"})  # type: ignore[arg-type]
            cut.append(f"Its {name} had {len(text)} characters and was cut to {most}.")
    return skill, tuple(cut)


def _asks(skill: Skill) -> tuple[str, ...]:
    """What a skill says of its own use, which only the user decides for what was brought."""
    asks = []
    if skill.always:
        asks.append("It says that it is always on; it is not until you turn that on.")
    if not skill.by_model:
        asks.append("It says that no model should choose it, so it is picked by hand until you set that otherwise.")
    return tuple(asks)


def _unfenced(text: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip("\ufeff \t\n")
    fenced = _FENCED.fullmatch(plain)
    return (fenced[2].strip() if fenced else plain) + "\n"


def _title(body: str) -> str:
    """What a name can be made from: the first heading of a text, or its first words."""
    lines = [line.strip() for line in body.split("\n")[:200]]
    title = next((match[1] for line in lines if (match := _TITLE.fullmatch(line))), "")
    return title or " ".join(next((line for line in lines if line), "").split()[:5])
