"""Ends with exit code 3 when more rows are bad than --accept-bad allows.

chapeta check tickets.csv
zcat tickets.jsonl.gz | chapeta check -
"""

from __future__ import annotations

import argparse

from chapeta import config
from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="examples: JSONL, CSV, TSV, Parquet, also gzipped; - is standard input"
    )
    options.add_reading(parser)
    parser.add_argument("--model", metavar="ID", default=config.DEFAULT_MODEL, help="whose tokens are counted")
    parser.add_argument("--all", action="store_true", help="show every bad row, not only the first ones")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.cli.show_check import show_check
    from chapeta.examples.columns import Columns
    from chapeta.gateway.door import Gateway
    from chapeta.stages.prepare import check_file

    columns = Columns(arguments.input, arguments.output, arguments.group, arguments.weight)
    with Gateway() as gateway, progress(quiet=arguments.json) as listener:
        report = check_file(arguments.file, columns, arguments.accept_bad, arguments.model, gateway, listener)
        context_tokens = gateway.context_tokens(arguments.model)
    if arguments.json:
        options.print_json(report.to_json())
    else:
        show_check(report, arguments.all, context_tokens)
    report.require_good()
