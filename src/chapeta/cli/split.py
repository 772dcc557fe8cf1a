"""Begins a run: the other commands take its name.

chapeta split tickets.csv --name tickets
chapeta skills write tickets
chapeta tune tickets
chapeta bench tickets
chapeta verdict tickets
chapeta deploy tickets
"""

from __future__ import annotations

import argparse

from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_run(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    settings = options.settings_of(arguments)
    from chapeta.cli.draw import progress
    from chapeta.gateway.door import Gateway
    from chapeta.stages.prepare import split_file
    from chapeta.stages.run import Run

    opened = Run.create(settings, arguments.out)
    with Gateway() as gateway, progress(quiet=arguments.json) as listener:
        splits = split_file(opened, gateway, listener)
    if arguments.json:
        options.print_json({"run": str(opened.folder), **splits.report.to_json()})
    else:
        print(opened.folder)
