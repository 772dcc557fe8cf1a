"""What a run will take before it is begun: the file read and checked, and time and price of each candidate.

    look (the file, checked and split as the run will) → weigh (candidates with time and price, for any choice of them)

Prices are those of `stages/estimate.py`. Times are of this machine (`times.py`, `speed.py`), right within a factor of
about two while nothing else is at work; how much longer it may take while the machine is as busy as now is the range's
other end.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Mapping

from chapeta import config
from chapeta.bench.answers import AnswerStore
from chapeta.engine import weights
from chapeta.errors import BadInput
from chapeta.examples.check import good_examples
from chapeta.examples.read import read
from chapeta.examples.source import open_source
from chapeta.examples.split import Splits, split
from chapeta.examples.task import infer_task
from chapeta.gateway.door import Gateway
from chapeta.jobs.planned import Looked, Plan, Planned
from chapeta.jobs.speed import Speed, busy, speed_of
from chapeta.jobs.times import RowTokens, answering_seconds, tokens_of, tuning_seconds
from chapeta.progress import SILENT, Progress
from chapeta.stages.estimate import estimate
from chapeta.stages.prepare import check_file, require_metric, token_counter
from chapeta.stages.run import Run, Settings
from chapeta.stages.tune import can_tune
from chapeta.types import Task

START_S, CLOSING_S = 8.0, 12.0
REMOTE_S, REMOTE_AT_ONCE = 2.0, 16


def plan(settings: Settings, progress: Progress = SILENT) -> Plan:
    """Reads the file and splits it as the run will, without leaving anything behind. Blocks.

    Raises BadInput where the file as a whole cannot be read; what is wrong with its rows is in the report.
    """
    return weigh(look(settings, progress), settings, progress)


def look(settings: Settings, progress: Progress = SILENT) -> Looked:
    """The part that takes time with a large file; depends on source, columns, task, seed and models alone. As `plan`."""
    with Gateway() as gateway:
        model = settings.models[0]
        report = check_file(settings.source, settings.columns, settings.accepted_bad_share, model, gateway, progress)
        columns = read(open_source(settings.source), settings.columns).columns
        try:
            report.require_good()
            splits = _split(settings, gateway, progress)
            task = infer_task(splits.train, settings.task, token_counter(gateway, model))
            tokens = {one: tokens_of(splits, task, token_counter(gateway, one)) for one in settings.models}
        except BadInput as error:
            return Looked(report, columns, str(error))
    return Looked(report, columns, "", splits, task, tokens)


def weigh(looked: Looked, settings: Settings, progress: Progress = SILENT) -> Plan:
    """Time and price of the candidates that the settings name, for a file that `look` has read for the same models."""
    if looked.splits is None or looked.task is None:
        return Plan(looked.report, looked.problem)
    progress.stage("Estimate")
    splits, task = looked.splits, looked.task
    with Gateway() as gateway:
        found = _candidates(settings, task, splits, looked.tokens, gateway)
        with AnswerStore(config.home() / "answers.sqlite") as store:
            price = estimate(_run(settings), task, splits, gateway, store)
    seconds = START_S + CLOSING_S + sum(one.seconds for one in found)
    limit_s = None if settings.limit_minutes is None else 60 * settings.limit_minutes
    if limit_s is not None:
        seconds = min(seconds, limit_s)
    sizes = (len(splits.train), len(splits.validation), len(splits.test))
    notes = splits.report.notes
    return Plan(looked.report, "", task, *sizes, notes, tuple(found), seconds, price, busy(), limit_s)


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


def _candidates(
    settings: Settings, task: Task, splits: Splits, tokens: Mapping[str, RowTokens], gateway: Gateway
) -> list[Planned]:
    found: list[Planned] = []
    for model in settings.models:
        speed = speed_of(model) if weights.is_local(model) else None
        for name in settings.candidates:
            if why_not := _why_not(name, model, splits):
                found.append(Planned(name, model, 0.0, why_not=why_not))
            elif speed is not None:
                found.append(Planned(name, model, _local_seconds(name, model, settings, splits, tokens[model], speed)))
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


def _local_seconds(name: str, model: str, settings: Settings, splits: Splits, rows: RowTokens, speed: Speed) -> float:
    """Both tuned candidates share one training, which counts with the first of them."""
    seconds = answering_seconds(name, settings, splits, rows, speed)
    trains = name == "tuned" or (name == "tuned+skill" and "tuned" not in settings.candidates)
    return seconds + (tuning_seconds(model, settings, splits, rows, speed) if trains else 0.0)


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
