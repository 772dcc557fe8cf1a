"""Candidates: what answers in the bench. A new kind is one function here and one line in the table.

All of them get the same decoding: closed labels and JSON are decoded under constraint for every candidate alike, so
that none loses by format alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from chapeta.bench.answers import AnswerStore
from chapeta.bench.run import answer_examples
from chapeta.bench.scorers import scorer_for
from chapeta.examples.nearest import Nearest
from chapeta.examples.split import Splits
from chapeta.files import read_json, sha256, write_json
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.skills.file import Skill, read_skill, write_skill
from chapeta.skills.prompts import instruction, short_instruction
from chapeta.skills.shots import choose, shot_sets
from chapeta.skills.write import write_by_rule, write_with_model
from chapeta.stages.prepare import token_counter
from chapeta.stages.run import Run, fingerprint
from chapeta.types import Candidate, Decoding, Example, Labels, Message, Request, Task

SHOTS = 4
SHOT_SETS = 3
NEAREST = 3
CHOOSING_ROWS = 24  # validation rows on which the shown examples are chosen
WRITER_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Parts:
    """What candidates of one model are made of. `adapter` is None before tuning, or where it was not asked for."""

    model: str
    task: Task
    train: tuple[Example, ...]
    skill: str
    shots: tuple[Example, ...]
    adapter: Path | None

    def candidate(self, name: str, system: str, adapter: Path | None = None) -> Candidate:
        return Candidate(name, self.model, self.task.decoding, system, adapter=str(adapter) if adapter else None)


def base(parts: Parts) -> Candidate:
    """The plain prompt: the task, and the labels or keys of the answer."""
    return parts.candidate("base", instruction(parts.task, parts.train))


def few_shot(parts: Parts) -> Candidate:
    """The plain prompt and a fixed set of examples, chosen on validation rows."""
    return dataclasses.replace(base(parts), name="few-shot", shots=parts.shots)


def nearest(parts: Parts) -> Candidate:
    """The plain prompt and the training examples most similar to the question."""
    return dataclasses.replace(base(parts), name="nearest", retriever=Nearest(parts.train, NEAREST))


def skill(parts: Parts) -> Candidate:
    """The skill as instructions."""
    return parts.candidate("skill", parts.skill)


def tuned(parts: Parts) -> Candidate:
    """The tuned model with the one line it was trained with."""
    return parts.candidate("tuned", short_instruction(parts.task), parts.adapter)


def tuned_skill(parts: Parts) -> Candidate:
    """The tuned model with the skill as instructions."""
    return parts.candidate("tuned+skill", parts.skill, parts.adapter)


BUILDERS: dict[str, Callable[[Parts], Candidate]] = {
    "base": base, "few-shot": few_shot, "nearest": nearest, "skill": skill, "tuned": tuned, "tuned+skill": tuned_skill,
}  # fmt: skip


def build(run: Run, model: str, parts: Parts) -> tuple[Candidate, ...]:
    """The candidates that the run asks for, of one model; with several models the names say which."""
    built = [BUILDERS[name](parts) for name in run.settings.candidates if parts.adapter or not name.startswith("tuned")]
    several = len(run.settings.models) > 1
    return tuple(dataclasses.replace(c, name=f"{c.name}@{model}") if several else c for c in built)


def write_skill_stage(
    run: Run, task: Task, splits: Splits, gateway: Gateway, progress: Progress = SILENT, again: bool = False
) -> Skill:
    """The run's skill: written from the training rows, or as the user has edited it since."""
    progress.stage("Skill")
    folder = run.folder / "skill" / run.settings.name
    made_from = fingerprint("skill", [e.id for e in splits.train], str(task), run.settings.writer)
    file = folder / "SKILL.md"
    if file.exists() and not again:
        facts = read_json(run.folder / "skill" / "skill.json", "chapeta skills write")
        if facts["sha256"] != sha256(file):
            progress.say(f"{file} was edited by hand and is used as it is")
            return read_skill(folder)
        if facts["made_from"] == made_from:
            return read_skill(folder)
    count = token_counter(gateway, run.settings.models[0])
    if run.settings.writer:
        ask = asker(gateway, run.settings.writer)
        written = write_with_model(task, splits.train, run.settings.name, ask, count)
    else:
        written = write_by_rule(task, splits.train, run.settings.name, count)
    for warning in written.warnings:
        progress.say(warning)
    write_skill(folder, written)
    write_json(run.folder / "skill" / "skill.json", {"made_from": made_from, "sha256": sha256(file)})
    progress.say(f"{count(written.body)} tokens in {file}")
    return written


def choose_shots(
    run: Run, model: str, task: Task, splits: Splits, gateway: Gateway, store: AnswerStore, progress: Progress = SILENT
) -> tuple[Example, ...]:
    """The shown examples of `few-shot`: of several sets the one with the best score on validation rows."""
    if "few-shot" not in run.settings.candidates:
        return ()
    progress.stage("Few-shot")
    wanted = max(SHOTS, min(len(task.constraint.values), 8)) if isinstance(task.constraint, Labels) else SHOTS
    n_sets = SHOT_SETS if run.settings.limit_minutes is None else 1  # under a time limit the best by rule
    sets = shot_sets(task, splits.train, wanted, n_sets, run.settings.seed)
    rows = _spread(splits.validation, CHOOSING_ROWS)
    if not rows or len(sets) < 2:
        return sets[0]
    scorer = scorer_for(task.kind)
    plain = base(Parts(model, task, splits.train, "", (), None))
    tried = 0

    def score(shots: tuple[Example, ...]) -> float:
        nonlocal tried
        candidate = dataclasses.replace(plain, shots=shots)
        before = tried * len(rows)
        answers = answer_examples(
            candidate, rows, gateway, store,
            lambda done, _, note: progress.advance(before + done, len(sets) * len(rows), note),
        )  # fmt: skip
        tried += 1
        return fmean(scorer.score(rows, answers, task).rows)

    return choose(sets, score)


def asker(gateway: Gateway, model: str, max_tokens: int = WRITER_TOKENS) -> Callable[[str], str]:
    """A model as a function from a prompt to its answer."""
    known = gateway.candidate(model)
    decoding = Decoding(max_tokens=max_tokens)

    def ask(prompt: str) -> str:
        rendered = known.render((Message("user", prompt),))
        return gateway.answer(Request(rendered.model, rendered.messages, decoding, rendered.adapter)).text

    return ask


def _spread(rows: Sequence[Example], most: int) -> tuple[Example, ...]:
    """At most so many rows, evenly over the split."""
    step = max(1, len(rows) // most)
    return tuple(rows[::step][:most])
