"""What your calls used and cost, from the ledger. Costs that nobody reports are counted apart, never as 0; days are UTC.

chapeta usage                          by model, all time
chapeta usage --by day --since 7d      the last seven days
chapeta usage --by key --since 2026-11-01 --json
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from chapeta.cli import options
from chapeta.gateway.ledger.usage import GROUPS

if TYPE_CHECKING:
    from chapeta.gateway.ledger.usage import UsageReport, Used
    from chapeta.storage.database import Database

WITHOUT = {"key": "(no key)", "deployment": "(no deployment)", "model": "(no model)", "provider": "(no provider)"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", choices=GROUPS, default="model", help="what to group by (model); key: the access key")
    parser.add_argument("--since", metavar="TIME", help="how long ago (24h, 7d, 4w), or a day such as 2026-11-01")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.gateway.ledger.usage import parse_since, usage
    from chapeta.storage.database import open_database

    since = parse_since(arguments.since) if arguments.since else None
    with open_database() as database:
        _import_waiting(database)
        report = usage(database, arguments.by, since)
    if arguments.json:
        options.print_json(_as_json(report))
    elif report.rows:
        _draw(report)
    else:
        print("no calls since then" if since else 'no calls yet: chapeta ask MODEL "…"')


def _import_waiting(database: Database) -> None:
    """Brings in the rows that short-lived processes left; says so where the database does not take them."""
    from chapeta.errors import ChapetaError
    from chapeta.gateway.ledger import import_journal

    try:
        import_journal(database)
    except (ChapetaError, OSError) as error:
        print(f"chapeta: some calls still wait and are not counted: {error}", file=sys.stderr)


def _as_json(report: UsageReport) -> dict[str, object]:
    from datetime import UTC, datetime

    def fields(used: Used) -> dict[str, object]:
        values = asdict(used)
        del values["group"]
        return values

    since = None if report.since is None else datetime.fromtimestamp(report.since, UTC).isoformat(timespec="seconds")
    rows = [{report.by: row.group or None, **fields(row)} for row in report.rows]
    return {"by": report.by, "since": since, "rows": rows, "total": fields(report.total)}


def _draw(report: UsageReport) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_footer=True)
    heading = "day (UTC)" if report.by == "day" else report.by
    table.add_column(heading, "total", overflow="fold", min_width=16)
    columns = ("calls", "errors", "in", "out", "cached", "cost", "p50/p95 ms", "first")
    for name, footer in zip(columns, _cells(report.total), strict=True):
        table.add_column(name, footer, justify="right", no_wrap=True)
    for row in report.rows:
        table.add_row(escape(row.group or WITHOUT.get(report.by, "")), *_cells(row))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)  # logs and pipes get whole lines
    console.print(table)
    told = "in, out, cached: tokens; p50/p95: latency of answered calls; first: first token, p50"
    if unknown := report.total.cost_unknown_calls:
        told += f"; ?: calls whose cost nobody knows ({unknown:,}), not in the sums"
    console.print(told, style="dim")


def _cells(row: Used) -> tuple[str, ...]:
    counts = (row.calls, row.errors, row.tokens_in, row.tokens_out, row.tokens_cached)
    times = f"{_number(row.latency_p50_ms)}/{_number(row.latency_p95_ms)}"
    return (*map(_number, counts), _cost(row), times, _number(row.first_token_p50_ms))


def _cost(row: Used) -> str:
    """The sum that is known, and how many calls are not in it: `$1.20 + 3?`."""
    from chapeta.gateway.ledger.limits import money

    unknown = f"{row.cost_unknown_calls:,}?" if row.cost_unknown_calls else ""
    known = "" if row.usd is None else money(row.usd)
    return " + ".join(part for part in (known, unknown) if part) or "–"


def _number(value: float | None) -> str:
    """At most six characters wide: 99,999, 1.23M; a dash where nobody said."""
    if value is None:
        return "–"
    if round(value) < 100_000:
        return f"{value:,.0f}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if value < 999.5 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.2g}"
