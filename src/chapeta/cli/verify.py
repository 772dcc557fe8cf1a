"""Checks every file against its hash and recomputes every figure from the answers; ends with an error at the first
that does not agree.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("receipt", metavar="RECEIPT", help="the receipt's folder, or the run's name or folder")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.stages.run import Run
    from chapeta.stages.verify import verify

    folder = Path(arguments.receipt)
    if not (folder / "receipt.json").exists():
        folder = Run.open(arguments.receipt).folder / "receipt"
    checked = verify(folder)
    if arguments.json:
        options.print_json({"ok": True, **dataclasses.asdict(checked)})
    else:
        line = f"{checked.files} files, {checked.answers:,} answers and {checked.figures:,} figures agree."
        print(line)
