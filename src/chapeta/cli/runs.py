"""chapeta runs                 the runs in the data directory, newest first
chapeta runs remove NAME     remove a run's folder; what it deployed goes on answering
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
from pathlib import Path

from chapeta.cli import options
from chapeta.errors import BadInput, ChapetaError
from chapeta.types import Json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", choices=("list", "remove"), default="list", help="list (default) or remove"
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="which run to remove")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta import config

    if arguments.action == "list" and arguments.run:
        raise BadInput(f"`runs list` takes no name, but '{arguments.run}' was given.", "Leave it out.")
    if arguments.action == "remove":
        _remove(arguments)
        return
    files = sorted(config.runs_dir().glob("*/run.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    rows = [_about(file.parent) for file in files]
    if arguments.json:
        options.print_json({"runs": rows})
        return
    for row in rows:
        print(f"{row['name']:<24} {row['use'] or 'not decided yet':<16} {row['source']}")
    if not rows:
        print("no runs yet: chapeta specialize FILE")


def _about(folder: Path) -> Json:
    """Name, source and verdict of a run."""
    from chapeta.stages.run import Run

    about: Json = {"name": folder.name, "source": "unreadable", "use": None, "advice": None, "folder": str(folder)}
    with contextlib.suppress(ChapetaError, TypeError, KeyError):  # a damaged run does not hide the others
        opened = Run.open(str(folder))
        about |= {"name": opened.settings.name, "source": opened.settings.source}
        if (folder / "verdict.json").exists():
            verdict = opened.read("verdict.json", "verdict")
            about |= {"use": verdict["use"], "advice": verdict["advice"]}
    return about


def _remove(arguments: argparse.Namespace) -> None:
    from chapeta.stages.run import Run

    if not arguments.run:
        raise BadInput("`runs remove` needs a name.", "`chapeta runs` shows them.")
    opened = Run.open(arguments.run)
    shutil.rmtree(opened.folder)
    if arguments.json:
        options.print_json({"removed": opened.settings.name, "kind": "run"})
    else:
        print(f"removed: run {opened.folder}")
