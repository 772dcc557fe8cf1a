"""What a job of a kind runs: its command line, and the run folder in which its progress shows.

Arguments are kept as data, not as words: they are checked when a job is submitted, and nothing in them is taken for an
option of another name. A new kind is one function and one line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chapeta import config
from chapeta.errors import BadInput
from chapeta.stages.run import Settings
from chapeta.types import Json


@dataclass(frozen=True, slots=True)
class Command:
    """words: what follows `chapeta`; title: what people call the job; run: the folder of its run."""

    words: tuple[str, ...]
    title: str
    run: Path


def command_of(kind: str, arguments: Json) -> Command:
    """The command of a job. Raises BadInput for an unknown kind or arguments that it does not take."""
    if kind not in KINDS:
        raise BadInput(f"There are no jobs of the kind '{kind}'.", f"Choose from: {', '.join(KINDS)}.")
    try:
        return KINDS[kind](arguments)
    except (KeyError, TypeError) as error:
        raise BadInput(f"The arguments of the job cannot be used ({error}).", "Submit it anew.") from None


def specialize_arguments(settings: Settings, agreed: bool = False) -> Json:
    """The arguments of a job that specialises. agreed: the user has seen what providers will bill, and wants it."""
    return {"settings": settings.to_json(), "agreed": agreed}


def _specialize(arguments: Json) -> Command:
    settings = Settings.from_json(arguments["settings"])
    if settings.source == "-":
        raise BadInput("A job cannot read standard input.", "Give it a file.")
    words = ["specialize", *_options(settings), *(["--yes"] if arguments.get("agreed") else []), "--json", "--"]
    return Command((*words, settings.source), settings.name, config.runs_dir().absolute() / settings.name)


def score_arguments(name: str, dataset: str, model: str, versions: Sequence[int] = ()) -> Json:
    """The arguments of a job that scores versions of a skill. The user has seen what providers will bill, and wants it."""
    return {"name": name, "dataset": dataset, "model": model, "versions": list(versions)}


def _score_skill(arguments: Json) -> Command:
    from chapeta.examples.datasets import (
        path_of,  # loads numpy, and the app, which starts with the jobs, shall be there soon
    )
    from chapeta.skills.scores import progress_folder
    from chapeta.skills.store import folder_of

    name, dataset, model = (str(arguments[key]) for key in ("name", "dataset", "model"))
    folder_of(name)
    path_of(dataset)
    numbers = ",".join(str(int(number)) for number in arguments["versions"])
    words = ("skills", "score", name, dataset, f"--model={model}", f"--versions={numbers}", "--yes", "--json")
    return Command(words, f"/{name} on {dataset}", progress_folder(name))


def _options(settings: Settings) -> list[str]:
    """The options that give these settings again; each in one word, so that no value is taken for an option."""
    columns = settings.columns
    unknown = sorted(set(settings.recipe) & WITHOUT_OPTION)
    if unknown:
        raise BadInput(f"The recipe setting '{unknown[0]}' cannot be given to a job.", "Leave it out.")
    given: dict[str, Any] = {
        "name": settings.name, "candidates": ",".join(settings.candidates), "task": settings.task,
        "metric": settings.metric, "test": settings.test, "seed": settings.seed, "input": columns.input,
        "output": columns.output, "group": columns.group, "weight": columns.weight, "replay": settings.replay_rows,
        "general-items": settings.general_items, "writer": settings.writer, "judge": settings.judge,
        "margin": settings.margin, "accept-bad": settings.accepted_bad_share, "limit-minutes": settings.limit_minutes,
        "budget-usd": settings.budget_usd,
    }  # fmt: skip
    given |= {name.replace("_", "-"): value for name, value in settings.recipe.items()}
    models = [f"--model={model}" for model in settings.models]
    return [*models, *(f"--{name}={value}" for name, value in given.items() if value is not None)]


WITHOUT_OPTION = {"replay_rows", "validation_rows", "micro_batch_tokens"}
KINDS: dict[str, Callable[[Json], Command]] = {"specialize": _specialize, "score-skill": _score_skill}
