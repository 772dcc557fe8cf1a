"""`chapeta skills trust` and `distrust`: whose instructions models are given is for the user to say."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from chapeta.cli.skills_words import shown
from chapeta.errors import BadInput


def trust_folder(arguments: argparse.Namespace) -> None:
    from chapeta.skills import trust

    seen = trust.look(Path(arguments.words[0]))
    if not seen.skills:
        raise BadInput(f"{seen.folder} has no skills.", "They are looked for in .agents/skills and .claude/skills.")
    for skill in seen.skills:
        print(f"{skill.state:<8}  {shown(skill.name)}  ({shown(skill.path)})  {shown(skill.description)[:100]}")
    for path, why in seen.faults:
        print(f"broken    {shown(path)}: {shown(why)}")
    if not seen.asks:
        return
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise BadInput("Nobody was there to say yes.", "Read these skills, then trust them with --yes.")
        if input("Models will be told what these skills say. Trust them? [y/N] ").strip().lower() not in ("y", "yes"):
            return
    trust.trust(seen)


def distrust(arguments: argparse.Namespace) -> None:
    from chapeta.errors import Missing
    from chapeta.skills import trust

    if not trust.distrust(Path(arguments.words[0])):
        raise Missing(f"{arguments.words[0]} was not trusted.", "Give the project's own folder.")
