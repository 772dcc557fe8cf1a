"""The first two stages: read and check the user's file, and split it so that nothing leaks into the test rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from chapeta.bench.scorers import scorer_for
from chapeta.errors import BadInput
from chapeta.examples.check import CheckReport, check, good_examples
from chapeta.examples.columns import Columns
from chapeta.examples.folder import read_splits, write_splits
from chapeta.examples.source import Source, open_source
from chapeta.examples.split import Splits, split
from chapeta.examples.task import infer_task
from chapeta.files import sha256, write_json
from chapeta.gateway.door import Gateway
from chapeta.progress import SILENT, Progress
from chapeta.stages.run import SPLIT, Run, Settings, fingerprint
from chapeta.types import Example, Task, TaskKind

MOST_ROWS_IN_MEMORY = 2_000_000


def check_file(
    file: str, columns: Columns, accepted_bad_share: float, model: str, gateway: Gateway, progress: Progress = SILENT
) -> CheckReport:
    """Reads every row of a file and reports on it; bad rows are reported, not raised."""
    progress.stage("Check")
    source = open_source(file)
    count, context = token_counter(gateway, model), gateway.context_tokens(model)
    return check(source, columns, count, context, accepted_bad_share, _shares(progress))


def split_file(run: Run, gateway: Gateway, progress: Progress = SILENT) -> Splits:
    """Checks and splits the run's source, or reads the splits that were made from the same file and settings."""
    settings = run.settings
    source = open_source(settings.source)
    test_source = open_source(settings.test) if settings.test else None
    made_from = _made_from(settings, source, test_source, _context(settings, gateway))
    if run.is_current(SPLIT, made_from):
        progress.stage("Check and split")
        progress.say("the file has not changed: the splits of the earlier run are kept")
        return read_splits(run.folder / "split")
    fits = (token_counter(gateway, settings.models[0]), _context(settings, gateway))
    progress.stage("Check")
    report = check(source, settings.columns, *fits, settings.accepted_bad_share, _shares(progress))
    report.require_good()
    progress.say(f"{report.format}: {report.good:,} good rows, {report.bad:,} bad")
    progress.stage("Split")
    examples = _examples(source, settings, fits)
    test = _examples(test_source, settings, fits) if test_source else None
    kind = settings.task or infer_task(examples).kind
    require_metric(settings, kind)
    splits = split(examples, settings.seed, test, kind)
    write_splits(run.folder / "split", splits)
    report = dataclasses.replace(report, leakage_removed=splits.report.leakage_removed)
    write_json(run.folder / "check.json", report.to_json())
    write_json(run.folder / SPLIT, {"made_from": made_from})
    sizes = f"{len(splits.train):,} rows to train, {len(splits.validation):,} to choose, {len(splits.test):,} to test"
    progress.say("\n".join((sizes, *splits.report.notes)))
    return splits


def splits_of(run: Run, gateway: Gateway, progress: Progress = SILENT) -> Splits:
    """The splits that the run has, made first if it has none. The source is not looked at again."""
    if (run.folder / SPLIT).exists():
        return read_splits(run.folder / "split")
    return split_file(run, gateway, progress)


def task_of(run: Run, splits: Splits, gateway: Gateway) -> Task:
    """The task that the training rows ask for."""
    return infer_task(splits.train, run.settings.task, token_counter(gateway, run.settings.models[0]))


def token_counter(gateway: Gateway, model: str) -> Callable[[str], int]:
    """Counts tokens as the model does."""
    gateway.candidate(model)  # names that nobody knows are told before anything is counted
    return lambda text: gateway.count_tokens(model, text)


def require_metric(settings: Settings, kind: TaskKind) -> None:
    """Raises BadInput now, not after an hour, if the metric does not fit the task or has no judge."""
    scorer_for(kind, settings.metric, (lambda _: "") if settings.judge else None)


def _context(settings: Settings, gateway: Gateway) -> int:
    """Tokens that every model of the run takes."""
    return min(gateway.context_tokens(model) for model in settings.models)


def _examples(source: Source, settings: Settings, fits: tuple[Callable[[str], int], int]) -> list[Example]:
    examples = list(good_examples(source, settings.columns, *fits))
    if len(examples) > MOST_ROWS_IN_MEMORY:
        raise BadInput(f"{len(examples):,} rows are more than a run takes.", f"Give at most {MOST_ROWS_IN_MEMORY:,}.")
    return examples


def _made_from(settings: Settings, source: Source, test: Source | None, context_tokens: int) -> str:
    hashes = [sha256(Path(s.path)) for s in (source, test) if s is not None]
    return fingerprint(
        "split",
        hashes,
        settings.seed,
        settings.task,
        dataclasses.asdict(settings.columns),
        settings.models[0],
        context_tokens,
    )


def _shares(progress: Progress) -> Callable[[str, float], None]:
    """The examples' own progress (what is done, share of it) as ours."""
    return lambda title, share: progress.advance(share, 1.0, title)
