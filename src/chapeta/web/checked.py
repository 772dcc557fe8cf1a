"""What a check of examples has found, as lines for people; the terminal says the same in its own way."""

from __future__ import annotations

from chapeta.examples.check import CheckReport

Line = tuple[str, str]  # how bad ("", "warn", "bad"), and what


def lines(report: CheckReport) -> list[Line]:
    """The most important first."""
    found: list[Line] = [("", f"{report.good:,} good examples of {report.rows:,} ({report.format})")]
    for reason, count in list(report.bad_by_reason.items())[:6]:
        found.append(("bad", f"{count:,} bad: {reason}"))
    if report.conflicts:
        found.append(("warn", f"{report.conflicts:,} questions have different answers"))
    if report.near_conflicts:
        found.append(("warn", f"{report.near_conflicts:,} groups of nearly the same question have different answers"))
    if report.exact_duplicates or report.near_duplicates:
        found.append(("", f"{report.exact_duplicates:,} repeat another, {report.near_duplicates:,} nearly do"))
    for kind, count in report.findings_by_kind.items():
        found.append(("warn", f"{count:,} × {kind}: look whether they may be learned"))
    if report.labels:
        shown = ", ".join(f"{label} ({count:,})" for label, count in list(report.labels.items())[:8])
        found.append(("", f"{len(report.labels):,} labels: {shown}{' …' if len(report.labels) > 8 else ''}"))
    return found
