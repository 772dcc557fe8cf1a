"""Intervals and tests for scores of the same rows: every figure with its 95 % interval, candidates compared in pairs.

Scores are shares between 0 and 1. The methods were chosen by coverage, simulated over the grids of the test file:

- share of 0/1 rows: Wilson's score interval;
- mean of scores: Wilson's interval at an effective number of rows. A mean of scores in [0, 1] varies less than a share
  with the same mean; the ratio of the two variances says how many 0/1 rows would be as informative. This keeps the
  skewed shape near 0 and 1, where t and bootstrap intervals fall to 70 % coverage (30 rows, mean 0.98), and is exactly
  Wilson for 0/1 rows;
- difference of 0/1 rows: Tango's score interval for paired proportions (Statistics in Medicine 17, 1998), the inverse
  of the score test for non-inferiority, which is what the verdict asks;
- difference of scores: normal interval after adding four pseudo-rows, two up and two down, of the typical size of a
  difference (what Agresti and Caffo, Bonett and Price do for 0/1 rows). Without them coverage falls to 70-90 % where
  most rows agree;
- F1: standard error from a bootstrap over rows, then Wilson at the effective number of rows.

`groups` names the source of each row (a customer, a document): rows of one group then count as related.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chapeta.bench.results import Comparison, Estimate
from chapeta.errors import BadInput

Floats = NDArray[np.float64]
Scores = Sequence[float] | Floats

Z = 1.959963984540054  # 97.5 % point of the normal distribution: two-sided 95 %
PSEUDO_ROWS = 4  # close to Z squared, as in Agresti and Coull's interval
RESAMPLES = 1_000
SIGN_FLIPS = 10_000
SMALLEST_DIFFERENCE = 1e-12  # below this two scores are the same: rounding of floats


def wilson(successes: int, n: int) -> Estimate:
    """Share of successes with Wilson's 95 % score interval."""
    if n < 1 or not 0 <= successes <= n:
        raise BadInput(f"{successes} successes of {n} rows is not a share.", "Give at least one row.")
    return _wilson_at(successes / n, float(n), n)


def mean_interval(values: Scores, *, groups: Sequence[str] | None = None) -> Estimate:
    """Mean of row scores with its 95 % interval: Wilson at the effective number of rows (see above)."""
    scores = _scores(values)
    n = len(scores)
    mean = float(scores.mean())
    sums, sizes = _group_sums(scores, groups)
    # How much more a mean of n rows can vary than n independent 0/1 rows: 1, or with groups as if each were one row.
    largest = float((sizes**2).sum()) / n
    binary_variance = mean * (1 - mean)
    if binary_variance <= 0:  # all 0 or all 1: nothing but the number of rows is known
        return _wilson_at(mean, n / largest, n)
    spread = float(((sums - sizes * mean) ** 2).sum()) * len(sums) / max(len(sums) - 1, 1)
    # One row's worth of belief in the 0/1 variance keeps the interval from collapsing where all scores are equal.
    ratio = (spread + binary_variance) / (n * binary_variance)
    return _wilson_at(mean, n / min(ratio, largest), n)


def macro_f1(expected: Sequence[str], given: Sequence[str], seed: int) -> Estimate:
    """Mean F1 over the labels in `expected`, with its interval. A label given but never expected is only a miss."""
    _same_length(len(expected), len(given))
    labels = {label: column for column, label in enumerate(dict.fromkeys(expected))}
    n = len(expected)
    wanted = np.zeros((n, len(labels)))
    answered = np.zeros((n, len(labels)))
    for row, (want, got) in enumerate(zip(expected, given, strict=True)):
        wanted[row, labels[want]] = 1
        if got in labels:
            answered[row, labels[got]] = 1
    return f1(wanted * answered, wanted, answered, seed)


def f1(hits: Floats, expected: Floats, given: Floats, seed: int) -> Estimate:
    """Macro F1 from 0/1 arrays of shape (rows, classes): right answers, what was expected, what was given.

    A class's F1 is 2·hits / (expected + given). A resample in which a class is never expected averages without it.
    """
    n = len(hits)
    if n == 0:
        raise BadInput("There are no rows to score.", "Give at least one test row.")
    kinds, counts = np.unique(np.concatenate([hits, expected, given], axis=1), axis=0, return_counts=True)
    resampled = np.random.default_rng(seed).multinomial(n, counts / n, size=RESAMPLES)

    def mean_f1(weights: Floats) -> Floats:
        hit, wanted, answered = np.split(weights @ kinds, 3, axis=1)
        present = wanted > 0
        per_class = np.divide(2 * hit, wanted + answered, out=np.zeros_like(hit), where=present)
        return np.asarray(per_class.sum(axis=1) / np.maximum(present.sum(axis=1), 1), dtype=np.float64)

    value = float(mean_f1(counts[None].astype(np.float64))[0])
    variance = float(mean_f1(resampled.astype(np.float64)).var())
    binary_variance = value * (1 - value)
    ratio = variance * n / binary_variance if binary_variance > 0 and variance > 0 else 1.0
    return _wilson_at(value, n / ratio, n)


def paired_difference(a: Scores, b: Scores, *, groups: Sequence[str] | None = None) -> Estimate:
    """Mean of a minus b over the same rows with its 95 % interval: Tango for 0/1 rows, pseudo-rows for other scores."""
    first, second = _scores(a), _scores(b)
    _same_length(len(first), len(second))
    n = len(first)
    if groups is None and _is_binary(first) and _is_binary(second):
        up, down = int((first > second).sum()), int((first < second).sum())
        return Estimate((up - down) / n, -_tango_upper(down, up, n), _tango_upper(up, down, n), n)
    differences = _differences(first, second)
    sums, sizes = _group_sums(differences, groups)
    changed = sums[sums != 0]
    typical = float((changed**2).mean()) if len(changed) else 1.0  # no difference seen: its size is unknown, take 1
    rows = n + PSEUDO_ROWS * n / len(sums)
    centre = float(differences.sum()) / rows
    variance = float(((sums - sizes * centre) ** 2).sum()) + PSEUDO_ROWS * (typical + (centre * n / len(sums)) ** 2)
    half = Z * math.sqrt(variance) / rows
    value = float(differences.mean())
    return Estimate(value, min(max(centre - half, -1.0), value), max(min(centre + half, 1.0), value), n)


def mcnemar_exact(a: Scores, b: Scores) -> float:
    """Two-sided p-value that two 0/1 scores are equally often right: exact binomial test on the rows that differ."""
    from scipy.stats import binom  # here: half of what starting a command would take

    first, second = _scores(a), _scores(b)
    _same_length(len(first), len(second))
    up, down = int((first > second).sum()), int((first < second).sum())
    return min(1.0, 2 * float(binom.cdf(min(up, down), up + down, 0.5))) if up + down else 1.0


def sign_flip(a: Scores, b: Scores, seed: int, *, groups: Sequence[str] | None = None) -> float:
    """Two-sided p-value of a paired permutation test: each row's (group's) difference may as well have the other sign.

    For 0/1 rows this is the exact McNemar test, up to the randomness of the flips.
    """
    differences = _differences(_scores(a), _scores(b))
    sums, _ = _group_sums(differences, groups)
    sums = sums[sums != 0]
    if not len(sums):
        return 1.0
    observed = abs(float(sums.sum()))
    random = np.random.default_rng(seed)
    extreme, block = 0, 1_000  # in blocks, so that thousands of rows stay within some megabytes
    for _ in range(SIGN_FLIPS // block):
        signs = random.integers(0, 2, size=(block, len(sums)), dtype=np.int8)
        flipped = 2 * (signs @ sums) - sums.sum()
        extreme += int((np.abs(flipped) >= observed - SMALLEST_DIFFERENCE).sum())
    return (extreme + 1) / (SIGN_FLIPS + 1)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down correction, in the order given: the family-wise error stays at the level of a single test."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return tuple(corrected)


def compare_all(
    rows_by_candidate: Mapping[str, Scores], seed: int, *, groups: Sequence[str] | None = None
) -> tuple[Comparison, ...]:
    """All pairs of candidates over the same rows: difference, its test, and the p-value after Holm over all pairs."""
    found: list[tuple[str, str, Estimate, float, str]] = []
    for (first, a), (second, b) in combinations(rows_by_candidate.items(), 2):
        exact = groups is None and _is_binary(_scores(a)) and _is_binary(_scores(b))
        p_value = mcnemar_exact(a, b) if exact else sign_flip(a, b, seed, groups=groups)
        test = "exact McNemar" if exact else "paired sign-flip permutation"
        found.append((first, second, paired_difference(a, b, groups=groups), p_value, test))
    corrected = holm([p_value for _, _, _, p_value, _ in found])
    return tuple(
        Comparison(first, second, difference, p_value, p_holm, test)
        for (first, second, difference, p_value, test), p_holm in zip(found, corrected, strict=True)
    )


def _wilson_at(share: float, rows: float, n: int) -> Estimate:
    """Wilson's interval of a share known as well as from `rows` 0/1 rows; n is what the estimate reports."""
    shrink = 1 + Z * Z / rows
    centre = (share + Z * Z / (2 * rows)) / shrink
    half = Z / shrink * math.sqrt(max(share * (1 - share), 0.0) / rows + Z * Z / (4 * rows * rows))
    return Estimate(share, min(max(centre - half, 0.0), share), max(min(centre + half, 1.0), share), n)


def _tango_upper(up: int, down: int, n: int) -> float:
    """Upper end for (up - down) / n: the largest difference that the score test at 5 % does not reject.

    The variance under a difference d uses the restricted maximum-likelihood share of `down` rows, the root of
    2n·q² + (d(2n - up + down) - up - down)·q - down·d(1 - d) = 0.
    """
    from scipy.optimize import brentq

    def rejection(d: float) -> float:
        linear = (2 * n - up + down) * d - up - down
        share_down = (math.sqrt(max(linear**2 + 8 * n * down * d * (1 - d), 0.0)) - linear) / (4 * n)
        return (up - down - n * d) ** 2 - Z * Z * n * (2 * share_down + d * (1 - d))

    # Just above the observed difference: where no row differs, the equation has a root at 0 that is not the one sought.
    start = (up - down) / n + 1e-9
    return 1.0 if start >= 1 else float(brentq(rejection, start, 1.0))


def _group_sums(values: Floats, groups: Sequence[str] | None) -> tuple[Floats, Floats]:
    """Sum of the values and number of rows of each group; every row is its own group where groups are not given."""
    if groups is None:
        return values, np.ones_like(values)
    _same_length(len(values), len(groups))
    _, index = np.unique(np.array(groups), return_inverse=True)
    sums: Any = np.bincount(index, weights=values)
    return sums, np.bincount(index).astype(np.float64)


def _scores(values: Scores) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or len(scores) == 0:
        raise BadInput("There are no row scores.", "Give at least one test row.")
    if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        wrong = next(float(s) for s in scores if not 0 <= s <= 1)
        raise BadInput(f"A row score is {wrong}.", "Row scores must lie between 0 and 1; correct the scorer.")
    return scores


def _differences(first: Floats, second: Floats) -> Floats:
    _same_length(len(first), len(second))
    differences = first - second
    differences[np.abs(differences) < SMALLEST_DIFFERENCE] = 0
    return differences


def _is_binary(scores: Floats) -> bool:
    return bool(((scores == 0) | (scores == 1)).all())


def _same_length(first: int, second: int) -> None:
    if first != second:
        raise BadInput(f"{first} rows cannot be paired with {second}.", "Score all candidates on the same rows.")
