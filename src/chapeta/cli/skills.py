"""chapeta skills list                     all skills, how each is used, and what is wrong with those that are broken
chapeta skills show NAME                what a skill says
chapeta skills save NAME FILE           write a skill from a text with a head (- is standard input)
chapeta skills import PATH              from a folder, a ZIP or a text; --name, --description, --over
chapeta skills use NAME HOW             off, hand (you pick it), model (a model may choose it), always, own
chapeta skills versions NAME            all that was saved;  diff NAME A B;  restore NAME N
chapeta skills delete NAME              take it out of the library;  undelete NAME brings it back
chapeta skills trust FOLDER             look at the skills of a project, then trust them (--yes);  distrust FOLDER
chapeta skills write RUN                write the Skill of a run from its training rows (--again: over your changes)
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from chapeta.cli import options
from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.skills.library import Entry

# action: how many words it takes, and which options
ACTIONS: dict[str, tuple[int, tuple[str, ...]]] = {
    "list": (0, ("project", "deleted")),
    "show": (1, ("project",)),
    "save": (2, ()),
    "import": (1, ("name", "description", "over")),
    "use": (2, ("project",)),
    "versions": (1, ()),
    "diff": (3, ()),
    "restore": (2, ()),
    "delete": (1, ()),
    "undelete": (1, ()),
    "trust": (1, ("yes",)),
    "distrust": (1, ()),
    "write": (1, ("again",)),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to do it with")
    parser.add_argument("--project", metavar="DIR", type=Path, help="list, show, use: with the skills of this project")
    parser.add_argument("--deleted", action="store_true", help="list: those that can be brought back")
    parser.add_argument("--name", help="import: another name than its own")
    parser.add_argument("--description", metavar="TEXT", help="import: what it does and when to use it")
    parser.add_argument("--over", action="store_true", help="import: also over a skill of the same name")
    parser.add_argument("--yes", action="store_true", help="trust: without being asked")
    parser.add_argument("--again", action="store_true", help="write: anew, even over changes made by hand")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    action, words = arguments.action, arguments.words
    count, allowed = ACTIONS[action]
    for name in sorted({name for _, names in ACTIONS.values() for name in names} - set(allowed)):
        if getattr(arguments, name):
            raise BadInput(f"`skills {action}` has no --{name}.", "See `chapeta skills --help`.")
    if len(words) != count:
        raise BadInput(f"`skills {action}` takes {count} words, not {len(words)}.", "See `chapeta skills --help`.")
    actions = {
        "list": _list, "show": _show, "save": _save, "import": _import, "use": _use, "versions": _versions, "diff": _diff,
        "restore": _restore, "delete": _delete, "undelete": _undelete, "trust": _trust, "distrust": _distrust,
        "write": _write,
    }  # fmt: skip
    actions[action](arguments)


def _list(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    if arguments.deleted:
        gone = library.deleted()
        if arguments.json:
            options.print_json({"deleted": [{"name": one.name, "at": _time(one.deleted_s)} for one in gone]})
            return
        for one in gone:
            print(f"{_time(one.deleted_s) or '(its versions only)':<20}  {one.name}")
        return
    found = _entries(arguments)
    if arguments.json:
        options.print_json({"skills": [_as_json(entry) for entry in found]})
        return
    if not found:
        print("no skills yet: chapeta skills import PATH, or chapeta app")
    width = max((len(_shown(entry.name)) for entry in found), default=0)
    for entry in found:
        print(f"{_shown(entry.name):<{width}}  {entry.place:<7}  {_state(entry):<8}  {_shown(entry.description)[:100]}")
        for line in _remarks(entry):
            print(f"{'':<{width}}  {_shown(line)}")


def _show(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name = arguments.words[0]
    found = [entry for entry in _entries(arguments) if entry.name == name]
    if not found:
        library.find(name, _projects(arguments))  # says that there is none
    entry = next((entry for entry in found if entry.enabled), found[0])
    text, digest = library.source(entry)
    if arguments.json:
        options.print_json(_as_json(entry) | {"text": text, "sha256": digest})
    else:
        print(text if not sys.stdout.isatty() else "\n".join(map(_shown, text.split("\n"))), end="")


def _save(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name, file = arguments.words
    saved = library.save(name, _text_of(file))
    if arguments.json:
        told = {"name": saved.name, "version": saved.version.number, "sha256": saved.sha256}
        options.print_json(told | {"warnings": list(saved.warnings)})
        return
    print(f"{saved.name}: version {saved.version.number}")
    for warning in saved.warnings:
        print(f"  {_shown(warning)}")


def _import(arguments: argparse.Namespace) -> None:
    from chapeta.skills import bring

    given = {"name": arguments.name or "", "description": arguments.description or ""}
    path = Path(arguments.words[0]).expanduser()
    if path.is_dir() or _is_zip(path):
        take = bring.bring_folder if path.is_dir() else bring.bring_zip
        report = take(path, over=arguments.over, **given)
    else:
        if arguments.over:
            raise BadInput("--over is for folders and ZIP files.", "To change a skill: chapeta skills save NAME FILE.")
        saved = bring.bring_text(_text_of(arguments.words[0]), **given)
        report = bring.Report([bring.Brought(saved.name, "", True, (), saved.warnings)])
    if arguments.json:
        brought = [{"name": one.name, "new": one.is_new, "files": list(one.files), "warnings": list(one.warnings)}
                   for one in report.brought]  # fmt: skip
        left_out = [{"what": what, "why": why} for what, why in report.left_out]
        options.print_json({"brought": brought, "already": report.already, "left_out": left_out, "more": report.more})
        return
    for one in report.brought:
        print(
            f"{'added' if one.is_new else 'changed'}: {one.name}" + (f", {len(one.files)} files" if one.files else "")
        )
        for warning in one.warnings:
            print(f"  {_shown(warning)}")
    for name in report.already:
        print(f"here already: {name}")
    for what, why in report.left_out:
        print(f"left out: {_shown(what)}: {_shown(why)}")
    if report.more:
        print(f"left out: {report.more:,} more")


def _use(arguments: argparse.Namespace) -> None:
    from chapeta.errors import Missing
    from chapeta.skills import library

    name, how = arguments.words
    found = [entry for entry in _entries(arguments) if entry.name == name and not entry.fault]
    if not found:
        raise Missing(f"There is no skill '{name[:80]}'.", "`chapeta skills list` has them.")
    library.use(next((entry for entry in found if entry.enabled), found[0]), None if how == "own" else how)


def _versions(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    found = library.versions(arguments.words[0])
    if arguments.json:
        rows = [{"version": v.number, "at": _time(v.saved_s), "sha256": v.sha256, "note": v.note, "bytes": v.size}
                for v in found]  # fmt: skip
        options.print_json({"versions": rows})
        return
    if not found:
        print("no versions")
    for v in found:
        print(f"{v.number:>4}  {_time(v.saved_s)}  {v.sha256[:16]}  {v.size:>7,} bytes  {_shown(v.note)}".rstrip())


def _diff(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name, before, after = arguments.words
    marks = {"kept": " ", "added": "+", "removed": "-"}
    lines = library.diff(name, _which(before), _which(after))
    if arguments.json:
        rows = [{"kind": line.kind, "text": line.text, "before": line.before, "after": line.after} for line in lines]
        options.print_json({"lines": rows})
    for line in lines if not arguments.json else ():
        print(f"{marks[line.kind]} {_shown(line.text)}")


def _restore(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name, which = arguments.words
    saved = library.restore(name, _which(which))
    print(f"{saved.name}: version {saved.version.number} says what version {which} did")


def _delete(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    library.delete(arguments.words[0])
    print(f"deleted; to bring it back: chapeta skills undelete {arguments.words[0]}")


def _undelete(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    library.undelete(arguments.words[0])


def _trust(arguments: argparse.Namespace) -> None:
    from chapeta.skills import trust

    seen = trust.look(Path(arguments.words[0]))
    if not seen.skills:
        raise BadInput(f"{seen.folder} has no skills.", "They are looked for in .agents/skills and .claude/skills.")
    for skill in seen.skills:
        print(f"{skill.state:<8}  {_shown(skill.name)}  ({_shown(skill.path)})  {_shown(skill.description)[:100]}")
    for path, why in seen.faults:
        print(f"broken    {_shown(path)}: {_shown(why)}")
    if not seen.asks:
        return
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise BadInput("Nobody was there to say yes.", "Read these skills, then trust them with --yes.")
        if input("Models will be told what these skills say. Trust them? [y/N] ").strip().lower() not in ("y", "yes"):
            return
    trust.trust(seen)


def _distrust(arguments: argparse.Namespace) -> None:
    from chapeta.errors import Missing
    from chapeta.skills import trust

    if not trust.distrust(Path(arguments.words[0])):
        raise Missing(f"{arguments.words[0]} was not trusted.", "Give the project's own folder.")


def _write(arguments: argparse.Namespace) -> None:
    from chapeta.cli import skill

    skill.run(argparse.Namespace(run=arguments.words[0], again=arguments.again, json=arguments.json))


def _entries(arguments: argparse.Namespace) -> list[Entry]:
    from chapeta.skills import library

    return library.entries(_projects(arguments))


def _projects(arguments: argparse.Namespace) -> list[Path] | None:
    """The trusted folders, unless one was named."""
    if arguments.project is not None and not arguments.project.is_dir():
        raise BadInput(f"{arguments.project} is no folder.", "Give a project's folder.")
    return None if arguments.project is None else [arguments.project]


def _as_json(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name, "description": entry.description, "folder": str(entry.folder), "place": entry.place,
        "enabled": entry.enabled, "use": entry.use, "warnings": list(entry.warnings), "fault": entry.fault,
        "needs_trust": entry.needs_trust, "shadowed_by": str(entry.shadowed_by) if entry.shadowed_by else None,
        "sha256": entry.sha256,
    }  # fmt: skip


def _state(entry: Entry) -> str:
    if entry.fault:
        return "broken"
    if entry.needs_trust:
        return "asks"
    return "hidden" if entry.shadowed_by else entry.use


def _remarks(entry: Entry) -> list[str]:
    remarks = [entry.fault] if entry.fault else []
    if entry.needs_trust:
        remarks.append(f"not trusted, or changed: chapeta skills trust {entry.project}")
    if entry.shadowed_by:
        remarks.append(f"{entry.shadowed_by} goes before it")
    return [*remarks, *entry.warnings]


def _text_of(file: str) -> str:
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


def _is_zip(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _which(word: str) -> int | str:
    """A version's number, or its hash: eight digits are the shortest of those."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 8 else word


def _time(moment: float | None) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment is not None else ""


def _shown(text: str) -> str:
    """Text that anybody may have written, without what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)
