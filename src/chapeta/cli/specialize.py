"""The same command again goes on where it was stopped, and does only what has changed.

chapeta specialize examples/support-triage.jsonl
chapeta specialize tickets.csv --input text --output label --candidates base,skill,tuned
"""

from __future__ import annotations

import argparse

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_run(parser)
    options.add_yes(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    settings = options.settings_of(arguments)
    from chapeta.cli.approve import approval
    from chapeta.cli.draw import progress, show_outcome
    from chapeta.specialize import specialize
    from chapeta.stages.run import Run

    with progress() as listener:
        outcome = specialize(
            Run.create(settings, arguments.out), listener, approval(arguments, settings.budget_usd, listener)
        )
    if arguments.json:
        options.print_json(outcome.to_json())
    else:
        show_outcome(outcome)
