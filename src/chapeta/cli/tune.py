"""Trains the adapter of a run's model, or goes on where training was stopped.

chapeta tune RUN --preview 2      show how the first rows are tokenised and which tokens are trained
chapeta tune RUN --epochs 2       settings given here replace those of the run
"""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from chapeta.cli import options
from chapeta.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="name or folder of a run")
    parser.add_argument(
        "--preview", type=int, metavar="ROWS", help="show rows as tokens, trained ones marked, and stop"
    )
    parser.add_argument("--limit-minutes", type=float, metavar="N", help="shorten training to fit this time")
    options.add_recipe(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta import config
    from chapeta.bench.answers import AnswerStore
    from chapeta.cli.draw import progress
    from chapeta.gateway.door import Gateway
    from chapeta.stages.prepare import splits_of, task_of
    from chapeta.stages.run import Run
    from chapeta.stages.tune import preview_rows, tune_stage

    if arguments.preview is not None and arguments.preview < 1:
        raise BadInput(f"--preview {arguments.preview} shows nothing.", "Give 1 or more.")
    opened = Run.open(arguments.run)
    settings = opened.settings
    recipe = {**settings.recipe, **options.recipe_of(arguments)}
    replay = settings.replay_rows if arguments.replay is None else arguments.replay
    opened = Run.create(dataclasses.replace(settings, recipe=recipe, replay_rows=replay), opened.folder)
    limit_s = 60 * arguments.limit_minutes if arguments.limit_minutes else None
    with (
        Gateway() as gateway,
        AnswerStore(config.home() / "answers.sqlite") as store,
        progress(arguments.json) as listener,
    ):
        splits = splits_of(opened, gateway, listener)
        task = task_of(opened, splits, gateway)
        if arguments.preview is not None:
            shown = preview_rows(settings.models[0], task, splits, arguments.preview)
        else:
            made = [tune_stage(opened, m, task, splits, gateway, store, listener, limit_s) for m in settings.models]
    if arguments.preview is not None:
        _show_preview(shown, arguments.json)
    elif arguments.json:
        options.print_json({"tuned": [m.to_json() for m in made]})
    else:
        for one in made:
            r = one.result
            score = f"{r.chosen_score:.1%} of validation rows right" if r.chosen_score is not None else "chosen by loss"
            print(f"{one.model}: step {r.chosen_step} of {r.steps} kept, {score}")
            speed = f"{r.tokens:,} tokens in {r.seconds:.0f} s, {r.tokens_per_s:.0f} a second"
            print(f"{speed}; peak memory {r.peak_rss_bytes / 1e9:.1f} GB")
            print(r.adapter_gguf)


def _show_preview(rows: list[list[tuple[str, bool]]], as_json: bool) -> None:
    """Rows with their trained tokens in bold green, or in «guillemets» where there is no colour."""
    if as_json:
        options.print_json({"rows": [[{"text": text, "trained": trained} for text, trained in row] for row in rows]})
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for number, row in enumerate(rows, 1):
        line: Any = Text()
        for text, trained in row:
            line.append(f"«{text}»" if trained else text, style="bold green" if trained else "dim")
        console.rule(f"row {number}: trained tokens are marked «so»", align="left")
        console.print(line)
