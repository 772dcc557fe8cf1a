"""`chapeta skills save` and `chapeta skills import`: text, folders and ZIP files become skills of ours."""

from __future__ import annotations

import argparse
from pathlib import Path

from chapeta.cli import options
from chapeta.cli.skills_words import shown, text_of
from chapeta.errors import BadInput


def save(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name, file = arguments.words
    saved = library.save(name, text_of(file))
    if arguments.json:
        told = {"name": saved.name, "version": saved.version.number, "sha256": saved.sha256}
        options.print_json(told | {"warnings": list(saved.warnings)})
        return
    print(f"{saved.name}: version {saved.version.number}")
    for warning in saved.warnings:
        print(f"  {shown(warning)}")


def import_(arguments: argparse.Namespace) -> None:
    from chapeta.skills import bring

    given = {"name": arguments.name or "", "description": arguments.description or ""}
    path = Path(arguments.words[0]).expanduser()
    if path.is_dir() or _is_zip(path):
        take = bring.bring_folder if path.is_dir() else bring.bring_zip
        report = take(path, over=arguments.over, **given)
    else:
        if arguments.over:
            raise BadInput("--over is for folders and ZIP files.", "To change a skill: chapeta skills save NAME FILE.")
        saved = bring.bring_text(text_of(arguments.words[0]), **given)
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
            print(f"  {shown(warning)}")
    for name in report.already:
        print(f"here already: {name}")
    for what, why in report.left_out:
        print(f"left out: {shown(what)}: {shown(why)}")
    if report.more:
        print(f"left out: {report.more:,} more")


def _is_zip(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(2) == b"PK"
