"""The tuning stage: a recipe from the data, then an adapter from the recipe."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapeta.bench.answers import AnswerStore
from chapeta.bench.run import answer_requests
from chapeta.engine import weights
from chapeta.errors import Missing
from chapeta.examples.split import Splits
from chapeta.files import write_json
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.skills.prompts import short_instruction
from chapeta.stages.run import Run, fingerprint
from chapeta.tuning.recipe import MIN_ROWS, ChosenRecipe, Recipe, choose_recipe, choose_replay_rows
from chapeta.tuning.replay import mix_replay, replay_row
from chapeta.tuning.replay_prompts import replay_requests
from chapeta.tuning.trainer import TrainingRow, TuneProgress, TuneResult
from chapeta.types import Example, Json, Task


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the stage made: the adapter, how it was made, and what it took."""

    model: str
    result: TuneResult
    recipe: ChosenRecipe

    @property
    def is_whole(self) -> bool:
        """Whether no time limit has shortened the training."""
        return self.result.planned_epochs >= self.recipe.recipe.epochs

    def owes_nothing(self, given: Mapping[str, Any], replay_rows: int) -> bool:
        """Whether no time limit has shortened the training, nor chosen its recipe. given: what the user has set of it."""
        recipe = self.recipe.recipe
        fewer_layers = recipe.adapted_layers and "adapted_layers" not in given
        return self.is_whole and not fewer_layers and recipe.replay_rows >= replay_rows

    def to_json(self) -> Json:
        """All of it but the paths, which follow from the folder."""
        figures = {k: v for k, v in dataclasses.asdict(self.result).items() if not isinstance(v, Path)}
        recipe = {"recipe": dataclasses.asdict(self.recipe.recipe), "reasons": dict(self.recipe.reasons)}
        return {"model": self.model, "result": figures, **recipe}

    @classmethod
    def from_json(cls, data: Json, folder: Path) -> Tuned:
        """The inverse of `to_json`; `folder` is where the adapter lies."""
        history = tuple(TuneProgress(**p) for p in data["result"]["history"])
        places = {"adapter_gguf": folder / "adapter.gguf", "adapter_peft": folder / "adapter", "history": history}
        result = TuneResult(**{**data["result"], **places})
        return cls(data["model"], result, ChosenRecipe(Recipe(**data["recipe"]), data["reasons"]))


def tune_stage(
    run: Run, model: str, task: Task, splits: Splits, gateway: Gateway, store: AnswerStore,
    progress: Progress = SILENT, time_limit_s: float | None = None, whole: bool = True,
) -> Tuned:  # fmt: skip
    """Trains the adapter of one local model; finished work is kept, interrupted work goes on.

    whole: what an earlier time limit has shortened is finished now, unless there is a limit again.
    """
    progress.stage(f"Tune {model}" if len(run.settings.models) > 1 else "Tune")
    replay_rows, why = run.settings.replay_rows, "Given by you."
    if replay_rows is None:
        limit_s = None if time_limit_s is None else run.settings.tuning_limit_s or time_limit_s
        replay_rows, why = choose_replay_rows(len(splits.train), limit_s)
    done = finished(run, model, splits)
    if done is not None and (time_limit_s or not whole or done.owes_nothing(run.settings.recipe, replay_rows)):
        progress.say("nothing has changed: the tuned model of the earlier run is kept")
        return done
    with needs_torch():
        from chapeta.tuning.load import load_tokeniser
        from chapeta.tuning.local import data_shape, model_shape, tune
        from chapeta.tuning.tokenise import tokenise
    started = time.monotonic()
    file = weights.ensure(model, progress.say)
    system = short_instruction(task)
    train: tuple[TrainingRow, ...] = rows_of(system, splits.train)
    if replay_rows:
        requests = replay_requests(model, replay_rows)
        answers = answer_requests(requests, gateway, store, lambda d, t, n: progress.advance(d, t, f"replay rows, {n}"))
        replay = [replay_row(r.messages, a.text) for r, a in zip(requests, answers, strict=True) if a.finish == "stop"]
        train = mix_replay(train, replay, replay_rows, run.settings.seed)
    gateway.close()  # the engine's threads would wait for work on the cores that training needs
    tokenised = tokenise(train, load_tokeniser(file))
    overrides = {**run.settings.recipe, "replay_rows": replay_rows}
    chosen = choose_recipe(data_shape(tokenised), model_shape(file), overrides, limited=time_limit_s is not None)
    chosen = dataclasses.replace(chosen, reasons={**chosen.reasons, "replay_rows": why})
    folder = folder_of(run, model)
    write_json(folder / "recipe.json", {"recipe": dataclasses.asdict(chosen.recipe), "reasons": dict(chosen.reasons)})
    for name, reason in chosen.reasons.items():
        value = getattr(chosen.recipe, name)
        progress.say(f"{name.replace('_', ' ')} {value if isinstance(value, str) else format(value, 'g')}: {reason}")
    validation = rows_of(system, splits.validation)

    def step(p: TuneProgress) -> None:
        score = f", {p.validation_score:.1%} right on validation" if p.validation_score is not None else ""
        progress.advance(p.step, p.total_steps, f"loss {p.loss:.3f}, {p.tokens_per_s:.0f} tokens/s{score}")

    left_s = None if time_limit_s is None else time_limit_s - (time.monotonic() - started)
    result = tune(file, train, validation, chosen.recipe, folder, run.settings.seed, step, left_s)
    made = Tuned(model, result, chosen)
    if not made.is_whole:
        progress.say(f"{result.planned_epochs:.2g} of {chosen.recipe.epochs:g} epochs fit the time limit")
    write_json(folder / "result.json", {"made_from": _made_from(run, model, splits), **made.to_json()})
    return made


def finished(run: Run, model: str, splits: Splits) -> Tuned | None:
    """The tuned model of an earlier run of this folder, if everything it depends on is the same."""
    folder = folder_of(run, model)
    name = str((folder / "result.json").relative_to(run.folder))
    if not run.is_current(name, _made_from(run, model, splits)) or not (folder / "adapter.gguf").exists():
        return None
    return Tuned.from_json(run.read(name, "tune"), folder)


def _made_from(run: Run, model: str, splits: Splits) -> str:
    rows = [[e.id, e.weight] for e in (*splits.train, *splits.validation)]
    s = run.settings
    return fingerprint("tune", rows, weights.weights_sha256(weights.ensure(model)), s.recipe, s.replay_rows, s.seed)


def can_tune(splits: Splits) -> bool:
    """Whether there is enough to train on."""
    return len(splits.train) >= MIN_ROWS


def rows_of(system: str, examples: Sequence[Example]) -> tuple[TrainingRow, ...]:
    """Examples as the tuned model meets them, in training and in use."""
    return tuple(TrainingRow(system, example) for example in examples)


def folder_of(run: Run, model: str) -> Path:
    """Where the adapter of a model is kept; files of the user's own get a mark of their path, names may repeat."""
    mark = f"-{fingerprint(model)[:8]}" if model.endswith(".gguf") else ""
    return run.folder / "tuned" / f"{Path(model).stem}{mark}"


@contextmanager
def needs_torch() -> Iterator[None]:
    """Around an import: says how to install what is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise Missing(
            f"Tuning needs the package {error.name}.",
            "Run `pip install 'chapeta[tune]'`, or leave it out: --candidates base,few-shot,nearest,skill.",
        ) from None


def preview_rows(model: str, task: Task, splits: Splits, count: int) -> list[list[tuple[str, bool]]]:
    """The first training rows as runs of text and whether their tokens are trained."""
    with needs_torch():
        from chapeta.tuning.load import load_tokeniser
        from chapeta.tuning.tokenise import preview
    rows = rows_of(short_instruction(task), splits.train[:count])
    return preview(rows, load_tokeniser(weights.ensure(model)), count)
