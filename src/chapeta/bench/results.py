"""What a bench found, as data: the interface between bench, verdict, report and receipt, and the body of `bench.json`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from chapeta.types import Json


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval. Scores and rates are shares between 0 and 1 (not per cent); n: rows behind it."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """One candidate over the test rows.

    score:    the main metric. `scores` holds every metric by name, the main one included.
    tokens_*: mean per call. usd_per_1000_calls: None is unknown, 0.0 is a local model that nobody bills.
    latency_*: milliseconds of a whole answer.
    flexibility: change of the general suite's score against the base model (tuned minus base, paired; negative is a loss);
              None for candidates that do not change the weights.
    kl_nats:  mean KL divergence per answer token from the base on the general suite, in nats; None as above.
    trains:   whether the candidate needs training (seconds in BenchResult.training_s).
    row_scores: main metric row by row, in the order of BenchResult.row_ids.
    """

    name: str
    metric: str
    score: Estimate
    scores: dict[str, Estimate]
    tokens_in: float
    tokens_out: float
    usd_per_1000_calls: float | None
    latency_p50_ms: float
    latency_p95_ms: float
    trains: bool
    errors: int = 0
    flexibility: Estimate | None = None
    kl_nats: float | None = None
    row_scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two candidates on the same rows: difference of the main metric (first minus second) and its test.

    p_value: exact McNemar for 0/1 scores, paired bootstrap or permutation otherwise; p_holm: after Holm's correction.
    """

    first: str
    second: str
    difference: Estimate
    p_value: float
    p_holm: float
    test: str


@dataclass(frozen=True, slots=True)
class BenchResult:
    """Everything the verdict and the report need. `row_ids` are example ids of the test split, in order.

    trivial_score: main metric on the test rows of always giving the most frequent training answer; None: not measured.
    """

    task: str
    metric: str
    n_test: int
    row_ids: tuple[str, ...]
    candidates: tuple[CandidateResult, ...]
    comparisons: tuple[Comparison, ...]
    training_s: float | None = None
    training_usd: float | None = None
    n_train: int = 0
    general_base: Estimate | None = None
    notes: tuple[str, ...] = field(default=())
    trivial_score: float | None = None

    def to_json(self) -> Json:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> BenchResult:
        def estimate(d: Json | None) -> Estimate | None:
            return Estimate(**d) if d else None

        def candidate(d: Json) -> CandidateResult:
            scores = {name: Estimate(**e) for name, e in d["scores"].items()}
            fixed = {"score": Estimate(**d["score"]), "scores": scores, "flexibility": estimate(d["flexibility"])}
            return CandidateResult(**{**d, **fixed, "row_scores": tuple(d["row_scores"])})

        return cls(
            **{
                **data,
                "row_ids": tuple(data["row_ids"]),
                "candidates": tuple(candidate(d) for d in data["candidates"]),
                "comparisons": tuple(
                    Comparison(**{**d, "difference": Estimate(**d["difference"])}) for d in data["comparisons"]
                ),
                "general_base": estimate(data["general_base"]),
                "notes": tuple(data["notes"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which candidate to use, by the rule in `verdict.py`, with reasons in words. `use` is a candidate's name.

    rows_needed: test rows in all that would likely settle the cheapest undecided candidate; None if all is settled.
    """

    use: str
    advice: str
    reasons: tuple[str, ...]
    indicative: bool
    margin: float
    break_even_calls: float | None = None
    rows_needed: int | None = None

    def to_json(self) -> Json:
        return dataclasses.asdict(self)
