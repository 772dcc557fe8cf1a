"""Decides from the figures of the bench, by another margin if you like; report and receipt follow."""

from __future__ import annotations

import argparse

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument("--margin", type=float, help="loss of score accepted for a cheaper candidate (as in the run)")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import show_outcome
    from chapeta.specialize import Outcome
    from chapeta.stages.conclude import decide_again
    from chapeta.stages.run import Run

    opened = Run.open(arguments.run)
    bench, verdict = decide_again(opened, arguments.margin)
    outcome = Outcome(bench, verdict, opened.folder / "report.html", opened.folder / "receipt", "")
    if arguments.json:
        options.print_json(outcome.to_json())
    else:
        show_outcome(outcome)
