"""`chapeta skills list`, `show` and `use`: what there is, what it says, and how it is used."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from chapeta.cli import options
from chapeta.cli.skills_words import entries, iso, projects, shown

if TYPE_CHECKING:
    from chapeta.skills.library import Entry


def list_skills(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    if arguments.deleted:
        gone = library.deleted()
        if arguments.json:
            options.print_json({"deleted": [{"name": one.name, "at": iso(one.deleted_s)} for one in gone]})
            return
        for one in gone:
            print(f"{iso(one.deleted_s) or '(its versions only)':<20}  {one.name}")
        return
    found = entries(arguments)
    if arguments.json:
        options.print_json({"skills": [_as_json(entry) for entry in found]})
        return
    if not found:
        print("no skills yet: chapeta skills import PATH, or chapeta app")
    width = max((len(shown(entry.name)) for entry in found), default=0)
    for entry in found:
        print(f"{shown(entry.name):<{width}}  {entry.place:<7}  {_state(entry):<8}  {shown(entry.description)[:100]}")
        for line in _remarks(entry):
            print(f"{'':<{width}}  {shown(line)}")


def show(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name = arguments.words[0]
    found = [entry for entry in entries(arguments) if entry.name == name]
    if not found:
        library.find(name, projects(arguments))  # says that there is none
    entry = next((entry for entry in found if entry.enabled), found[0])
    text, digest = library.source(entry)
    if arguments.json:
        options.print_json(_as_json(entry) | {"text": text, "sha256": digest})
    else:
        print(text if not sys.stdout.isatty() else "\n".join(map(shown, text.split("\n"))), end="")


def use(arguments: argparse.Namespace) -> None:
    from chapeta.errors import Missing
    from chapeta.skills import library

    name, how = arguments.words
    found = [entry for entry in entries(arguments) if entry.name == name and not entry.fault]
    if not found:
        raise Missing(f"There is no skill '{name[:80]}'.", "`chapeta skills list` has them.")
    library.use(next((entry for entry in found if entry.enabled), found[0]), None if how == "own" else how)


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
