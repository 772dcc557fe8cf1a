"""How well each version of a skill did on a dataset, kept beside the versions.

    skill-versions/NAME/score-SHA16-KEY.json      a version's score; KEY: of rows, model and metric

Scores of one version, the same rows and one model are the same file: the newest stays. Whole files, so backups of two
machines are merged by adding what is missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chapeta import config
from chapeta.errors import ChapetaError
from chapeta.files import read_json, write_json
from chapeta.skills.file import skill_name


@dataclass(frozen=True, slots=True)
class Score:
    """A version's score on the rows of a dataset that were held back.

    sha256: of the version's text. value, low, high: share between 0 and 1 with its 95 % interval; rows: how many, and
    rows_sha256 which. errors: rows that were not answered, which score 0. tokens_in: mean a call.
    usd_per_1000_calls: None is unknown. at_s: seconds since 1970.
    """

    sha256: str
    dataset: str
    rows_sha256: str
    model: str
    metric: str
    value: float
    low: float
    high: float
    rows: int
    errors: int
    tokens_in: float
    usd_per_1000_calls: float | None
    at_s: float

    @property
    def compares_with(self) -> tuple[str, str, str]:
        """Scores can be compared where this is equal: the same rows, answered by the same model, scored the same way."""
        return self.rows_sha256, self.model, self.metric


def keep(name: str, score: Score) -> Path:
    """Writes a score of a skill's version, in place of the one before."""
    key = hashlib.sha256("\n".join(score.compares_with).encode()).hexdigest()[:12]
    return write_json(_folder(name) / f"score-{score.sha256[:16]}-{key}.json", dataclasses.asdict(score))


def scores(name: str) -> list[Score]:
    """All scores of a skill, the newest first; files that are none are left out."""
    found = []
    for path in _folder(name).glob("score-*.json"):
        with contextlib.suppress(ChapetaError, TypeError, OSError):
            found.append(Score(**read_json(path, "chapeta skills score")))
    return sorted(found, key=lambda score: -score.at_s)


def series(found: Sequence[Score]) -> dict[tuple[str, str, str], list[Score]]:
    """The scores that can be compared with each other, together; the series with the newest score first."""
    together: dict[tuple[str, str, str], list[Score]] = {}
    for score in found:
        together.setdefault(score.compares_with, []).append(score)
    return together


def progress_folder(name: str) -> Path:
    """Where the work leaves how far it is while it goes on, for whoever watches the job."""
    return config.home().absolute() / "skill-scores" / skill_name(name)


def _folder(name: str) -> Path:
    return config.home() / "skill-versions" / skill_name(name)
