"""The page that `chapeta check` prints: what a file of examples holds and what is wrong with it, for 80 columns.

Everything that comes from the file is printed as plain text: brackets in it are no markup, and control characters,
which could rewrite the terminal, are replaced. Lines that show data are cut at the edge; advice is wrapped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from chapeta.bench.report.words import percent
from chapeta.examples.check import CONTEXT_TOKENS, KEPT_BAD_ROWS, KEPT_CLUSTERS, LINES_OF_A_CLUSTER, CheckReport
from chapeta.examples.rows import BadRow

SHOWN_BAD_ROWS = 10
SHOWN_GROUPS = 5
SHOWN_FINDINGS = 5
SHOWN_LABELS = 20
BAR_CELLS = 30
LABEL_CELLS = 28

Line = tuple[int, Text]
"""Cells of indentation, and what stands there."""


def show_check(report: CheckReport, every: bool, context_tokens: int = CONTEXT_TOKENS) -> None:
    """Print the page to standard output. `every`: all rows, groups and labels the report holds, not the first ones."""
    console = Console(highlight=False)
    sections = (
        ("", _counts(report)),
        ("Bad rows", _bad_rows(report, every)),
        ("Repeated rows", _repeated(report, every)),
        ("Contradictions", _contradictions(report, every)),
        ("Secrets and personal data", _findings(report, every)),
        ("Lengths", _lengths(report, context_tokens)),
        ("Labels", _labels(report.labels or {}, report.good, every)),
        *((f"Values of {name}", _labels(counts, report.good, every)) for name, counts in (report.fields or {}).items()),
    )
    for title, lines in sections:
        shown = list(lines)
        if title and shown:
            console.print()
            console.print(_cut(title, "bold"))
        for indent, text in shown:
            console.print(Padding(text, (0, 0, 0, indent), expand=False))


def _counts(report: CheckReport) -> Iterator[Line]:
    yield 0, _cut(report.source, "bold")
    yield 2, _cut(report.format)
    yield 2, Text(f"{_number(report.rows, 'row')}: {report.good:,} good, {report.bad:,} bad")
    if report.bad:
        too_many = report.bad_share > report.accepted_bad_share or not report.good
        text = f"{percent(report.bad_share)} are bad; accepted are {percent(report.accepted_bad_share)}"
        yield 2, Text(text, style="red" if too_many else "")


def _bad_rows(report: CheckReport, every: bool) -> Iterator[Line]:
    """Each reason with its remedy and some of its rows: about ten in all, and at least one of each."""
    share = max(1, SHOWN_BAD_ROWS // max(1, len(report.bad_by_reason)))
    for reason, count in report.bad_by_reason.items():
        rows = [row for row in report.bad_rows if row.reason == reason]
        shown = rows if every else rows[:share]
        yield 2, Text.assemble((reason, "red"), f" ({_number(count, 'row')})")
        for remedy in dict.fromkeys(row.remedy for row in shown):
            yield 2, Text(_safe(remedy), style="dim")
        yield from _rows(shown)
        yield from _more(count - len(shown), every)
    if every and report.bad > len(report.bad_rows):
        yield 2, Text(f"Only the first {KEPT_BAD_ROWS:,} bad rows are kept.", style="dim")


def _rows(rows: Sequence[BadRow]) -> Iterator[Line]:
    """A line for each row with something to show; the lines of the others in one list."""
    for row in rows:
        if row.value:
            yield 4, _datum(row.line, row.value)
    empty = [str(row.line) for row in rows if not row.value]
    if empty:
        yield 4, Text("line " + empty[0] if len(empty) == 1 else "lines " + ", ".join(empty))


def _repeated(report: CheckReport, every: bool) -> Iterator[Line]:
    exact, near = report.exact_duplicates, report.near_duplicates
    if exact or near:
        yield 2, Text(f"{_number(exact, 'exact duplicate')}, {_number(near, 'near duplicate')}", style="yellow")
        yield from _groups(report.near_clusters, every)
    else:
        yield 2, Text("none")
    if report.leakage_removed is not None:
        text = f"{_number(report.leakage_removed, 'training row')} left out by the split: too close to a test row"
        yield 2, Text(text)


def _contradictions(report: CheckReport, every: bool) -> Iterator[Line]:
    if report.conflicts:
        yield 2, Text(f"{_number(report.conflicts, 'input')} with different answers", style="yellow")
        yield from _groups(report.conflict_lines, every)
    if report.near_conflicts > report.conflicts:
        yield 2, Text(f"{_number(report.near_conflicts, 'group')} of equal or similar rows with different answers")
    if report.conflicts or report.near_conflicts:
        yield 2, Text("Keep the right answer of each: a model cannot learn both.", style="dim")
    else:
        yield 2, Text("none")


def _findings(report: CheckReport, every: bool) -> Iterator[Line]:
    """By kind, values as the report masks them."""
    for kind, count in report.findings_by_kind.items():
        found = [finding for finding in report.findings if finding.kind == kind]
        shown = found if every else found[:SHOWN_FINDINGS]
        yield 2, Text(f"Warning: {kind}, {count:,} found", style="yellow")
        for finding in shown:
            yield 4, _datum(finding.line, finding.value)
        yield from _more(count - len(shown), every)
    if report.findings_by_kind:
        advice = "A tuned model can repeat what it saw: remove them unless they are invented."
        yield 2, Text(advice, style="dim")
    else:
        yield 2, Text("none")


def _lengths(report: CheckReport, context_tokens: int) -> Iterator[Line]:
    lengths = report.lengths
    if lengths is None:
        return
    for name, tokens in (("shortest", lengths.min), ("median", lengths.median), ("95 % up to", lengths.p95)):
        yield 2, Text(f"{name:<11}{tokens:>8,} tokens")
    share = percent(lengths.max / context_tokens)
    yield 2, Text(f"{'longest':<11}{lengths.max:>8,} tokens, {share} of the context of {context_tokens:,}")
    if not lengths.exact:
        yield 2, Text("Estimated from the bytes of the text.", style="dim")
    if lengths.sampled < report.good:
        yield 2, Text(f"Measured on a random {lengths.sampled:,} of the good rows.", style="dim")


def _labels(labels: Mapping[str, int], rows: int, every: bool) -> Iterator[Line]:
    """A bar for each value, as long as its share of the most frequent one."""
    if not labels:
        return
    shown = list(labels.items()) if every else list(labels.items())[:SHOWN_LABELS]
    width = min(LABEL_CELLS, max(cell_len(_safe(label)) for label, _ in shown))
    most = max(labels.values())
    for label, count in shown:
        bar = f"{'█' * max(1, round(BAR_CELLS * count / most)):<{BAR_CELLS}}"
        yield 2, Text.assemble(_label(label, width), "  ", (bar, "cyan"), f" {count:>7,} {percent(count / rows, 0):>5}")
    if most == rows:
        yield 2, Text("Every row has the same value: there is nothing to learn.", style="yellow")
    rest = len(labels) - len(shown)
    if rest:
        yield 4, Text(f"and {rest:,} more; the rarest has {_number(min(labels.values()), 'row')}")


def _label(label: str, width: int) -> str:
    """The label in exactly `width` cells of the terminal (some characters take two)."""
    safe = _safe(label)
    return set_cell_size(safe, width) if cell_len(safe) <= width else set_cell_size(safe, width - 1) + "…"


def _groups(groups: Sequence[tuple[int, ...]], every: bool) -> Iterator[Line]:
    shown = groups if every else groups[:SHOWN_GROUPS]
    for group in shown:
        open_end = " …" if len(group) == LINES_OF_A_CLUSTER else ""
        yield 4, Text("lines " + ", ".join(map(str, group)) + open_end)
    if len(groups) > len(shown):
        yield 4, Text("and more groups; --all shows them", style="dim")
    elif every and len(groups) == KEPT_CLUSTERS:
        yield 4, Text(f"Only the first {KEPT_CLUSTERS} groups are kept.", style="dim")


def _more(hidden: int, every: bool) -> Iterator[Line]:
    if hidden > 0:
        yield 4, Text(f"and {hidden:,} more" + ("" if every else "; --all shows them"), style="dim")


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _datum(line: int, value: str) -> Text:
    return Text(f"line {line:<7} {_safe(value)}", no_wrap=True, overflow="ellipsis")


def _cut(text: str, style: str = "") -> Text:
    """One line that ends in … where the terminal does."""
    return Text(_safe(text), style=style, no_wrap=True, overflow="ellipsis")


def _safe(text: str) -> str:
    """The text on one line, with � for what a terminal would obey instead of print."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))
