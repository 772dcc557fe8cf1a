"""The automatic choices of a tuning run, each with its reason. Pure: numbers in, recipe out.

Sources: rows-to-rank-and-epochs table synthesised from vendors' practice; learning rate by the Tinker cookbook's rule,
5e-4 × (2000 / hidden size)^k; capacity by *LoRA Without Regret* (adapter parameters ≥ trained answer tokens).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chapeta.errors import BadInput

PRECISIONS = ("auto", "fp32", "bf16")
SCHEDULES = ("linear", "cosine")
MIN_ROWS = 10
MOST_REPLAY_ROWS = 100
SECONDS_A_REPLAY_ROW = 10.0  # of a time limit: asking the embedded model for one takes about a second
LEAST_REPLAY_ROWS_LIMITED = 20  # fewer kept nothing of the general ability in a short training (design/LOG.md)
MAX_LEARNING_RATE = 5e-4  # twice as high scored no better and cost twice the divergence from the base (design/LOG.md)
LEARNING_RATE_EXPONENTS = {"llama": 0.781, "qwen2": 0.0775, "qwen3": 0.0775}
CAUTIOUS_EXPONENT = 0.0775


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the recipe needs to know of the base model. `parameters_per_rank`: LoRA parameters that one rank adds."""

    architecture: str
    hidden_size: int
    layers: int
    parameters_per_rank: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class DataShape:
    """What the recipe needs to know of the training rows, counted in the model's own tokens."""

    rows: int
    longest_row_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of one run.

    alpha: the adapter's output is scaled by alpha / rank. warmup_share: share of the steps with rising learning rate.
    adapted_layers: how many of the uppermost layers get an adapter; 0 is all of them.
    lora_plus_ratio: how many times the learning rate of the matrices A that of B is (LoRA+, Hayou et al. 2024,
        arXiv 2402.12354).
    max_tokens: longer rows are left out (and counted). evaluate_every_steps: 0 is at the end of each epoch.
    validation_rows: at most so many validation rows are scored. replay_rows: the base model's own answers mixed in.
    micro_batch_tokens: tokens of one forward pass; the batch is summed over such pieces. It bounds memory: the embedded
        model takes about 0.95 GB and 2.1 MB a token (measured).
    """

    rank: int
    alpha: float
    epochs: float
    batch_rows: int
    learning_rate: float
    max_tokens: int
    adapted_layers: int = 0
    lora_plus_ratio: float = 1.0
    warmup_share: float = 0.05
    schedule: Literal["linear", "cosine"] = "linear"
    max_grad_norm: float = 1.0
    weight_decay: float = 0.0
    replay_rows: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    checkpoint_every_steps: int = 25
    evaluate_every_steps: int = 0
    validation_rows: int = 256
    micro_batch_tokens: int = 768

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name))


@dataclass(frozen=True, slots=True)
class ChosenRecipe:
    """A recipe and, for each setting that was chosen or given, one sentence why."""

    recipe: Recipe
    reasons: Mapping[str, str]


def choose_recipe(
    data: DataShape, model: ModelShape, overrides: Mapping[str, Any] | None = None, limited: bool = False
) -> ChosenRecipe:
    """The recipe for this data and model; `overrides` (field name → value) win over every automatic choice.

    limited: there is a time limit, in which training will probably not end.
    Raises BadInput for fewer than 10 rows, an unknown setting or a value out of range.
    """
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    if data.rows < MIN_ROWS:
        raise BadInput(
            f"{data.rows} training rows are too few to tune on.", f"Bring at least {MIN_ROWS}, or use a skill."
        )
    unknown = set(given) - {field.name for field in dataclasses.fields(Recipe)}
    if unknown:
        raise BadInput(f"No recipe setting is called '{min(unknown)}'.", "See `chapeta tune --help`.")
    layers = _adapted_layers(model, limited)
    adapted = given.get("adapted_layers", layers[0])
    share = min(1.0, adapted / model.layers) if isinstance(adapted, int) and adapted > 0 else 1.0
    chosen: dict[str, tuple[Any, str]] = {
        "adapted_layers": layers,
        "rank": _rank(data, max(1, int(model.parameters_per_rank * share))),
        "epochs": _epochs(data.rows),
        "batch_rows": _batch_rows(data.rows),
        "learning_rate": _learning_rate(model, limited),
        "lora_plus_ratio": _lora_plus_ratio(limited),
        "max_tokens": _max_tokens(data, model),
    }
    rank = given.get("rank", chosen["rank"][0])
    chosen["alpha"] = (
        2 * rank if isinstance(rank, int) else rank,
        "Twice the rank: the adapter's scale is 2 at every rank.",
    )
    values = {name: value for name, (value, _) in chosen.items()} | given
    reasons = {name: reason for name, (_, reason) in chosen.items()} | dict.fromkeys(given, "Given by you.")
    return ChosenRecipe(Recipe(**values), reasons)


def choose_replay_rows(rows: int, limit_s: float | None = None) -> tuple[int, str]:
    """How many of the base model's own general answers to mix into so many training rows, and why.

    limit_s: seconds that tuning may take.
    """
    most = min(MOST_REPLAY_ROWS, rows // 5)
    if limit_s is not None and (fit := int(limit_s / SECONDS_A_REPLAY_ROW)) < most:
        if fit < LEAST_REPLAY_ROWS_LIMITED:
            return 0, "The time limit leaves no time for as many as would keep general ability."
        return fit, "A tenth of the time limit's seconds: the base model's own answers keep general ability."
    reason = f"A fifth of the training rows, at most {MOST_REPLAY_ROWS}"
    return most, f"{reason}: the base model's own answers keep general ability."


def _adapted_layers(model: ModelShape, limited: bool) -> tuple[int, str]:
    if not limited:
        return 0, "All layers."
    return (
        math.ceil(model.layers / 3),
        "The upper third, under a time limit: those below are computed once, and more epochs fit.",
    )


def _rank(data: DataShape, parameters_per_rank: int) -> tuple[int, str]:
    least = 8 if data.rows < 300 else 16
    enough = next((r for r in (8, 16, 32) if r * parameters_per_rank >= data.answer_tokens), 64)
    if enough > least:
        return enough, f"{data.answer_tokens:,} trained answer tokens need at least as many adapter parameters."
    size = least * parameters_per_rank
    return (
        least,
        f"{data.rows:,} rows; its {size:,} parameters are room enough for {data.answer_tokens:,} answer tokens.",
    )


def _epochs(rows: int) -> tuple[int, str]:
    table = ((30, 8), (60, 6), (300, 5), (600, 4), (20_000, 3), (50_000, 2), (math.inf, 1))
    epochs = next(epochs for below, epochs in table if rows < below)
    return epochs, f"{rows:,} rows: fewer rows are read more often; the best checkpoint on validation is kept."


def _batch_rows(rows: int) -> tuple[int, str]:
    batch = 4 if rows < 60 else 8 if rows < 1_000 else 16
    return batch, f"{rows:,} rows: LoRA prefers small batches, and {math.ceil(rows / batch):,} steps an epoch suffice."


def _lora_plus_ratio(limited: bool) -> tuple[float, str]:
    if not limited:
        return 1.0, "Both matrices learn at the same rate."
    return 4.0, "The matrices B learn faster under a time limit: that gets as far in fewer steps (LoRA+)."


def _learning_rate(model: ModelShape, limited: bool) -> tuple[float, str]:
    exponent = LEARNING_RATE_EXPONENTS.get(model.architecture, CAUTIOUS_EXPONENT)
    rate = float(f"{5e-4 * (2000 / model.hidden_size) ** exponent:.2g}")
    rule = f"5e-4 × (2000 / {model.hidden_size})^{exponent} for {model.architecture}"
    if rate <= MAX_LEARNING_RATE:
        return rate, f"{rule}."
    if limited:
        return rate, f"{rule}; not capped under a time limit: a higher rate gets as far in half the steps."
    return (
        MAX_LEARNING_RATE,
        f"{rule} gives {rate:.1e}; capped: on so small a model more costs general ability and scores no better.",
    )


def _max_tokens(data: DataShape, model: ModelShape) -> tuple[int, str]:
    if data.longest_row_tokens > model.context_tokens:
        return model.context_tokens, f"The model's context; the longest row has {data.longest_row_tokens:,} tokens."
    return max(data.longest_row_tokens, 2), "The longest row fits the model's context, so no row is left out."


_RANGES: dict[str, tuple[float, float, bool]] = {  # lowest, highest, whole number
    "rank": (1, 512, True),
    "alpha": (1e-6, 1e6, False),
    "epochs": (1e-3, 1000, False),
    "batch_rows": (1, 4096, True),
    "learning_rate": (1e-8, 1, False),
    "max_tokens": (2, 1_000_000, True),
    "adapted_layers": (0, 10_000, True),
    "lora_plus_ratio": (0.01, 1000, False),
    "warmup_share": (0, 0.9, False),
    "max_grad_norm": (1e-6, 1e6, False),
    "weight_decay": (0, 1, False),
    "replay_rows": (0, 1_000_000, True),
    "checkpoint_every_steps": (1, 1_000_000, True),
    "evaluate_every_steps": (0, 1_000_000, True),
    "validation_rows": (1, 1_000_000, True),
    "micro_batch_tokens": (16, 1_000_000, True),
}
_CHOICES: dict[str, tuple[str, ...]] = {"schedule": SCHEDULES, "precision": PRECISIONS}


def _check(name: str, value: Any) -> None:
    option = name.replace("_", "-")
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise BadInput(f"{option} is '{value}'.", f"Choose one of {', '.join(_CHOICES[name])}.")
        return
    low, high, whole = _RANGES[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or (whole and not isinstance(value, int)):
        kind = "a whole number" if whole else "a number"
        raise BadInput(f"{option} is {value!r}.", f"Give {kind} from {low:g} to {high:g}.")
