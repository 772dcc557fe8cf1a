"""`chapeta skills score NAME DATASET`: how well versions of a skill do on the rows of a dataset that are held back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from chapeta import config
from chapeta.cli import options
from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.skills.scores import Score
    from chapeta.skills.versions import Version


def score(arguments: argparse.Namespace) -> None:
    from chapeta.bench.answers import AnswerStore
    from chapeta.cli.approve import approval
    from chapeta.cli.draw import progress
    from chapeta.gateway.door import Gateway
    from chapeta.stages import score_skill
    from chapeta.stages.watch import Recorded

    name, dataset = arguments.words
    which = score_skill.chosen(name, _numbers(arguments.versions))
    rows = score_skill.MOST_ROWS if arguments.rows is None else arguments.rows
    if rows < 1:
        raise BadInput(f"--rows {rows} is none.", "Give 1 or more.")
    model = arguments.model or config.DEFAULT_MODEL
    with (
        progress(quiet=arguments.json) as listener,
        Recorded(listener, _progress_folder(name)) as recorded,
        Gateway(run=f"skill {name}") as gateway,
        AnswerStore(config.home() / "answers.sqlite") as store,
    ):
        measure = score_skill.measure_for(dataset, model, gateway, rows)
        approve = approval(arguments, None, recorded)
        found = score_skill.score_versions(name, which, measure, gateway, store, recorded, approve)
    _tell(arguments, which, found)


def _progress_folder(name: str) -> Path:
    from chapeta.files import disk_errors
    from chapeta.skills.scores import progress_folder

    folder = progress_folder(name)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def _tell(arguments: argparse.Namespace, which: list[Version], found: list[Score]) -> None:
    if arguments.json:
        rows = [{"version": v.number, **asdict(s)} for v, s in zip(which, found, strict=True)]
        options.print_json({"scores": rows})
        return
    for version, one in zip(which, found, strict=True):
        interval = f"{one.value:6.1%}  ({one.low:.1%} to {one.high:.1%})"
        failed = f"  {one.errors} not answered" if one.errors else ""
        print(
            f"{version.number:>4}  {one.metric:<12} {interval}  {one.rows:,} rows, {one.tokens_in:.0f} tokens in{failed}"
        )


def _numbers(text: str | None) -> tuple[int, ...]:
    """Versions as they are typed: "3", or "1,2,5"."""
    words = [word.strip() for word in (text or "").split(",") if word.strip()]
    if not all(word.isascii() and word.isdigit() and len(word) < 8 for word in words):
        raise BadInput(f"--versions '{(text or '')[:40]}' are no versions.", "Write their numbers: 1,2,5.")
    return tuple(map(int, words))
