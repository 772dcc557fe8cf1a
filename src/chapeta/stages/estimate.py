"""What a run at providers will cost, before a single call is paid for.

Answers are taken to be as long as the expected ones; hidden reasoning comes on top. A skill that is not written yet counts
with the length that such skills have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from chapeta.bench.answers import AnswerStore, key_of
from chapeta.engine.weights import is_local
from chapeta.examples.split import Splits
from chapeta.gateway.door import BYTES_A_TOKEN, Gateway
from chapeta.skills.file import read_skill
from chapeta.stages.candidates import CHOOSING_ROWS, SHOT_SETS, SHOTS, WRITER_TOKENS, Parts, build
from chapeta.stages.run import Run
from chapeta.types import Candidate, Example, Task

SAMPLE_ROWS = 32
SKILL_TOKENS = 600
WRITER_PROMPT_TOKENS = 4000
JUDGE_PROMPT_TOKENS, JUDGE_TOKENS = 400, 100


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls to providers that are still to be made. usd: about what they cost; unpriced: models whose price nobody knows."""

    calls: int
    usd: float
    unpriced: tuple[str, ...]

    def __str__(self) -> str:
        sum_of = f"about ${self.usd:.2f}" if self.usd >= 0.01 or not self.usd else "less than $0.01"
        about = f"{self.calls:,} calls to providers, {sum_of}"
        return f"{about}, and the price of {', '.join(self.unpriced)} is unknown" if self.unpriced else about


Approve = Callable[[Estimate], None]


def approve_all(_: Estimate) -> None:
    """Goes on whatever it costs: the budget, if there is one, still holds."""


def estimate(run: Run, task: Task, splits: Splits, gateway: Gateway, store: AnswerStore) -> Estimate:
    """The whole run: writing the skill, choosing shown examples, the bench, the judge. Answers known already are free."""
    settings, tally = run.settings, _Tally(gateway)
    candidates: list[Candidate] = []
    for model in settings.models:
        parts = Parts(model, task, splits.train, _skill(run), splits.train[:SHOTS], None)
        candidates += build(run, model, parts)
    for candidate in candidates:
        shape = _shape(candidate, splits.test, gateway)
        tally.add(candidate.model, _unknown(candidate, splits.test, gateway, store), *shape)
        if candidate.name.startswith("few-shot") and settings.limit_minutes is None:
            tally.add(candidate.model, SHOT_SETS * min(CHOOSING_ROWS, len(splits.validation)), *shape)
    if settings.writer and not (run.folder / "skill" / "skill.json").exists():
        tally.add(settings.writer, 1, WRITER_PROMPT_TOKENS, WRITER_TOKENS)
    if settings.judge:
        tally.add(settings.judge, len(candidates) * len(splits.test), JUDGE_PROMPT_TOKENS, JUDGE_TOKENS)
    return Estimate(tally.calls, tally.usd, tuple(dict.fromkeys(tally.unpriced)))


def names_providers(run: Run) -> bool:
    """Whether the run names a model that is not one of this machine's own."""
    named = (*run.settings.models, run.settings.writer, run.settings.judge)
    return any(not is_local(model) for model in named if model)


@dataclass(slots=True)
class _Tally:
    """Adds up calls; those to local models cost nothing and do not count."""

    gateway: Gateway
    calls: int = 0
    usd: float = 0.0
    unpriced: list[str] = field(default_factory=list)

    def add(self, model: str, calls: int, tokens_in: float, tokens_out: float) -> None:
        if not calls or is_local(self.gateway.candidate(model).model):
            return
        self.calls += calls
        price = self.gateway.price_of(model)
        if price is None:
            self.unpriced.append(model)
        else:
            self.usd += calls * ((price.input * tokens_in + price.output * tokens_out) / 1e6 + price.usd_per_call)


def _unknown(candidate: Candidate, rows: Sequence[Example], gateway: Gateway, store: AnswerStore) -> int:
    """How many of a candidate's answers no earlier run has brought."""
    if is_local(candidate.model):
        return 0
    requests = [candidate.render(row.messages) for row in rows]
    keys = [key_of(request, gateway.identity(request)) for request in requests]
    return len(set(keys) - set(store.find(keys)))


def _shape(candidate: Candidate, rows: Sequence[Example], gateway: Gateway) -> tuple[float, float]:
    """Tokens in and out of one question, by a sample of the rows; (0, 0) for local models."""
    if is_local(candidate.model) or not rows:
        return 0.0, 0.0
    sample = rows[:: max(1, len(rows) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    shown = [candidate.render(row.messages).messages for row in sample]
    tokens_in = fmean(sum(gateway.count_tokens(candidate.model, m.content) for m in turns) for turns in shown)
    return tokens_in, fmean(gateway.count_tokens(candidate.model, row.answer) for row in sample)


def _skill(run: Run) -> str:
    """The run's skill, or before it is written a text as long as such skills are."""
    folder = run.folder / "skill" / run.settings.name
    return read_skill(folder).body if (folder / "SKILL.md").exists() else "word" * (SKILL_TOKENS * BYTES_A_TOKEN // 4)
