"""Lets every candidate of a run answer its test rows; answers that are known already are not asked for again.
Draws the report and packs the receipt; deploys nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument("--candidates", metavar="A,B", help="which to compare, from now on")
    parser.add_argument("--model", metavar="ID", action="append", help="of which models, from now on; may be repeated")
    parser.add_argument("--limit-minutes", type=float, metavar="N", help="answer as many test rows as fit this time")
    options.add_yes(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.cli.approve import approval
    from chapeta.cli.draw import progress, show_outcome
    from chapeta.specialize import Outcome, prove
    from chapeta.stages.run import Run

    opened = Run.open(arguments.run)
    changes: dict[str, Any] = {}
    if arguments.candidates:
        changes["candidates"] = tuple(c.strip() for c in arguments.candidates.split(","))
    if arguments.model:
        changes["models"] = tuple(dict.fromkeys(arguments.model))
    if arguments.limit_minutes:
        changes["limit_minutes"] = arguments.limit_minutes
    opened = Run.create(dataclasses.replace(opened.settings, **changes), opened.folder)
    with progress() as listener:
        bench, verdict = prove(opened, listener, False, approval(arguments, opened.settings.budget_usd, listener))
    outcome = Outcome(bench, verdict, opened.folder / "report.html", opened.folder / "receipt", "")
    if arguments.json:
        options.print_json(outcome.to_json())
    else:
        show_outcome(outcome)
