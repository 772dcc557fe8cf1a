"""chapeta skills list                     all skills, how each is used, and what is wrong with those that are broken
chapeta skills show NAME                what a skill says
chapeta skills save NAME FILE           write a skill from a text with a head (- is standard input)
chapeta skills import PATH              from a folder, a ZIP or a text; --name, --description, --over
chapeta skills use NAME HOW             off, hand (you pick it), model (a model may choose it), always, own
chapeta skills versions NAME            all that was saved;  diff NAME A B;  restore NAME N
chapeta skills score NAME DATASET       how well versions do on the rows of a dataset that are held back
chapeta skills delete NAME              take it out of the library;  undelete NAME brings it back
chapeta skills trust FOLDER             look at the skills of a project, then trust them (--yes);  distrust FOLDER
chapeta skills write RUN                write the Skill of a run from its training rows (--again: over your changes)
"""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass
from pathlib import Path

from chapeta.cli import options
from chapeta.errors import BadInput


@dataclass(frozen=True, slots=True)
class Action:
    """What `chapeta skills` can do: how many words it takes, which options, and the function that does it."""

    words: int
    options: tuple[str, ...]
    module: str
    function: str


ACTIONS = {
    "list": Action(0, ("project", "deleted"), "skills_list", "list_skills"),
    "show": Action(1, ("project",), "skills_list", "show"),
    "save": Action(2, (), "skills_import", "save"),
    "import": Action(1, ("name", "description", "over"), "skills_import", "import_"),
    "use": Action(2, ("project",), "skills_list", "use"),
    "versions": Action(1, (), "skills_versions", "versions"),
    "diff": Action(3, (), "skills_versions", "diff"),
    "restore": Action(2, (), "skills_versions", "restore"),
    "score": Action(2, ("model", "versions", "rows", "yes"), "skills_score", "score"),
    "delete": Action(1, (), "skills_versions", "delete"),
    "undelete": Action(1, (), "skills_versions", "undelete"),
    "trust": Action(1, ("yes",), "skills_trust", "trust_folder"),
    "distrust": Action(1, (), "skills_trust", "distrust"),
    "write": Action(1, ("again",), "skills_write", "write"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to do it with")
    parser.add_argument("--project", metavar="DIR", type=Path, help="list, show, use: with the skills of this project")
    parser.add_argument("--deleted", action="store_true", help="list: those that can be brought back")
    parser.add_argument("--name", help="import: another name than its own")
    parser.add_argument("--description", metavar="TEXT", help="import: what it does and when to use it")
    parser.add_argument("--over", action="store_true", help="import: also over a skill of the same name")
    parser.add_argument("--model", metavar="ID", help="score: which model answers (the embedded one)")
    parser.add_argument("--versions", metavar="1,2", help="score: which versions (the newest)")
    parser.add_argument("--rows", metavar="N", type=int, help="score: at most so many rows (300)")
    parser.add_argument("--yes", action="store_true", help="trust, score: without being asked")
    parser.add_argument("--again", action="store_true", help="write: anew, even over changes made by hand")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    name, words = arguments.action, arguments.words
    action = ACTIONS[name]
    every = {option for one in ACTIONS.values() for option in one.options}
    for option in sorted(every - set(action.options)):
        if getattr(arguments, option):
            raise BadInput(f"`skills {name}` has no --{option}.", "See `chapeta skills --help`.")
    if len(words) != action.words:
        raise BadInput(f"`skills {name}` takes {action.words} words, not {len(words)}.", "See `chapeta skills --help`.")
    getattr(importlib.import_module(f"chapeta.cli.{action.module}"), action.function)(arguments)
