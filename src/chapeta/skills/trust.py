"""Which project folders the user trusts. A skill is text that a model obeys, and a project may come from anybody.

Trust is given to what was seen: the SHA-256 of each skill is kept, so a skill that has changed or come new since then
waits until the user has looked again, while the others go on. It is kept in `trusted-folders.json` of the data directory.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chapeta import config
from chapeta.errors import BadInput, Corrupt
from chapeta.examples.lines import locked
from chapeta.files import read_json, write_json
from chapeta.skills.file import parse_skill, read_bounded
from chapeta.skills.places import project_dirs, scan
from chapeta.types import Json

State = Literal["trusted", "new", "changed"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A skill of a project for the user to judge. path: of its folder, below the project's; text: the whole SKILL.md."""

    name: str
    description: str
    path: str
    text: str
    sha256: str
    state: State


@dataclass(frozen=True, slots=True)
class Look:
    """A project as it was found. faults: what cannot be read, with why; trusting it does not cover that."""

    folder: Path
    skills: tuple[Shown, ...]
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def asks(self) -> bool:
        """Whether there is something that the user has not trusted yet."""
        return any(skill.state != "trusted" for skill in self.skills)


def look(project: Path) -> Look:
    """What a project folder holds, read anew. Raises BadInput if it is no folder."""
    folder = _folder(project)
    known = trusted(folder)
    shown, faults = [], []
    for seen in scan(project_dirs(folder)):
        path = path_in(folder, seen.folder)
        try:
            if seen.file is None:
                raise BadInput(seen.fault)
            data = read_bounded(seen.file)
            skill = parse_skill(data, seen.file)
        except BadInput as error:
            faults.append((path, error.message))
            continue
        digest = hashlib.sha256(data).hexdigest()
        state: State = "new" if path not in known else "trusted" if known[path] == digest else "changed"
        text = data.decode("utf-8-sig")
        shown.append(Shown(skill.name, skill.description, path, text, digest, state))
    return Look(folder, tuple(shown), tuple(faults))


def trust(seen: Look) -> None:
    """Trusts what was shown, exactly: what has changed since the look is not covered."""
    skills = {skill.path: skill.sha256 for skill in seen.skills}
    with locked(_file()):
        kept = _read()
        kept[str(seen.folder)] = {"trusted_s": round(time.time(), 3), "skills": skills}
        write_json(_file(), {"folders": kept})


def distrust(project: Path) -> bool:
    """Takes the trust back; False if there was none. The folder need not be there any more."""
    with locked(_file()):
        kept = _read()
        was_there = kept.pop(str(project.expanduser().resolve()), None) is not None
        if was_there:
            write_json(_file(), {"folders": kept})
    return was_there


def trusted(project: Path) -> Mapping[str, str]:
    """The SHA-256 of each trusted skill's SKILL.md, by the path of its folder below the project's."""
    entry = _read().get(str(project.expanduser().resolve()), {})
    return dict(entry.get("skills", {}))


def folders() -> list[Path]:
    """The trusted project folders, the latest first."""
    kept = _read()
    return [Path(name) for name in sorted(kept, key=lambda name: (-kept[name]["trusted_s"], name))]


def nearby(start: Path | None = None) -> list[Path]:
    """The folders from here upwards that have skills and that the user has not decided on: what can be trusted next.

    start: the current folder. The user's home is none of them: what lies there is the user's own.
    """
    here = (start or Path.cwd()).resolve()
    known = {folder.resolve() for folder in folders()}
    home = Path.home().resolve()
    around = [folder for folder in (here, *here.parents) if folder != home and folder not in known]
    return [folder for folder in around if any(seen.file for seen in scan(project_dirs(folder)))]


def path_in(project: Path, folder: Path) -> str:
    """How a skill's folder is known within its project: by where it really is."""
    real, inside = folder.resolve(), project.resolve()
    return real.relative_to(inside).as_posix() if real.is_relative_to(inside) else folder.as_posix()


def _folder(project: Path) -> Path:
    folder = project.expanduser().resolve()
    if not folder.is_dir():
        raise BadInput(f"{project} is no folder.", f"Check the path; the current folder is {Path.cwd()}.")
    return folder


def _file() -> Path:
    return config.home() / "trusted-folders.json"


def _read() -> dict[str, Json]:
    """What is kept; a file that is not ours to understand is an error rather than trust, or the loss of it."""
    if not _file().exists():
        return {}
    kept = read_json(_file(), "chapeta skills trust")
    found = kept.get("folders") if isinstance(kept, dict) else None
    if not isinstance(found, dict) or not all(map(_is_entry, found.values())):
        raise Corrupt(f"{_file()} is not as Chapeta writes it.", "Mend or delete it, then trust your folders again.")
    return found


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("trusted_s"), int | float):
        return False
    skills = entry.get("skills")
    return isinstance(skills, dict) and all(isinstance(digest, str) for digest in skills.values())
