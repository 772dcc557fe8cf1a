"""A run: the folder in which the stages of one specialisation leave their results, and the settings they share.

    began.json        when
    progress.json     which stage is at work and how far it is, or was when it ended
    check.json        what was read and what is wrong with it
    split/            train.jsonl, validation.jsonl, test.jsonl, split.json
    skill/NAME/       SKILL.md
    tuned/MODEL/      recipe.json, metrics.jsonl, checkpoints, adapter/ (PEFT), adapter.gguf
    candidates.json   what answered in the bench
    bench.json        what came out of it; answers.jsonl, general.jsonl: every answer
    verdict.json, report.html, receipt/

A stage's result names what it was made from; the stage is done again only when that has changed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chapeta import config
from chapeta.deployments import check_name
from chapeta.errors import BadInput, Missing
from chapeta.examples.columns import Columns
from chapeta.files import disk_errors, read_json, write_json
from chapeta.tuning.recipe import Recipe
from chapeta.types import Json, TaskKind

# values that are right for some data: around them, the user's own are checked before anything is read
ANY_RECIPE = {"rank": 8, "alpha": 16, "epochs": 1, "batch_rows": 8, "learning_rate": 1e-4, "max_tokens": 512}
BEGAN = "began.json"
LEAST_GENERAL_ITEMS, MOST_GENERAL_ITEMS = 12, 141  # of the general suite (a test compares with its length)
SPLIT = "split/made.json"  # is there once the file has been read and split
TUNING_SHARE = 0.6  # of the time that is left for tuning and bench, under a time limit
CANDIDATES = ("base", "few-shot", "nearest", "skill", "tuned", "tuned+skill")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user asked for. `recipe`: settings of the tuning recipe that replace the automatic choice.

    replay_rows: the base model's own general answers among the training rows; None: chosen by the recipe.
    general_items: how many questions of the general suite are asked; None: all, or under a time limit a third.
    limit_minutes: shortens training and the bench to fit, said out loud; budget_usd: the run stops before it costs more.
    """

    source: str
    name: str
    models: tuple[str, ...] = (config.DEFAULT_MODEL,)
    candidates: tuple[str, ...] = CANDIDATES
    task: TaskKind | None = None
    metric: str | None = None
    test: str | None = None
    seed: int = 0
    columns: Columns = field(default_factory=Columns)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    replay_rows: int | None = None
    general_items: int | None = None
    writer: str | None = None
    judge: str | None = None
    margin: float = 0.02
    accepted_bad_share: float = 0.05
    limit_minutes: float | None = None
    budget_usd: float | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        unknown = [name for name in self.candidates if name not in CANDIDATES]
        if unknown or not self.candidates:
            given = f"'{unknown[0]}' is no candidate." if unknown else "No candidate is named."
            raise BadInput(given, f"Choose from: {', '.join(CANDIDATES)}.")
        if self.limit_minutes is not None and not self.limit_minutes > 0:
            raise BadInput(f"--limit-minutes {self.limit_minutes} is not a time.", "Give a number above 0.")
        for name, value in (("--accept-bad", self.accepted_bad_share), ("--margin", self.margin)):
            if not 0 <= value <= 1:
                raise BadInput(f"{name} {value} is not a share between 0 and 1.", "0.02 stands for two points.")
        if self.budget_usd is not None and not self.budget_usd >= 0:
            raise BadInput(f"--budget-usd {self.budget_usd} is not a sum.", "Give 0 or more.")
        if self.replay_rows is not None and self.replay_rows < 0:
            raise BadInput(f"--replay {self.replay_rows} is not a number of rows.", "Give 0 or more.")
        if self.general_items is not None and not LEAST_GENERAL_ITEMS <= self.general_items <= MOST_GENERAL_ITEMS:
            given = f"--general-items {self.general_items} is out of range."
            raise BadInput(given, f"Give {LEAST_GENERAL_ITEMS} to {MOST_GENERAL_ITEMS}.")
        Recipe(**{**ANY_RECIPE, **self.recipe})

    @property
    def tuning_limit_s(self) -> float | None:
        """Seconds that the tuning of one model has at most. The same in a run that goes on, unlike what the clock says."""
        return 60 * self.limit_minutes * TUNING_SHARE / len(self.models) if self.limit_minutes else None

    def to_json(self) -> Json:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Json) -> Settings:
        tuples = {key: tuple(data[key]) for key in ("models", "candidates")}
        return cls(**{**data, **tuples, "columns": Columns(**data["columns"])})


@dataclass(frozen=True, slots=True)
class Run:
    """An opened run folder."""

    folder: Path
    settings: Settings

    @classmethod
    def create(cls, settings: Settings, folder: Path | None = None) -> Run:
        """Opens the run's folder with these settings, new or as an earlier run left it."""
        place = (folder or config.runs_dir() / settings.name).expanduser().absolute()
        marker = place / "run.json"
        if place.exists() and not place.is_dir():
            raise BadInput(f"{place} is a file, not a folder.", "Choose another folder with --out.")
        if place.is_dir() and not marker.exists() and any(place.iterdir()):
            raise BadInput(f"{place} holds something that is not a run.", "Choose an empty or new folder with --out.")
        with disk_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        if (place / SPLIT).exists():  # before, there is nothing to take the place of: the path may have been a slip
            _require_same_source(place, read_json(marker, "chapeta split FILE"), settings)
        write_json(marker, settings.to_json())
        if not (place / BEGAN).exists():
            write_json(place / BEGAN, {"at": time.time()})
        return cls(place, settings)

    @classmethod
    def open(cls, name_or_folder: str) -> Run:
        """An earlier run, by its name or its folder."""
        place = config.runs_dir() / name_or_folder
        if os.sep in name_or_folder or not (place / "run.json").exists():
            place = Path(name_or_folder).expanduser().absolute()
        if not (place / "run.json").exists():
            runs = ", ".join(sorted(p.parent.name for p in config.runs_dir().glob("*/run.json"))) or "none yet"
            raise Missing(f"There is no run '{name_or_folder}'.", f"Runs: {runs}. `chapeta split FILE` begins one.")
        return cls(place, Settings.from_json(read_json(place / "run.json", "chapeta split FILE")))

    @property
    def began_s(self) -> float:
        """When the run was begun, in seconds since 1970."""
        return float(self.read(BEGAN, "split FILE")["at"])

    @property
    def label(self) -> str:
        """What the user calls the run by in a command: its name, or its folder where --out put it elsewhere."""
        return self.settings.name if self.folder.parent == config.runs_dir().absolute() else str(self.folder)

    def read(self, name: str, made_by: str) -> Any:
        """A stage's result; Missing names the command that makes it."""
        return read_json(self.folder / name, f"chapeta {made_by}")

    def is_current(self, name: str, made_from: str) -> bool:
        """Whether a stage's result is there and was made from the same things."""
        file = self.folder / name
        if not file.exists():
            return False
        try:
            return bool(json.loads(file.read_text(encoding="utf-8")).get("made_from") == made_from)
        except (ValueError, AttributeError):
            return False


def _require_same_source(place: Path, before: Json, settings: Settings) -> None:
    """A run belongs to one file: another one of the same name must not take its place unnoticed."""
    if "-" not in (before["source"], settings.source) and before["source"] != settings.source:
        raise BadInput(
            f"The run in {place} was made from {before['source']}, not from {settings.source}.",
            "Give this one a name of its own: --name my-task.",
        )


def fingerprint(*parts: Any) -> str:
    """A short hash of what a stage's result depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]
