"""Progress and tables in the terminal. Progress goes to standard error, so that `--json` on standard output stays clean."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from chapeta.progress import Progress

if TYPE_CHECKING:
    from chapeta.specialize import Outcome

PLAIN_EVERY_S = 10.0


def progress(quiet: bool = False) -> Drawn | Plain | Silent:
    """Bars on a terminal, a line now and then elsewhere, nothing when quiet. Use it in a `with` block."""
    if quiet:
        return Silent()
    return Drawn() if sys.stderr.isatty() else Plain()


class Silent(Progress):
    """Says nothing."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Plain(Silent):
    """Lines for logs and pipes: each stage, and how far it is every ten seconds."""

    def __init__(self) -> None:
        self._title = ""
        self._last = 0.0

    def stage(self, title: str) -> None:
        self._title = title
        self._last = time.monotonic()
        self.say(f"== {title}")

    def advance(self, done: float, total: float, note: str = "") -> None:
        if time.monotonic() - self._last > PLAIN_EVERY_S:
            self._last = time.monotonic()
            share = f"{done / total:.0%}" if total else f"{done:g}"
            self.say(f"{self._title} {share} {note}".rstrip())

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Drawn(Silent):
    """One bar a stage, with its figures and the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._console = Console(stderr=True, highlight=False)
        title = TextColumn("[bold]{task.description:<16}")
        note = TextColumn("[dim]{task.fields[note]}")
        elapsed, left = TimeElapsedColumn(), TimeRemainingColumn(compact=True)
        self._bars = Bars(SpinnerColumn(), title, BarColumn(24), elapsed, left, note, console=self._console)
        self._task: object = None

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()

    def stage(self, title: str) -> None:
        self._finish()
        self._task = self._bars.add_task(title, total=None, note="")

    def advance(self, done: float, total: float, note: str = "") -> None:
        self._bars.update(self._task, completed=done, total=total or None, note=note)  # type: ignore[arg-type]

    def say(self, line: str) -> None:
        from rich.text import Text

        self._console.print(Text(f"  {line}", style="dim"))

    def _finish(self) -> None:
        if self._task is not None:
            task = next(t for t in self._bars.tasks if t.id == self._task)
            total = task.total or 1.0
            self._bars.update(self._task, completed=total, total=total)  # type: ignore[arg-type]
            self._bars.stop_task(self._task)  # type: ignore[arg-type]


def show_outcome(outcome: Outcome) -> None:
    """The table, the verdict in words and the paths, on standard output; readable in 80 columns and in a log."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from chapeta.bench.report.words import interval, percent, points, usd

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    bench, verdict = outcome.bench, outcome.verdict
    title = f"{bench.task}: {bench.metric.replace('_', ' ')} on {bench.n_test} test rows"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("candidate", "score", "95 %", "tokens", "$/1k", "p50/p95 ms", "flex."):
        table.add_column(heading, justify="left" if heading == "candidate" else "right", no_wrap=True)
    for c in bench.candidates:
        name = f"[bold green]{escape(c.name)} ←[/]" if c.name == verdict.use else escape(c.name)
        price = "local" if c.usd_per_1000_calls == 0 else usd(c.usd_per_1000_calls)
        tokens, times = f"{c.tokens_in:.0f}+{c.tokens_out:.0f}", f"{c.latency_p50_ms:.0f}/{c.latency_p95_ms:.0f}"
        change = points(c.flexibility.value).removesuffix(" points") if c.flexibility else "–"
        table.add_row(name, percent(c.score.value), interval(c.score), tokens, price, times, change)
    console.print(table)
    console.print(
        "tokens: in + out a call; $/1k: a thousand calls; flex.: points of general ability won or lost by tuning\n",
        style="dim",
    )
    label = " (indicative: fewer than 100 test rows)" if verdict.indicative else ""
    console.print(f"[bold]Verdict: {verdict.advice}; {escape(verdict.use)}[/]{label}")
    for reason in (*verdict.reasons, *bench.notes):
        console.print(f"  • {escape(reason)}")
    console.print(f"\nReport   {outcome.report}\nReceipt  {outcome.receipt}", soft_wrap=True, markup=False)
    if outcome.deployment:
        console.print(
            f'Deployed {outcome.deployment}: chapeta ask {outcome.deployment} "…"', soft_wrap=True, markup=False
        )
