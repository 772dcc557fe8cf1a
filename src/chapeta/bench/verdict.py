"""Which candidate to use, whether tuning is worth it, and why: one pure function with its rule in the docstring."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from chapeta.bench.results import BenchResult, CandidateResult, Estimate, Verdict
from chapeta.bench.verdict_words import Finding, amount, found_reasons, percent, points_with_interval
from chapeta.errors import BadInput, Corrupt

Advice = Literal["use", "don't tune", "get more data"]
CostKey = tuple[float, float, int, str]

MIN_TEST_ROWS = 30  # below this no difference that matters can be seen: get more data
INDICATIVE_ROWS = 100  # below this Wilson's interval at 90 % right is wider than ± 6 points
OUTPUT_WEIGHT = 4  # providers bill a written token 3 to 5 times a read one; local engines take about 3 times as long
TRAINING_SURCHARGE = 1.1  # a tuned model has to be kept and retrained: it is cheaper only if it saves over a tenth
MACHINERY = ("base", "few-shot", "nearest", "skill", "tuned", "tuned+skill")
POWER_FACTOR = (1.9600 + 0.8416) / 1.9600  # from the half-width of a 95 % interval to a test with 80 % power


def decide(
    bench: BenchResult,
    margin: float = 0.02,
    volume_calls: float | None = None,
    max_flexibility_loss: float | None = None,
) -> Verdict:
    """The cheapest candidate that is not inferior to the best within the margin.

    margin:               the loss of score accepted for a cheaper candidate, a share (0.02 is 2 points).
    volume_calls:         calls expected in the life of the deployment; the price of training is spread over them.
    max_flexibility_loss: a tuned candidate that lost more general ability than this share, as observed, is not used.
                          By default a loss is stated but rules nothing out: a deployment serves its task only.

    The rule:

    1. The *best* is the eligible candidate with the highest observed score; of equals, the cheapest. All are eligible
       but those over `max_flexibility_loss` (if that leaves none, all are).
    2. A candidate is *not inferior* if the lower end of the 95 % interval of its paired difference to the best is above
       -margin. "Not significantly different" is not enough: with few rows everything is.
    3. The *winner* is the cheapest of the best and those not inferior to it. Where the data cannot tell, the best
       therefore wins, and the reasons say how many test rows would likely tell (80 % power, if the observed difference
       and spread stay). A candidate may be significantly worse and still win if it is surely worse by less than the
       margin: that is what the margin accepts.
    4. *Cheaper* compares, in this order: USD per 1,000 calls, if known for all candidates (unknown is never 0), plus
       training spread over `volume_calls`; tokens in plus 4 times tokens out per call; less machinery (base, few-shot,
       nearest, skill, tuned, tuned+skill); the name. A trained candidate's price and tokens count 10 % more. It is one
       order for all pairs, so a larger margin never picks a dearer candidate and the order of candidates is irrelevant.
    5. *Advice*: "get more data" below 30 test rows, or if the best's interval reaches down to `trivial_score`;
       else "don't tune" if something was trained and the winner was not (unless only `max_flexibility_loss` kept a
       tuned candidate away to which the winner is inferior, or may be); else "use".
    6. Fewer than 100 test rows: the verdict is indicative.
    7. *Break-even* sets a tuned candidate (the winner, or else the best tuned) against the best of few-shot, nearest
       and skill (base if there is none): the price of training over the price saved a call; where nobody bills,
       seconds of training over seconds saved a call (p50 latency). None: never, or unknown.
    """
    _check(bench, margin, volume_calls, max_flexibility_loss)
    cost = {c.name: _cost(c, bench, volume_calls) for c in bench.candidates}
    ranked = sorted(bench.candidates, key=lambda c: (-c.score.value, cost[c.name]))
    eligible = [c for c in ranked if not _lost_too_much(c, max_flexibility_loss)] or ranked
    best = eligible[0]
    to_best = {c.name: difference(bench, c.name, best.name) for c in eligible[1:]}
    good = [best, *(c for c in eligible[1:] if to_best[c.name].low > -margin)]
    winner = min(good, key=lambda c: cost[c.name])
    cheaper = sorted((c for c in eligible if cost[c.name] < cost[winner.name]), key=lambda c: cost[c.name])
    unsettled = {c.name: rows_to_settle(to_best[c.name], margin) for c in cheaper}
    rows_needed = next((rows for rows in unsettled.values() if rows), None)
    advice, warnings = _advice(bench, best, winner, ranked, eligible, margin)
    break_even, break_even_reason = _break_even(bench, winner, ranked, volume_calls)
    finding = Finding(bench.metric, margin, best, winner, tuple(cheaper), to_best, unsettled)
    alternative = next((c for c in ranked if not c.trains), None)
    reasons = [
        *warnings,
        *found_reasons(finding),
        *_vetoes(ranked, eligible, max_flexibility_loss),
        *_flexibility(winner, alternative, margin),
        *([break_even_reason] if break_even_reason else []),
    ]
    indicative = bench.n_test < INDICATIVE_ROWS
    return Verdict(winner.name, advice, tuple(reasons), indicative, margin, break_even, rows_needed)


def difference(bench: BenchResult, first: str, second: str) -> Estimate:
    """Paired difference of two candidates, first minus second, from the bench's comparisons."""
    for comparison in bench.comparisons:
        d = comparison.difference
        if (comparison.first, comparison.second) == (first, second):
            return d
        if (comparison.first, comparison.second) == (second, first):
            return Estimate(-d.value, -d.high, -d.low, d.n)
    raise Corrupt(f"The bench does not compare {first} with {second}.", "Run the bench again.")


def rows_to_settle(to_best: Estimate, margin: float) -> int | None:
    """Test rows that show non-inferiority with 80 % power if value and spread stay; None if the margin is passed.

    The interval's half-width shrinks with the root of the rows. 2 points and 6 % of the rows differing need 1,175.
    """
    room = margin + to_best.value
    if room <= 0:
        return None
    half_width = (to_best.high - to_best.low) / 2
    return max(to_best.n + 1, math.ceil(to_best.n * (POWER_FACTOR * half_width / room) ** 2))


def machinery(candidate: CandidateResult) -> int:
    """Rank of the moving parts behind a candidate, from the kind its name ends with; unknown kinds come last."""
    kinds = re.findall(r"(?<![\w+-])(?:tuned\+skill|few-shot|nearest|skill|tuned|base)(?![\w+-])", candidate.name)
    return MACHINERY.index(kinds[-1]) if kinds else len(MACHINERY) + candidate.trains


def _cost(candidate: CandidateResult, bench: BenchResult, volume_calls: float | None) -> CostKey:
    factor = TRAINING_SURCHARGE if candidate.trains else 1.0
    prices_known = all(c.usd_per_1000_calls is not None for c in bench.candidates)
    usd = (candidate.usd_per_1000_calls or 0.0) * factor if prices_known else 0.0
    if prices_known and candidate.trains and volume_calls and bench.training_usd:
        usd += 1000 * bench.training_usd / volume_calls
    tokens = (candidate.tokens_in + OUTPUT_WEIGHT * candidate.tokens_out) * factor
    return usd, tokens, machinery(candidate), candidate.name


def _lost_too_much(candidate: CandidateResult, max_loss: float | None) -> bool:
    return max_loss is not None and candidate.flexibility is not None and candidate.flexibility.value < -max_loss


def _advice(
    bench: BenchResult,
    best: CandidateResult,
    winner: CandidateResult,
    ranked: Sequence[CandidateResult],
    eligible: Sequence[CandidateResult],
    margin: float,
) -> tuple[Advice, list[str]]:
    """The advice, and the warnings that come with it or stand before it."""
    warnings = []
    n, trivial = bench.n_test, bench.trivial_score
    too_few = n < MIN_TEST_ROWS
    if too_few:
        warnings.append(f"Get more data: {n} test rows cannot carry a verdict; at least {MIN_TEST_ROWS} are needed.")
    if n < INDICATIVE_ROWS:
        warnings.append(f"Indicative only: there are {n} test rows; {INDICATIVE_ROWS} make a verdict, 300 a good one.")
    not_learnt = trivial is not None and best.score.low <= trivial
    if not_learnt and trivial is not None:
        warnings.append(
            f"Get more data: always giving the most frequent answer scores {percent(trivial)}, and even {best.name} is "
            f"not shown to do better (its interval begins at {percent(best.score.low)})."
        )
    if too_few or not_learnt:
        return "get more data", warnings
    if winner.trains or not any(c.trains for c in ranked):
        return "use", warnings
    out = [difference(bench, winner.name, c.name) for c in ranked if c.trains and c not in eligible]
    if any(d.value < 0 and d.low <= -margin for d in out):
        return "use", warnings
    tuned = next(c for c in ranked if c.trains)
    against = points_with_interval(difference(bench, winner.name, tuned.name))
    warnings.append(f"Don't tune: {winner.name} needs no training; against {tuned.name} it scores {against}.")
    return "don't tune", warnings


def _vetoes(
    ranked: Sequence[CandidateResult], eligible: Sequence[CandidateResult], max_loss: float | None
) -> list[str]:
    over = [c for c in ranked if _lost_too_much(c, max_loss)]
    if not over or max_loss is None:
        return []
    names = ", ".join(c.name for c in over)
    limit = f"more general ability than the {amount(max_loss)} you allow"
    if len(eligible) == len(ranked):
        return [f"Every candidate ({names}) lost {limit}; none could be left out."]
    return [f"Left out, having lost {limit}: {names}."]


def _flexibility(winner: CandidateResult, alternative: CandidateResult | None, margin: float) -> list[str]:
    change = winner.flexibility
    if not winner.trains or change is None:
        return []
    if change.high >= 0 and change.low < -margin and change.value < 0:
        figures = points_with_interval(change)
        return [f"A loss of general ability is neither shown nor ruled out for {winner.name}: {figures}."]
    if change.high >= 0:
        return [f"No loss of general ability is shown for {winner.name}: {points_with_interval(change)}."]
    lost = f"{winner.name} against its base {points_with_interval(change)} on the general suite"
    instead = ""
    if alternative is not None:
        instead = f" The best untuned candidate is {alternative.name} ({percent(alternative.score.value)})."
    return [f"Tuning cost general ability: {lost}. Use it for this task only.{instead}"]


def _break_even(
    bench: BenchResult, winner: CandidateResult, ranked: Sequence[CandidateResult], volume_calls: float | None
) -> tuple[float | None, str]:
    """Calls after which training is paid back, and a sentence about it; "" where there is nothing to compare."""
    tuned = winner if winner.trains else next((c for c in ranked if c.trains), None)
    untuned = [c for c in ranked if not c.trains]
    prompted = next((c for c in untuned if machinery(c) > 0), untuned[0] if untuned else None)
    if tuned is None or prompted is None:
        return None, ""
    usd_tuned, usd_prompted = tuned.usd_per_1000_calls, prompted.usd_per_1000_calls
    if usd_tuned is None or usd_prompted is None:
        unknown = tuned.name if usd_tuned is None else prompted.name
        return None, f"When tuning pays back is unknown: nobody says what a call of {unknown} costs."
    if bench.training_usd or usd_tuned or usd_prompted:
        cost, saved = bench.training_usd, (usd_prompted - usd_tuned) / 1000
        price, gain = f"{cost or 0:,.2f} USD for training", f"{saved * 1000:,.4f} USD per 1,000 calls"
    else:
        cost, saved = bench.training_s, (prompted.latency_p50_ms - tuned.latency_p50_ms) / 1000
        price, gain = f"{cost or 0:,.0f} s of training", f"{saved:,.3g} s a call"
    if cost is None:
        return None, "When tuning pays back is unknown: the cost of training is not recorded."
    if saved <= 0:
        return None, f"Tuning never pays back: a call of {tuned.name} saves nothing against {prompted.name}."
    calls = cost / saved
    though = "" if winner.trains else ", but is not the one to use"
    sentence = (
        f"{price} are paid back after {calls:,.0f} calls: {tuned.name} saves {gain} against {prompted.name}{though}."
    )
    if volume_calls is not None:
        sentence += f" You expect {volume_calls:,.0f}."
    return calls, sentence


def _check(bench: BenchResult, margin: float, volume_calls: float | None, max_loss: float | None) -> None:
    if not bench.candidates:
        raise BadInput("The bench has no candidates.", "Run `chapeta bench` with at least one.")
    if not 0 <= margin < 1:
        raise BadInput(f"The margin {margin:g} is not a share between 0 and 1.", "Two points are 0.02.")
    if max_loss is not None and not 0 <= max_loss <= 1:
        raise BadInput(f"The flexibility loss {max_loss:g} is not a share between 0 and 1.", "Five points are 0.05.")
    if volume_calls is not None and not 0 < volume_calls < math.inf:
        raise BadInput(f"{volume_calls:g} calls are no volume.", "Give the number of calls you expect, above 0.")
