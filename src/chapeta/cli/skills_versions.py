"""What `chapeta skills` does with versions and with what was deleted: list, compare, go back, bring back."""

from __future__ import annotations

import argparse

from chapeta.cli import options
from chapeta.cli.skills_words import iso, shown, which


def versions(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    found = library.versions(arguments.words[0])
    if arguments.json:
        rows = [{"version": v.number, "at": iso(v.saved_s), "sha256": v.sha256, "note": v.note, "bytes": v.size}
                for v in found]  # fmt: skip
        options.print_json({"versions": rows})
        return
    if not found:
        print("no versions")
    for v in found:
        print(f"{v.number:>4}  {iso(v.saved_s)}  {v.sha256[:16]}  {v.size:>7,} bytes  {shown(v.note)}".rstrip())


def diff(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name, before, after = arguments.words
    marks = {"kept": " ", "added": "+", "removed": "-"}
    lines = library.diff(name, which(before), which(after))
    if arguments.json:
        rows = [{"kind": line.kind, "text": line.text, "before": line.before, "after": line.after} for line in lines]
        options.print_json({"lines": rows})
    for line in lines if not arguments.json else ():
        print(f"{marks[line.kind]} {shown(line.text)}")


def restore(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    name, word = arguments.words
    saved = library.restore(name, which(word))
    print(f"{saved.name}: version {saved.version.number} says what version {word} did")


def delete(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    library.delete(arguments.words[0])
    print(f"deleted; to bring it back: chapeta skills undelete {arguments.words[0]}")


def undelete(arguments: argparse.Namespace) -> None:
    from chapeta.skills import library

    library.undelete(arguments.words[0])
