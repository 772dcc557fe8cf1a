"""What a run will take before it is begun: the file read and checked, and time and price of each candidate.

Prices are those of `stages/estimate.py`. Times are of this machine: by the training of an earlier run with the same model
where there is one, else by how fast the processor multiplies just now. They are right within a factor of about two.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from chapeta import config
from chapeta.bench.answers import AnswerStore
from chapeta.engine import weights
from chapeta.errors import BadInput
from chapeta.examples.check import CheckReport, good_examples
from chapeta.examples.source import open_source
from chapeta.examples.split import Splits, split
from chapeta.examples.task import infer_task
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.stages.candidates import CHOOSING_ROWS, NEAREST, SHOT_SETS
from chapeta.stages.estimate import Estimate, estimate
from chapeta.stages.prepare import check_file, require_metric, token_counter
from chapeta.stages.run import MOST_GENERAL_ITEMS, Run, Settings
from chapeta.stages.tune import can_tune
from chapeta.tuning.recipe import DataShape, choose_recipe, choose_replay_rows
from chapeta.tuning.shape import layer_parameters, model_shape
from chapeta.types import Task

TRAINING_SHARE = 0.5  # of what bare multiplication reaches (measured: 0.44 to 0.65)
READING_SHARE = 0.25  # the same of llama.cpp reading a prompt (measured: 195 tokens/s where that is 165 GFLOP/s)
WRITING_SHARE = 0.25  # of the rate of reading, several answers at once
REPLAY_TOKENS = 96
GENERAL_TOKENS = (60, 24)  # in and out, an item of the general suite
START_S, CLOSING_S = 8.0, 12.0
REMOTE_S, REMOTE_AT_ONCE = 2.0, 16
SAMPLE_ROWS = 64
MARKS = 12  # tokens around the turns of a row


@dataclass(frozen=True, slots=True)
class Planned:
    """A candidate of a model. seconds: to make it and to let it answer; usd: at providers, None where nobody knows a price.

    why_not: why it cannot be made; "" where it can.
    """

    name: str
    model: str
    seconds: float
    calls: int = 0
    usd: float | None = 0.0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was read, and what it will take. problem: why it cannot be begun; "" where it can.

    train, validation, test: rows. seconds: of the whole run; price: of all its calls to providers.
    """

    report: CheckReport
    problem: str = ""
    task: Task | None = None
    train: int = 0
    validation: int = 0
    test: int = 0
    notes: tuple[str, ...] = ()
    candidates: tuple[Planned, ...] = ()
    seconds: float = 0.0
    price: Estimate | None = None


def plan(settings: Settings, progress: Progress = SILENT) -> Plan:
    """Reads the file and splits it as the run will, without leaving anything behind. Blocks.

    Raises BadInput where the file as a whole cannot be read; what is wrong with its rows is in the report.
    """
    with Gateway() as gateway:
        model = settings.models[0]
        report = check_file(settings.source, settings.columns, settings.accepted_bad_share, model, gateway, progress)
        try:
            report.require_good()
            splits = _split(settings, gateway, progress)
            task = infer_task(splits.train, settings.task, token_counter(gateway, model))
        except BadInput as error:
            return Plan(report, str(error))
        progress.stage("Estimate")
        found = _candidates(settings, task, splits, gateway)
        run = _run(settings)
        with AnswerStore(config.home() / "answers.sqlite") as store:
            price = estimate(run, task, splits, gateway, store)
    seconds = START_S + CLOSING_S + sum(one.seconds for one in found)
    if settings.limit_minutes is not None:
        seconds = min(seconds, 60 * settings.limit_minutes)
    sizes = (len(splits.train), len(splits.validation), len(splits.test))
    return Plan(report, "", task, *sizes, splits.report.notes, tuple(found), seconds, price)


def _split(settings: Settings, gateway: Gateway, progress: Progress) -> Splits:
    progress.stage("Split")
    count = token_counter(gateway, settings.models[0])
    context = min(gateway.context_tokens(model) for model in settings.models)
    rows = list(good_examples(open_source(settings.source), settings.columns, count, context))
    test = None
    if settings.test:
        test = list(good_examples(open_source(settings.test), settings.columns, count, context))
    kind = settings.task or infer_task(rows).kind
    require_metric(settings, kind)
    return split(rows, settings.seed, test, kind)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Mean tokens of a row: its question, its answer, and all of it with the marks around turns."""

    question: float
    answer: float

    @property
    def whole(self) -> float:
        return self.question + self.answer + MARKS


@dataclass(frozen=True, slots=True)
class _Speed:
    """Tokens a second of a local model on this machine."""

    training: float
    reading: float
    writing: float

    def seconds(self, tokens_in: float, tokens_out: float) -> float:
        return tokens_in / self.reading + tokens_out / self.writing


def _candidates(settings: Settings, task: Task, splits: Splits, gateway: Gateway) -> list[Planned]:
    flops = multiplication_flops() if any(weights.is_local(model) for model in settings.models) else 0.0
    found: list[Planned] = []
    for model in settings.models:
        local = weights.is_local(model)
        rows = _measured(splits, token_counter(gateway, model))
        speed = _speed(model, flops) if local else None
        for name in settings.candidates:
            if why_not := _why_not(name, model, splits):
                found.append(Planned(name, model, 0.0, why_not=why_not))
            elif speed is not None:
                found.append(Planned(name, model, _local_seconds(name, model, settings, splits, rows, speed)))
            else:
                found.append(_remote(name, model, settings, task, splits, gateway))
    return found


def _why_not(name: str, model: str, splits: Splits) -> str:
    if not name.startswith("tuned"):
        return ""
    if not weights.is_local(model):
        return f"{model} answers at a provider and cannot be tuned here."
    if not can_tune(splits):
        return f"{len(splits.train)} training rows are too few to tune on."
    if importlib.util.find_spec("torch") is None:
        return "Tuning needs more packages: `pip install 'chapeta[tune]'`."
    return ""


def _local_seconds(name: str, model: str, settings: Settings, splits: Splits, rows: _Rows, speed: _Speed) -> float:
    """Instructions and fixed examples stay in the engine's cache: of most candidates only the question is read anew."""
    asked = len(splits.test)
    if name == "few-shot" and settings.limit_minutes is None:
        asked += SHOT_SETS * min(CHOOSING_ROWS, len(splits.validation))
    shown = NEAREST * rows.whole if name == "nearest" else 0.0
    seconds = speed.seconds(asked * (shown + rows.question + MARKS), asked * rows.answer)
    trains = name == "tuned" or (name == "tuned+skill" and "tuned" not in settings.candidates)
    return seconds + (_tuning_seconds(model, settings, splits, rows, speed) if trains else 0.0)


def _tuning_seconds(model: str, settings: Settings, splits: Splits, rows: _Rows, speed: _Speed) -> float:
    """Replay rows answered, the training itself with its validations, and the general suite twice."""
    limited = settings.limit_minutes is not None
    replay = settings.replay_rows
    if replay is None:
        replay = choose_replay_rows(len(splits.train), limited)[0]
    trained = len(splits.train) + replay
    shape = DataShape(trained, int(rows.whole), int(trained * rows.answer))
    given = {**settings.recipe, "max_tokens": settings.recipe.get("max_tokens", 512)}
    recipe = choose_recipe(shape, model_shape(weights.ensure(model)), given).recipe
    tokens = recipe.epochs * (len(splits.train) * rows.whole + replay * REPLAY_TOKENS)
    checked = recipe.epochs * min(len(splits.validation), recipe.validation_rows) * rows.whole / 2  # forward only
    items = settings.general_items or (MOST_GENERAL_ITEMS // 3 if limited else MOST_GENERAL_ITEMS)
    general = speed.seconds(2 * items * GENERAL_TOKENS[0], 2 * items * GENERAL_TOKENS[1])
    return speed.seconds(0, replay * REPLAY_TOKENS) + (tokens + checked) / speed.training + general


def _remote(name: str, model: str, settings: Settings, task: Task, splits: Splits, gateway: Gateway) -> Planned:
    """Priced as the whole run is, but for this candidate alone."""
    alone = dataclasses.replace(settings, models=(model,), candidates=(name,), writer=None, judge=None)
    with AnswerStore(config.home() / "answers.sqlite") as store:
        price = estimate(_run(alone), task, splits, gateway, store)
    usd = None if price.unpriced else price.usd
    return Planned(name, model, price.calls * REMOTE_S / REMOTE_AT_ONCE, price.calls, usd)


def _run(settings: Settings) -> Run:
    """The run as it would be, without a folder being made."""
    return Run((config.runs_dir() / settings.name).absolute(), settings)


def _measured(splits: Splits, count: Callable[[str], int]) -> _Rows:
    rows = splits.train[:: max(1, len(splits.train) // SAMPLE_ROWS)][:SAMPLE_ROWS]
    asked = fmean(sum(count(message.content) for message in row.messages) for row in rows)
    return _Rows(asked, fmean(count(row.answer) for row in rows))


def _speed(model: str, flops: float) -> _Speed:
    """A token costs two operations a parameter going forward, and as many again going backward through frozen weights."""
    parameters = layer_parameters(weights.ensure(model))
    reading = READING_SHARE * flops / (2 * parameters)
    training = _trained_before(model) or TRAINING_SHARE * flops / (4 * parameters)
    return _Speed(training, reading, WRITING_SHARE * reading)


def _trained_before(model: str) -> float | None:
    """Tokens a second of the last training of this model here."""
    files = list(config.runs_dir().glob(f"*/tuned/{Path(model).stem}*/result.json"))
    for file in sorted(files, key=lambda one: one.stat().st_mtime, reverse=True):
        try:
            made = json.loads(file.read_text(encoding="utf-8"))
            if made["model"] == model:
                return float(made["result"]["tokens_per_s"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def multiplication_flops(bursts: int = 12) -> float:
    """Floating point operations a second of this machine's matrix multiplication in float32, in the best of some bursts:
    what it does at a quiet moment, for the run will last longer than whatever is busy just now."""
    import numpy as np

    size = 768
    matrix = np.ones((size, size), np.float32)
    seconds = []
    for _ in range(bursts + 1):  # the first one starts BLAS's threads
        started = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)
