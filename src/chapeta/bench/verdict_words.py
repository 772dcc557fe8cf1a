"""Puts what the verdict's rule found into sentences with figures: shares in per cent, differences in points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chapeta.bench.results import CandidateResult, Estimate


@dataclass(frozen=True, slots=True)
class Finding:
    """What the rule found. cheaper: candidates cheaper than the winner, the cheapest first.

    to_best:   paired difference to the best, by name, of every eligible candidate but the best.
    unsettled: of the cheaper ones, test rows that would settle it; None where it looks too bad for that.
    """

    metric: str
    margin: float
    best: CandidateResult
    winner: CandidateResult
    cheaper: tuple[CandidateResult, ...]
    to_best: Mapping[str, Estimate]
    unsettled: Mapping[str, int | None]


def found_reasons(finding: Finding) -> list[str]:
    """Why the winner won, and why each cheaper candidate did not."""
    best, winner = finding.best, finding.winner
    reasons = [f"{best.name} scores highest: {finding.metric} {_with_interval(best.score)}, {best.score.n} test rows."]
    if winner is not best:
        reasons.append(_why_cheaper(finding))
    reasons += [_why_not(finding, candidate) for candidate in finding.cheaper]
    if winner.errors:
        reasons.append(f"{winner.errors} of {winner.score.n} calls of {winner.name} failed; they score 0.")
    return reasons


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def amount(share: float) -> str:
    """A margin or limit as the user gave it: 0.02 is "2 points"."""
    return f"{100 * share:g} point{'' if share == 0.01 else 's'}"


def points_with_interval(d: Estimate) -> str:
    value = round(100 * d.value, 1) + 0.0  # + 0.0: no "-0.0"
    return f"{value:+.1f} points (95 % interval {100 * d.low:+.1f} to {100 * d.high:+.1f})".replace("-", "−")


def _with_interval(e: Estimate) -> str:
    return f"{percent(e.value)} (95 % interval {100 * e.low:.1f} to {percent(e.high)})"


def _why_cheaper(finding: Finding) -> str:
    best, winner, d = finding.best, finding.winner, finding.to_best[finding.winner.name]
    prices = f"{_price(winner)} against {_price(best)}"
    worse = " It is worse, but surely by less than the margin." if d.high < 0 else ""
    return (
        f"{winner.name} is cheaper ({prices}) and not inferior: {points_with_interval(d)} against {best.name}, "
        f"above the margin of −{amount(finding.margin)}.{worse}"
    )


def _why_not(finding: Finding, candidate: CandidateResult) -> str:
    d = finding.to_best[candidate.name]
    against = f"{points_with_interval(d)} against {finding.best.name}"
    rows = finding.unsettled[candidate.name]
    if rows is not None:
        return (
            f"{candidate.name} is cheaper, but these rows cannot tell whether it is within {amount(finding.margin)}: "
            f"{against}. About {rows:,} test rows in all ({rows - d.n:,} more) would likely tell."
        )
    if d.high < 0:
        return f"{candidate.name} is cheaper but worse: {against}."
    return f"{candidate.name} is cheaper but looks worse by {amount(finding.margin)} or more: {against}."


def _price(candidate: CandidateResult) -> str:
    tokens = f"{candidate.tokens_in:,.0f} tokens in and {candidate.tokens_out:,.0f} out per call"
    usd = candidate.usd_per_1000_calls
    return f"{usd:,.4f} USD per 1,000 calls, {tokens}" if usd else tokens
