"""Adds what a backup holds and is missing here. What is here stays as it is: nothing is overwritten.

chapeta restore chapeta.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="a file that `chapeta backup` has written")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.storage.backup import restore_from
    from chapeta.storage.database import open_database

    with open_database() as database, progress() as listener:
        done = restore_from(database, arguments.file, listener)
    if arguments.json:
        options.print_json({"added": done.added, "already": done.already, "refused": done.refused})
        return
    added = ", ".join(f"{count:,} {name}" for name, count in done.added.items() if count)
    print(f"added: {added or 'nothing'}; here already: {sum(done.already.values()):,}")
    for why, count in done.refused.items():
        print(f"  not taken: {count:,} {why}")
