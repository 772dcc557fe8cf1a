"""Intervals cover what they promise; tests give the reference values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, binomtest

from chapeta.bench import statistics
from chapeta.bench.results import Estimate
from chapeta.errors import BadInput

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


# Coverage. 0/1 methods: exact, by summing the probability of every outcome. Others: seeded simulation.


def test_wilson_covers_95_percent() -> None:
    cells = []
    for n in (30, 50, 100, 150, 300, 1000):
        intervals = [statistics.wilson(k, n) for k in range(n + 1)]
        for share in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.95):
            inside = [covers(interval, share) for interval in intervals]
            cells.append(float(np.asarray(binom.pmf(range(n + 1), n, share))[inside].sum()))
    assert 0.945 < np.mean(cells) < 0.955
    # One cell is a sum over few outcomes and jumps by several points with p; none leaves 92 to 98.5 %.
    assert min(cells) > 0.92 and max(cells) < 0.985


def paired_counts(n: int, up: float, down: float) -> Iterator[tuple[int, int, float]]:
    """Numbers of rows that only the first, only the second answers right, with their probability if above 1e-6."""
    for k_up in range(n + 1):
        p_up = binom.pmf(k_up, n, up)
        if p_up < 1e-6:
            continue
        for k_down in range(n - k_up + 1):
            p = p_up * binom_pmf(k_down, n - k_up, down / (1 - up))
            if p > 1e-6:
                yield k_up, k_down, float(p)


def binom_pmf(k: int, n: int, p: float) -> float:
    return math.comb(n, k) * p**k * (1 - p) ** (n - k)


def test_paired_difference_of_binary_rows_covers_95_percent() -> None:
    known: dict[tuple[int, int, int], Estimate] = {}
    cells = {}
    for n in (50, 100, 200):
        for differing in (0.06, 0.1, 0.2):
            for share_up in (0.5, 0.8):
                up = differing * share_up
                down = differing - up
                covered = 0.0
                for k_up, k_down, p in paired_counts(n, up, down):
                    key = (n, k_up, k_down)
                    if key not in known:
                        known[key] = difference_of_counts(*key)
                    covered += p * covers(known[key], up - down)
                cells[n, differing, share_up] = covered
    assert 0.94 < np.mean(list(cells.values())) < 0.96
    # With 50 rows and 6 % of them differing, three outcomes decide: the interval errs on the safe side there.
    dense = [c for (n, differing, _), c in cells.items() if n * differing >= 10]
    assert min(dense) > 0.93 and max(dense) < 0.97
    assert min(cells.values()) > 0.93


def difference_of_counts(n: int, up: int, down: int) -> Estimate:
    a, b = np.zeros(n), np.zeros(n)
    a[:up] = 1
    b[up : up + down] = 1
    return statistics.paired_difference(a, b)


def mostly(value: float, share: float, otherwise: Draw) -> Draw:
    return lambda random, n: np.where(random.random(n) < share, value, otherwise(random, n))


def beta(a: float, b: float) -> Draw:
    return lambda random, n: random.beta(a, b, n)


SCORES: dict[str, tuple[Draw, float]] = {
    "0/1": (lambda random, n: (random.random(n) < 0.87).astype(float), 0.87),
    "chrF-like": (beta(5, 2), 5 / 7),
    "near 1": (beta(8, 1), 8 / 9),
    "near 0": (beta(1, 6), 1 / 7),
    "U": (beta(0.5, 0.5), 0.5),
    "60 % exact": (mostly(1, 0.6, beta(2, 2)), 0.8),
    "85 % exact": (mostly(1, 0.85, beta(1, 1)), 0.925),
    "90 % nothing": (mostly(0, 0.9, beta(2, 2)), 0.05),
    "of three fields": (lambda random, n: random.binomial(3, 0.9, n) / 3, 0.9),
}


def test_mean_interval_covers_95_percent() -> None:
    random = np.random.default_rng(20)
    repeats = 1000  # standard error of a cell: 0.7 points, of the mean of all: 0.13
    cells = {
        (name, n): np.mean([covers(statistics.mean_interval(draw(random, n)), truth) for _ in range(repeats)])
        for name, (draw, truth) in SCORES.items()
        for n in (50, 150, 300)
    }
    assert 0.94 < np.mean(list(cells.values())) < 0.96
    assert all(0.93 < c < 0.97 for c in cells.values()), cells


def both_vary(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    return random.beta(8, 2, n), random.beta(6, 2, n)


def one_in_ten_changes(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    a = random.beta(5, 2, n)
    return a, np.where(random.random(n) < 0.1, random.beta(2, 2, n), a)


def only_losses(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    return np.ones(n), np.where(random.random(n) < 0.08, random.beta(2, 2, n), 1.0)


def fields_change(random: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    a = random.binomial(3, 0.9, n) / 3
    return a, np.where(random.random(n) < 0.2, random.binomial(3, 0.7, n) / 3, a)


def test_paired_difference_of_scores_covers_95_percent() -> None:
    designs: list[tuple[Callable[[np.random.Generator, int], tuple[Floats, Floats]], float]] = [
        (both_vary, 8 / 10 - 6 / 8),
        (one_in_ten_changes, 0.1 * (5 / 7 - 0.5)),
        (only_losses, 0.08 * 0.5),
        (fields_change, 0.2 * 0.2),
    ]
    random = np.random.default_rng(21)
    cells = []
    for draw, truth in designs:
        for n in (100, 200):
            hits = [covers(statistics.paired_difference(*draw(random, n)), truth) for _ in range(1500)]
            cells.append(np.mean(hits))
    assert 0.94 < np.mean(cells) < 0.96
    assert all(0.93 < c < 0.97 for c in cells), cells


def f1_of(table: Floats) -> float:
    """Macro F1 of a table of probabilities, expected label by given label."""
    return float(np.mean(2 * np.diag(table) / (table.sum(axis=0) + table.sum(axis=1))))


def test_macro_f1_covers_95_percent() -> None:
    random = np.random.default_rng(22)
    cells = []
    for classes, right, n in ((2, 0.9, 100), (4, 0.8, 150), (8, 0.93, 300)):
        prior = np.linspace(1, 2, classes) / np.linspace(1, 2, classes).sum()
        wrong = (1 - np.eye(classes)) * (1 - right) / (classes - 1)
        table = prior[:, None] * (wrong + right * np.eye(classes))
        hits = []
        for repeat in range(300):
            pairs = random.choice(classes**2, size=n, p=table.ravel())
            expected, answered = [str(p // classes) for p in pairs], [str(p % classes) for p in pairs]
            hits.append(covers(statistics.macro_f1(expected, answered, seed=repeat), f1_of(table)))
        cells.append(np.mean(hits))
    # Standard errors: 0.7 points of the mean, 1.3 of a cell. With 1,500 repeats: 95.1, 94.9 and 95.7 %.
    assert 0.93 < np.mean(cells) < 0.97, cells
    assert all(0.91 < c < 0.99 for c in cells), cells


def test_related_rows_widen_the_interval_to_coverage() -> None:
    random = np.random.default_rng(23)
    groups = [str(i // 5) for i in range(200)]  # 40 customers with 5 rows each that all score alike
    with_groups, without, differences = [], [], []
    for _ in range(1000):
        rows, other = np.repeat(random.beta(4, 1, 40), 5), np.repeat(random.beta(7, 3, 40), 5)
        with_groups.append(covers(statistics.mean_interval(rows, groups=groups), 0.8))
        without.append(covers(statistics.mean_interval(rows), 0.8))
        differences.append(covers(statistics.paired_difference(rows, other, groups=groups), 0.1))
    assert 0.93 < np.mean(with_groups) < 0.97
    assert 0.93 < np.mean(differences) < 0.97
    assert np.mean(without) < 0.75


# Reference values.


@pytest.mark.parametrize(("successes", "n"), [(0, 30), (30, 30), (45, 50), (270, 300), (2772, 3080)])
def test_wilson_is_scipys(successes: int, n: int) -> None:
    reference = binomtest(successes, n).proportion_ci(method="wilson")
    ours = statistics.wilson(successes, n)
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert (ours.value, ours.n) == (successes / n, n)


def test_mean_interval_of_binary_rows_is_wilson() -> None:
    ours, reference = statistics.mean_interval([1.0] * 45 + [0.0] * 5), statistics.wilson(45, 50)
    assert (ours.low, ours.high) == pytest.approx((reference.low, reference.high), abs=1e-12)
    assert statistics.mean_interval([1.0] * 40) == statistics.wilson(40, 40)


def test_tango_on_published_examples() -> None:
    """Bentur et al. 2009, 21 children before and after a transplant (1, 1, 7, 12): -0.517 to -0.026.

    Tango 1998, crossover of lens solutions (44 pairs: 43, 0, 1, 0): with b = 0, c = 1 of 44.
    """
    airway = difference_of_counts(21, 1, 7)
    assert (airway.low, airway.high) == pytest.approx((-0.517, -0.026), abs=5e-4)
    lens = difference_of_counts(44, 0, 1)
    assert (lens.low, lens.high) == pytest.approx((-0.118, 0.060), abs=1e-3)


def test_no_differing_row_is_known_only_as_well_as_its_number_of_rows() -> None:
    """By hand: with b = c = 0 the score equation is n·d = z²·(1 - d), so the ends are ± z² / (n + z²)."""
    same = difference_of_counts(150, 0, 0)
    assert (same.value, same.low, same.high) == pytest.approx((0, -3.8415 / 153.8415, 3.8415 / 153.8415), abs=1e-5)
    assert difference_of_counts(10, 10, 0).high == 1.0


def test_mcnemar_by_hand() -> None:
    """1 against 7 differing rows: 2·(1 + 8) / 2^8."""
    a, b = [1.0] + [0.0] * 7 + [1.0] * 12, [0.0] + [1.0] * 7 + [1.0] * 12
    assert statistics.mcnemar_exact(a, b) == pytest.approx(18 / 256)
    assert statistics.mcnemar_exact(a, b) == pytest.approx(binomtest(1, 8).pvalue)
    assert statistics.mcnemar_exact(a, a) == 1.0


def test_sign_flip_agrees_with_mcnemar_and_with_all_flips() -> None:
    a, b = [1.0] * 9 + [0.0] * 3 + [1.0] * 88, [0.0] * 9 + [1.0] * 3 + [1.0] * 88
    assert statistics.sign_flip(a, b, seed=1) == pytest.approx(statistics.mcnemar_exact(a, b), abs=0.02)
    # Differences .1, .2, .4: of the 8 sums of signs only +.7 and -.7 are as extreme.
    assert statistics.sign_flip([0.6, 0.7, 0.9], [0.5, 0.5, 0.5], seed=1) == pytest.approx(0.25, abs=0.02)
    assert statistics.sign_flip([0.5, 0.5], [0.5, 0.5], seed=1) == 1.0


def test_sign_flip_rejects_a_true_null_five_times_in_a_hundred() -> None:
    random = np.random.default_rng(4)
    p_values = [
        statistics.sign_flip(random.beta(5, 2, 60), random.beta(5, 2, 60), seed=repeat) for repeat in range(300)
    ]
    assert 0.03 < np.mean(np.array(p_values) <= 0.05) < 0.07


def test_sign_flip_flips_groups_as_one() -> None:
    a, b = [0.9] * 12, [0.5] * 12
    assert statistics.sign_flip(a, b, seed=1) < 0.01
    # Two groups of six: + + and - - of four are as extreme.
    assert statistics.sign_flip(a, b, seed=1, groups=["x"] * 6 + ["y"] * 6) == pytest.approx(0.5, abs=0.02)


def test_holm_by_hand() -> None:
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert statistics.holm([0.9, 0.8]) == (1.0, 1.0)
    assert statistics.holm([]) == ()


def test_macro_f1_by_hand() -> None:
    """a: 2 hits, 3 expected, 3 given: 2/3; b: 1 hit, 2 expected, 1 given: 2/3; the unknown answer is only a miss."""
    found = statistics.macro_f1(["a", "a", "a", "b", "b"], ["a", "a", "?", "a", "b"], seed=1)
    assert found.value == pytest.approx(2 / 3)
    assert found.low < 2 / 3 < found.high and found.n == 5
    assert statistics.macro_f1(["a", "b"] * 20, ["a", "b"] * 20, seed=1).value == 1.0


def test_compare_all_chooses_the_test_and_corrects() -> None:
    right, wrong = [1.0] * 60 + [0.0] * 40, [1.0] * 30 + [0.0] * 70
    rows = {"x": right, "y": wrong, "z": [0.5] * 100}
    first, second, third = statistics.compare_all(rows, seed=7)
    assert [(c.first, c.second) for c in (first, second, third)] == [("x", "y"), ("x", "z"), ("y", "z")]
    assert (first.test, second.test) == ("exact McNemar", "paired sign-flip permutation")
    assert first.difference.value == pytest.approx(0.3) and first.difference.low > 0.2
    assert [c.p_holm for c in (first, second, third)] == pytest.approx(
        statistics.holm([first.p_value, second.p_value, third.p_value])
    )
    assert statistics.compare_all(rows, seed=7) == (first, second, third)
    grouped = statistics.compare_all({"x": right, "y": wrong}, seed=7, groups=[str(i // 10) for i in range(100)])
    assert grouped[0].difference.high - grouped[0].difference.low > first.difference.high - first.difference.low


scores = st.lists(st.integers(0, 1000).map(lambda k: k / 1000) | st.sampled_from([0.0, 1.0]), min_size=1, max_size=60)


@given(scores)
@settings(max_examples=150, deadline=None)
def test_a_mean_lies_in_its_interval_and_mirrors(values: list[float]) -> None:
    found = statistics.mean_interval(values)
    assert 0 <= found.low <= found.value <= found.high <= 1
    mirrored = statistics.mean_interval([1 - v for v in values])
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((found.low, found.high), abs=1e-9)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)) | st.sampled_from([(0.0, 1.0), (1.0, 1.0)]), min_size=1))
@settings(max_examples=150, deadline=None)
def test_a_difference_lies_in_its_interval_and_changes_sign(pairs: list[tuple[float, float]]) -> None:
    a, b = [p[0] for p in pairs], [p[1] for p in pairs]
    found, back = statistics.paired_difference(a, b), statistics.paired_difference(b, a)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (-back.high, -back.low) == pytest.approx((found.low, found.high), abs=1e-9)


@pytest.mark.parametrize("values", [[], [1.2], [-0.1], [float("nan")]])
def test_bad_scores_are_named(values: list[float]) -> None:
    with pytest.raises(BadInput, match="row score"):
        statistics.mean_interval(values)


def test_unpaired_rows_are_named() -> None:
    with pytest.raises(BadInput, match="2 rows cannot be paired with 1"):
        statistics.paired_difference([1.0, 0.0], [1.0])
    with pytest.raises(BadInput, match="5 successes of 4"):
        statistics.wilson(5, 4)
