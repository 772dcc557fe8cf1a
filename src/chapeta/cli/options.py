"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chapeta import config
from chapeta.errors import BadInput

RECIPE_OPTIONS = {
    "epochs": (float, "passes over the training rows"),
    "rank": (int, "rank of the LoRA matrices"),
    "alpha": (float, "the adapter is scaled by alpha / rank"),
    "learning-rate": (float, "highest learning rate"),
    "lora-plus-ratio": (float, "the learning rate of the matrices B over that of A (LoRA+)"),
    "batch-rows": (int, "rows a step"),
    "adapted-layers": (int, "how many of the uppermost layers get an adapter; 0: all"),
    "max-tokens": (int, "longer training rows are left out"),
    "warmup-share": (float, "share of the steps with a rising learning rate"),
    "schedule": (str, "linear or cosine"),
    "max-grad-norm": (float, "gradients are clipped to this norm"),
    "weight-decay": (float, "AdamW's weight decay"),
    "precision": (str, "auto, fp32 or bf16"),
    "checkpoint-every-steps": (int, "steps between checkpoints"),
    "evaluate-every-steps": (int, "steps between validations; 0: at each epoch's end"),
}


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How a file of examples is read."""
    group = parser.add_argument_group("reading")
    group.add_argument("--input", metavar="COLUMN", help="column or key of the input")
    group.add_argument("--output", metavar="COLUMN", help="column or key of the expected answer")
    group.add_argument("--group", metavar="COLUMN", help="rows with the same value stay in the same split")
    group.add_argument("--weight", metavar="COLUMN", help="column or key of the rows' weight")
    group.add_argument(
        "--accept-bad", metavar="SHARE", type=float, default=0.05, help="accepted share of bad rows (0.05)"
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """What a run is about: everything that `chapeta split` and `chapeta specialize` fix."""
    parser.add_argument(
        "file", metavar="FILE", help="examples: JSONL, CSV, TSV, Parquet, also gzipped; - is standard input"
    )
    add_reading(parser)
    group = parser.add_argument_group("run")
    group.add_argument("--name", help="name of run and deployment (default: the file's name)")
    group.add_argument("--out", metavar="DIR", type=Path, help="folder of the run (default: in the data directory)")
    group.add_argument(
        "--model", metavar="ID", action="append", help=f"base model, may be repeated ({config.DEFAULT_MODEL})"
    )
    group.add_argument(
        "--candidates", metavar="A,B", help="which to compare (all): base,few-shot,nearest,skill,tuned,tuned+skill"
    )
    group.add_argument(
        "--task", choices=("classify", "extract", "generate"), help="kind of task (default: seen in the answers)"
    )
    group.add_argument("--metric", metavar="NAME", help="main metric (default: accuracy, exact_object or chrf)")
    group.add_argument("--test", metavar="FILE", help="test rows of your own; never used for choices")
    group.add_argument("--seed", type=int, default=0, help="of split, shuffling and sampling (0)")
    group.add_argument(
        "--margin", type=float, default=0.02, help="loss of score accepted for a cheaper candidate (0.02)"
    )
    group.add_argument("--writer", metavar="MODEL", help="model that writes the skill (default: it is written by rule)")
    group.add_argument("--judge", metavar="MODEL", help="model that judges answers, with --metric judge")
    group.add_argument(
        "--general-items", type=int, metavar="N", help="questions about general ability (all 141; with a limit 47)"
    )
    group.add_argument("--limit-minutes", type=float, metavar="N", help="shorten training and bench to fit this time")
    group.add_argument("--budget-usd", type=float, metavar="X", help="stop before providers bill more than this")
    add_recipe(parser)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Settings of the tuning recipe; what is not given is chosen from the data."""
    group = parser.add_argument_group("tuning (each is chosen from the data by default)")
    for name, (kind, about) in RECIPE_OPTIONS.items():
        group.add_argument(f"--{name}", type=kind, help=about)
    group.add_argument(
        "--replay", metavar="ROWS", type=int, help="mix in this many of the model's own general answers; 0: none"
    )


def recipe_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The recipe settings that were given."""
    values = {name.replace("-", "_"): getattr(arguments, name.replace("-", "_")) for name in RECIPE_OPTIONS}
    return {name: value for name, value in values.items() if value is not None}


def settings_of(arguments: argparse.Namespace) -> Any:
    """The run's settings from parsed arguments."""
    from chapeta.examples.columns import Columns
    from chapeta.skills.file import skill_name
    from chapeta.stages.run import CANDIDATES, Settings

    source = arguments.file
    if source == "-" and not arguments.name:
        raise BadInput("Examples from standard input have no name.", "Give one: --name my-task.")
    candidates = tuple(c.strip() for c in arguments.candidates.split(",")) if arguments.candidates else CANDIDATES
    return Settings(
        source=source if source == "-" else str(Path(source).expanduser().absolute()),
        name=arguments.name or skill_name(Path(source).name.split(".")[0]),
        models=tuple(dict.fromkeys(arguments.model or (config.DEFAULT_MODEL,))),
        candidates=candidates,
        task=arguments.task,
        metric=arguments.metric,
        test=str(Path(arguments.test).expanduser().absolute()) if arguments.test else None,
        seed=arguments.seed,
        columns=Columns(arguments.input, arguments.output, arguments.group, arguments.weight),
        recipe=recipe_of(arguments),
        replay_rows=arguments.replay,
        general_items=arguments.general_items,
        writer=arguments.writer,
        judge=arguments.judge,
        margin=arguments.margin,
        accepted_bad_share=arguments.accept_bad,
        limit_minutes=arguments.limit_minutes,
        budget_usd=arguments.budget_usd,
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask before providers are paid for")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def print_json(value: object) -> None:
    """One JSON object on standard output."""
    import json

    print(json.dumps(value, ensure_ascii=False, indent=1))
