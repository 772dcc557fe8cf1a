"""The story, from examples to a proven choice. START READING HERE.

    examples → checked and split → candidates → (a Skill is written, a model is tuned) → bench → verdict → deployment

Every line is a stage in `stages/`, and a command: `chapeta check`, `split`, `skills write`, `tune`, `bench`, `verdict`,
`deploy`. A stage whose inputs have not changed is not done again, and every stage goes on where it was killed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from chapeta import config
from chapeta.bench.answers import AnswerStore
from chapeta.bench.results import BenchResult, Verdict
from chapeta.deployments import candidate_from_json, deploy
from chapeta.engine.weights import is_local
from chapeta.errors import BadInput, OverLimit
from chapeta.examples.split import Splits
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.stages.bench import bench_stage
from chapeta.stages.candidates import Parts, build, choose_shots, write_skill_stage
from chapeta.stages.conclude import conclude
from chapeta.stages.estimate import Approve, approve_all, estimate, names_providers
from chapeta.stages.prepare import split_file, splits_of, task_of
from chapeta.stages.run import TUNING_SHARE, Run
from chapeta.stages.spend import spent_usd
from chapeta.stages.tune import Tuned, can_tune, tune_stage
from chapeta.stages.watch import Recorded
from chapeta.types import Candidate, Json, Task

CLOSING_S = 12.0  # kept for figures, report and receipt


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: the figures, which candidate to use and why, and where everything lies."""

    bench: BenchResult
    verdict: Verdict
    report: Path
    receipt: Path
    deployment: str

    def to_json(self) -> Json:
        """The object that `--json` prints; documented in docs/json.md and stable."""
        candidates = [
            {
                "name": c.name,
                "score": c.score.value,
                "interval": [c.score.low, c.score.high],
                "metric": c.metric,
                "n": c.score.n,
                "tokens_in": c.tokens_in,
                "tokens_out": c.tokens_out,
                "usd_per_1000_calls": c.usd_per_1000_calls,
                "latency_p50_ms": c.latency_p50_ms,
                "latency_p95_ms": c.latency_p95_ms,
                "flexibility": c.flexibility.value if c.flexibility else None,
            }
            for c in self.bench.candidates
        ]
        verdict = {"use": self.verdict.use, "reasons": list(self.verdict.reasons), "advice": self.verdict.advice}
        paths = {"report": str(self.report), "receipt": str(self.receipt), "deployment": self.deployment}
        return {"candidates": candidates, "verdict": verdict, **paths}


def specialize(run: Run, progress: Progress = SILENT, approve: Approve = approve_all) -> Outcome:
    """Everything, from the user's file to the deployed winner. Raises ChapetaError; run again, it goes on.

    approve: hears what the bench at providers will cost before it begins, and raises to stop there.
    """
    bench, verdict = prove(run, progress, approve=approve)
    deploy_candidate(run, verdict.use)
    return Outcome(bench, verdict, run.folder / "report.html", run.folder / "receipt", run.settings.name)


def prove(
    run: Run, progress: Progress = SILENT, fresh: bool = True, approve: Approve = approve_all
) -> tuple[BenchResult, Verdict]:
    """All but the deployment. Without `fresh` the run's splits and adapters are used as earlier stages left them."""
    clock = Clock(run.settings.limit_minutes)
    with Recorded(progress, run.folder) as progress:
        with (
            Gateway(run.settings.budget_usd, run.label, spent_usd(run)) as gateway,
            AnswerStore(config.home() / "answers.sqlite") as store,
        ):
            splits = (split_file if fresh else splits_of)(run, gateway, progress)
            task = task_of(run, splits, gateway)
            gateway.before_paying = lambda: approve(estimate(run, task, splits, gateway, store))
            if (
                names_providers(run) and not (run.folder / "bench.json").exists()
            ):  # asked now, not after an hour of training
                gateway.agree()
            candidates, tuned = make_candidates(run, task, splits, gateway, store, progress, clock, fresh)
            benched = bench_stage(
                run, task, splits, candidates, tuned, gateway, store, progress, clock.bench_deadline()
            )
        progress.stage("Verdict")
        return benched.result, conclude(run, benched, splits, tuned)


def make_candidates(
    run: Run, task: Task, splits: Splits, gateway: Gateway, store: AnswerStore, progress: Progress, clock: Clock,
    fresh: bool = True,
) -> tuple[list[Candidate], list[Tuned]]:  # fmt: skip
    """The candidates of every model: skill written, shown examples chosen, adapter trained."""
    wants_skill = any(name.endswith("skill") for name in run.settings.candidates)
    skill = write_skill_stage(run, task, splits, gateway, progress).body if wants_skill else ""
    wants_tuning = any(name.startswith("tuned") for name in run.settings.candidates)
    if wants_tuning and not can_tune(splits):
        progress.say(f"{len(splits.train)} training rows are too few to tune on: no tuned candidate")
        wants_tuning = False
    candidates: list[Candidate] = []
    tuned: list[Tuned] = []
    for model in run.settings.models:
        shots = choose_shots(run, model, task, splits, gateway, store, progress)
        adapter = None
        if wants_tuning and not is_local(model):
            progress.say(f"{model} answers at a provider and cannot be tuned here: no tuned candidate of it")
        elif wants_tuning:
            limit_s = clock.tuning_s(len(run.settings.models))
            try:
                made = tune_stage(run, model, task, splits, gateway, store, progress, limit_s, fresh)
            except OverLimit as error:
                progress.say(f"no tuned candidate: {error}")
            else:
                tuned.append(made)
                adapter = made.result.adapter_gguf
        candidates += build(run, model, Parts(model, task, splits.train, skill, shots, adapter))
    return candidates, tuned


def deploy_candidate(run: Run, candidate_name: str, as_name: str | None = None, fallbacks: tuple[str, ...] = ()) -> str:
    """Gives a candidate of the bench a name that answers, by default the run's. Returns the name.

    fallbacks: models that take over, in this order, when the candidate's own does not answer.
    """
    candidates = [candidate_from_json(data) for data in run.read("candidates.json", f"bench {run.settings.name}")]
    found = next((c for c in candidates if c.name == candidate_name), None)
    if found is None:
        names = ", ".join(c.name for c in candidates)
        raise BadInput(f"The run has no candidate '{candidate_name}'.", f"Choose from: {names}.")
    name = as_name or run.settings.name
    deploy(name, found, fallbacks)
    return name


class Clock:
    """The time limit of a run, shared out between tuning and bench. Without a limit everything is None."""

    def __init__(self, limit_minutes: float | None) -> None:
        self._end = time.monotonic() + 60 * limit_minutes if limit_minutes else None

    def tuning_s(self, models: int) -> float | None:
        """Seconds for the tuning of one of so many models."""
        if self._end is None:
            return None
        return max(1.0, TUNING_SHARE * (self._end - CLOSING_S - time.monotonic()) / models)

    def bench_deadline(self) -> float | None:
        """time.monotonic() by which the bench has to be done."""
        return None if self._end is None else self._end - CLOSING_S
