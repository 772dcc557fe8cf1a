"""Everything of yours in one file: chats, usage, skills, datasets, deployments. Never keys.

chapeta backup chapeta.zip
"""

from __future__ import annotations

import argparse
from pathlib import Path

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the file to write, such as chapeta.zip")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.storage.backup import back_up_to
    from chapeta.storage.database import open_database

    with open_database() as database, progress() as listener:
        done = back_up_to(database, arguments.file, listener)
    if arguments.json:
        options.print_json(
            {"file": str(done.path), "bytes": done.size, "counts": done.counts, "left_out": done.left_out}
        )
        return
    what = ", ".join(f"{count:,} {name}" for name, count in done.counts.items() if count)
    print(f"{done.path}: {what or 'nothing yet'} ({done.size / 1e6:.1f} MB)")
