"""The verdict follows its stated rule: on hand-made benches case by case, and as properties over random ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.bench.results import BenchResult, CandidateResult, Estimate
from chapeta.bench.statistics import compare_all, mean_interval
from chapeta.bench.verdict import MACHINERY, decide, difference, machinery, rows_to_settle
from chapeta.errors import BadInput, Corrupt

TOKENS = {"base": 60, "few-shot": 400, "nearest": 420, "skill": 900, "tuned": 60, "tuned+skill": 900}


def candidate(name: str, rows: Sequence[float], **more: object) -> CandidateResult:
    score = mean_interval(rows)
    plain = CandidateResult(
        name=name,
        metric="accuracy",
        score=score,
        scores={"accuracy": score},
        tokens_in=TOKENS.get(name, 100),
        tokens_out=3,
        usd_per_1000_calls=0.0,
        latency_p50_ms=float(TOKENS.get(name, 100)),
        latency_p95_ms=1000.0,
        trains="tuned" in name,
        row_scores=tuple(rows),
    )
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def bench(*candidates: CandidateResult, **more: object) -> BenchResult:
    rows = {c.name: c.row_scores for c in candidates}
    n = len(candidates[0].row_scores)
    ids = tuple(map(str, range(n)))
    plain = BenchResult("support", "accuracy", n, ids, candidates, compare_all(rows, seed=1), training_s=90.0)
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def right(share: float, n: int, first: int = 0) -> list[float]:
    """n rows, the given share of them right, wrong ones beginning at row `first`."""
    wrong = n - round(share * n)
    return [0.0 if first <= i < first + wrong else 1.0 for i in range(n)]


def test_the_cheaper_one_wins_inside_the_margin() -> None:
    """2,000 rows, 5 differ: the interval of -0.25 points is narrow enough to show it is within 2."""
    found = decide(bench(candidate("skill", right(0.95, 2000)), candidate("few-shot", right(0.9475, 2000))))
    assert (found.use, found.advice, found.indicative, found.rows_needed) == ("few-shot", "use", False, None)
    assert found.reasons[0].startswith("skill scores highest: accuracy 95.0 % (95 % interval 94.0 to 95.9 %)")
    assert "few-shot is cheaper (400 tokens in and 3 out per call against 900" in found.reasons[1]
    assert "not inferior: −0.2 points" in found.reasons[1]
    assert "It is worse, but surely by less than the margin." in found.reasons[1]


def test_where_the_data_cannot_tell_the_best_wins_and_rows_are_asked_for() -> None:
    rows = right(0.95, 150), right(0.94, 150, first=3)
    found = decide(bench(candidate("skill", rows[0]), candidate("few-shot", rows[1])))
    assert found.use == "skill"
    assert found.rows_needed is not None and found.rows_needed > 300
    assert f"About {found.rows_needed:,} test rows in all ({found.rows_needed - 150:,} more)" in found.reasons[1]
    assert "cannot tell whether it is within 2 points" in found.reasons[1]


def test_rows_to_settle_is_the_power_table() -> None:
    """No difference, 6 % of the rows differ, margin 2 points, Wald's half-width: (1.96 + 0.8416)² · 0.06 / 0.02²."""
    half = 1.96 * (0.06 / 200) ** 0.5
    assert rows_to_settle(Estimate(0.0, -half, half, 200), 0.02) == pytest.approx(1177, abs=2)
    assert rows_to_settle(Estimate(-0.02, -0.05, 0.01, 200), 0.02) is None


def test_dont_tune_when_a_prompt_is_as_good() -> None:
    tuned = candidate("tuned", right(0.95, 2000), tokens_in=900)
    found = decide(bench(tuned, candidate("few-shot", right(0.95, 2000, first=5))))
    assert (found.use, found.advice) == ("few-shot", "don't tune")
    assert "Don't tune: few-shot needs no training; against tuned it scores +0.0 points" in found.reasons[0]


def test_a_tenth_cheaper_is_not_enough_for_a_trained_candidate() -> None:
    rows = right(0.95, 2000)
    base = candidate("base", rows)
    assert decide(bench(candidate("tuned", rows, tokens_in=58), base)).use == "base"
    assert decide(bench(candidate("tuned", rows, tokens_in=50), base)).use == "tuned"


def test_tuned_wins_where_it_is_far_better_and_says_what_it_cost() -> None:
    tuned = candidate("tuned", right(0.97, 300), flexibility=Estimate(-0.08, -0.13, -0.03, 120))
    others = candidate("base", right(0.3, 300)), candidate("skill", right(0.7, 300))
    found = decide(bench(*others, tuned))
    assert (found.use, found.advice) == ("tuned", "use")
    words = " ".join(found.reasons)
    assert "tuned against its base −8.0 points (95 % interval −13.0 to −3.0)" in words
    assert "The best untuned candidate is skill (70.0 %)" in words
    # 90 s of training; the skill takes 900 ms and the tuned model 60 ms a call.
    assert found.break_even_calls == pytest.approx(90 / 0.84)
    assert "90 s of training are paid back after 107 calls: tuned saves 0.84 s a call against skill." in words


def test_a_flexibility_limit_rules_out() -> None:
    tuned = candidate("tuned", right(0.97, 300), flexibility=Estimate(-0.08, -0.13, -0.03, 120))
    found = decide(bench(tuned, candidate("skill", right(0.7, 300))), max_flexibility_loss=0.05)
    assert (found.use, found.advice) == ("skill", "use"), "the skill is far worse: not a case of don't tune"
    assert "Left out, having lost more general ability than the 5 points you allow: tuned." in found.reasons
    assert decide(bench(tuned, candidate("skill", right(0.7, 300))), max_flexibility_loss=0.1).use == "tuned"
    alone = decide(bench(tuned), max_flexibility_loss=0.05)
    assert alone.use == "tuned" and "none could be left out" in " ".join(alone.reasons)


def test_get_more_data() -> None:
    few = decide(bench(candidate("base", right(0.9, 20)), candidate("tuned", right(0.95, 20))))
    assert few.advice == "get more data" and few.indicative
    assert few.reasons[0].startswith("Get more data: 20 test rows")
    trivial = decide(bench(candidate("base", right(0.5, 200)), candidate("tuned", right(0.6, 200)), trivial_score=0.55))
    assert trivial.advice == "get more data" and trivial.use == "tuned" and not trivial.indicative
    assert "always giving the most frequent answer scores 55.0 %" in trivial.reasons[0]
    assert decide(bench(candidate("base", right(0.9, 200)), trivial_score=0.55)).advice == "use"


@pytest.mark.parametrize(("n", "indicative"), [(99, True), (100, False)])
def test_indicative_below_100_rows(n: int, indicative: bool) -> None:
    found = decide(bench(candidate("base", right(0.9, n))))
    assert found.indicative is indicative
    assert any("Indicative only: there are 99 test rows" in reason for reason in found.reasons) is indicative


def test_prices_decide_only_where_all_are_known() -> None:
    rows = right(0.95, 2000)
    skill, few = candidate("skill", rows, usd_per_1000_calls=0.2), candidate("few-shot", rows, usd_per_1000_calls=0.3)
    assert decide(bench(skill, few)).use == "skill"
    assert decide(bench(skill, dataclasses.replace(few, usd_per_1000_calls=None))).use == "few-shot"


def test_volume_spreads_the_price_of_training() -> None:
    """Training 4 USD; a call saves 0.9 cents per 10: 4 / (0.0010 - 0.0001) = 4,444 calls."""
    rows = right(0.95, 2000)
    skill = candidate("skill", rows, usd_per_1000_calls=1.0)
    tuned = candidate("tuned", rows, usd_per_1000_calls=0.1)
    both = bench(skill, tuned, training_usd=4.0)
    small, large = decide(both, volume_calls=1_000), decide(both, volume_calls=1_000_000)
    assert (small.use, large.use) == ("skill", "tuned")
    assert small.break_even_calls == large.break_even_calls == pytest.approx(4 / 0.0009)
    assert any("after 4,444 calls" in r and r.endswith("You expect 1,000.") for r in small.reasons)


@pytest.mark.parametrize(
    ("usd_skill", "usd_tuned", "training_usd", "words"),
    [
        (0.1, 0.1, 4.0, "never pays back"),
        (0.1, 0.4, 4.0, "never pays back"),
        (None, 0.1, 4.0, "nobody says what a call of skill costs"),
        (1.0, None, 4.0, "nobody says what a call of tuned costs"),
        (1.0, 0.1, None, "the cost of training is not recorded"),
    ],
)
def test_no_break_even(
    usd_skill: float | None, usd_tuned: float | None, training_usd: float | None, words: str
) -> None:
    skill = candidate("skill", right(0.9, 200), usd_per_1000_calls=usd_skill)
    tuned = candidate("tuned", right(0.95, 200), usd_per_1000_calls=usd_tuned)
    found = decide(bench(skill, tuned, training_usd=training_usd))
    assert found.break_even_calls is None
    assert any(words in reason for reason in found.reasons)


def test_failed_calls_of_the_winner_are_named() -> None:
    found = decide(bench(candidate("base", right(0.9, 200), errors=3)))
    assert "3 of 200 calls of base failed; they score 0." in found.reasons


def test_machinery_ranks_by_kind() -> None:
    ranks = [machinery(candidate(name, [1.0])) for name in MACHINERY]
    assert ranks == [0, 1, 2, 3, 4, 5]
    assert machinery(candidate("smollm2-base/tuned+skill", [1.0])) == 5
    assert machinery(candidate("own", [1.0])) == 6 and machinery(candidate("own tuned", [1.0])) == 4


def test_bad_settings_are_named() -> None:
    one = bench(candidate("base", right(0.9, 50)))
    with pytest.raises(BadInput, match=r"margin 2 is not a share .* Two points are 0.02"):
        decide(one, margin=2)
    with pytest.raises(BadInput, match="0 calls are no volume"):
        decide(one, volume_calls=0)
    with pytest.raises(BadInput, match="flexibility loss 5"):
        decide(one, max_flexibility_loss=5)
    with pytest.raises(BadInput, match="no candidates"):
        decide(dataclasses.replace(one, candidates=()))
    two = bench(candidate("base", right(0.9, 50)), candidate("skill", right(0.8, 50)))
    with pytest.raises(Corrupt, match="does not compare skill with base"):
        decide(dataclasses.replace(two, comparisons=()))


@st.composite
def benches(draw: st.DrawFn) -> BenchResult:
    names = draw(st.lists(st.sampled_from(MACHINERY), min_size=1, max_size=6, unique=True))
    n = draw(st.sampled_from([20, 90, 300, 2000]))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    shared = random.random(n)
    prices = st.none() | st.sampled_from([0.0, 0.1, 0.5])
    same_price = draw(prices)
    candidates = []
    for name in names:
        noise = draw(st.sampled_from([0.0, 0.02, 0.3]))
        level = draw(st.sampled_from([0.3, 0.85, 0.88, 0.9, 0.99]))
        rows = ((shared * (1 - noise) + random.random(n) * noise) < level).astype(float)
        change = Estimate(-0.06, -0.1, -0.02, 120) if "tuned" in name and draw(st.booleans()) else None
        usd = same_price if draw(st.booleans()) else draw(prices)
        tokens = draw(st.sampled_from([50.0, 52.0, 400.0, 900.0]))
        candidates.append(candidate(name, rows.tolist(), usd_per_1000_calls=usd, tokens_in=tokens, flexibility=change))
    return bench(*candidates, training_usd=draw(st.none() | st.sampled_from([0.0, 4.0])))


volumes = st.none() | st.sampled_from([100.0, 1e6])


@given(benches(), st.sampled_from([0.0, 0.02, 0.1]), volumes, st.none() | st.just(0.05))
@settings(max_examples=40, deadline=None)
def test_the_choice_is_a_candidate_and_never_inferior_to_the_best(
    found: BenchResult, margin: float, volume: float | None, limit: float | None
) -> None:
    verdict = decide(found, margin, volume, limit)
    by_name = {c.name: c for c in found.candidates}
    assert verdict.use in by_name and verdict.reasons
    allowed = [c for c in found.candidates if limit is None or c.flexibility is None] or list(found.candidates)
    assert by_name[verdict.use] in allowed
    top = max(c.score.value for c in allowed)
    if by_name[verdict.use].score.value < top:
        best = [c.name for c in allowed if c.score.value == top]
        assert any(difference(found, verdict.use, name).low > -margin for name in best)


@given(benches(), st.randoms(use_true_random=False), volumes)
@settings(max_examples=40, deadline=None)
def test_the_order_of_candidates_does_not_matter(found: BenchResult, random: object, volume: float | None) -> None:
    shuffled = list(found.candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = bench(*shuffled, training_usd=found.training_usd)
    first, second = decide(found, volume_calls=volume), decide(again, volume_calls=volume)
    assert dataclasses.replace(first, reasons=()) == dataclasses.replace(second, reasons=())


def only(found: BenchResult, *names: str) -> BenchResult:
    """The bench of some of the candidates, all equally right: its verdict is the cheapest of them."""
    rows = [1.0] * found.n_test
    known = all(c.usd_per_1000_calls is not None for c in found.candidates)
    kept = [
        dataclasses.replace(
            c,
            score=mean_interval(rows),
            row_scores=tuple(rows),
            usd_per_1000_calls=c.usd_per_1000_calls if known else None,
        )
        for c in found.candidates
        if c.name in names
    ]
    return bench(*kept, training_usd=found.training_usd)


@given(benches(), volumes)
@settings(max_examples=40, deadline=None)
def test_a_larger_margin_never_picks_a_dearer_candidate(found: BenchResult, volume: float | None) -> None:
    chosen = [decide(found, margin, volume).use for margin in (0.0, 0.01, 0.02, 0.05, 0.2)]
    for smaller, larger in pairwise(chosen):
        assert decide(only(found, smaller, larger), volume_calls=volume).use == larger


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Estimate(-0.146, -0.325, 0.043, 48), "neither shown nor ruled out for tuned: −14.6 points"),
        (Estimate(-0.002, -0.01, 0.006, 2000), "No loss of general ability is shown for tuned"),
        (Estimate(0.02, -0.05, 0.09, 141), "No loss of general ability is shown for tuned"),
        (Estimate(-0.08, -0.13, -0.03, 141), "Tuning cost general ability"),
    ],
)
def test_a_wide_interval_of_general_ability_is_no_all_clear(change: Estimate, says: str) -> None:
    tuned = candidate("tuned", right(0.97, 300), flexibility=change)
    assert any(says in reason for reason in decide(bench(candidate("base", right(0.3, 300)), tuned)).reasons)
