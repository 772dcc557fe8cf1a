"""Peak memory of our training by rank, row length and number of rows: a table.

    python benchmarks/tuning/memory.py            some minutes, nothing else needed

Each line is a process of its own: it loads the embedded model, makes rows of words, and trains for a few steps.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from peers import environment
from processes import watched

STEPS = 12
LIMIT_S = 1200.0
WORDS = [
    "the",
    "card",
    "was",
    "not",
    "sent",
    "to",
    "my",
    "new",
    "house",
    "and",
    "I",
    "would",
    "like",
    "to",
    "know",
    "when",
    "it",
    "will",
    "come",
    "so",
    "that",
]  # a token each


@dataclass(frozen=True, slots=True)
class Case:
    """adapted_layers: 0 is all of them. row_tokens: of a row, about, with the chat template's own."""

    rank: int = 16
    row_tokens: int = 40
    rows: int = 1_000
    adapted_layers: int = 0


PLAIN = Case()
CASES = (
    PLAIN,
    *(replace(PLAIN, rank=rank) for rank in (8, 64)),
    *(replace(PLAIN, row_tokens=tokens) for tokens in (200, 800)),
    *(replace(PLAIN, rows=rows) for rows in (10_000, 100_000)),
    *(replace(PLAIN, adapted_layers=15, rows=rows) for rows in (1_000, 10_000)),
)
COLUMNS = ("rank", "tokens a row", "rows", "layers with an adapter", "peak MB", "tokens/s")


def main() -> None:
    lines = [COLUMNS, ("---:",) * len(COLUMNS)]
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, str(Path(__file__).resolve()), json.dumps(asdict(case))]
            cost = watched(command, environment(), Path(scratch), LIMIT_S)
            speed = float((Path(scratch) / "log.txt").read_text().split()[-1])
        layers = str(case.adapted_layers or "all")
        figures = (
            str(case.rank),
            str(case.row_tokens),
            f"{case.rows:,}",
            layers,
            f"{cost.peak_mb:,.0f}",
            f"{speed:.0f}",
        )
        lines.append(figures)
        print(" | ".join(figures), file=sys.stderr, flush=True)
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


def train(case: Case) -> None:
    """Trains for `STEPS` steps and prints the tokens a second."""
    from chapeta.engine import weights
    from chapeta.tuning.load import load_tokeniser
    from chapeta.tuning.local import data_shape, model_shape, tune
    from chapeta.tuning.recipe import choose_recipe
    from chapeta.tuning.tokenise import tokenise
    from chapeta.tuning.trainer import TrainingRow
    from chapeta.types import Example, Message

    chance = random.Random(0)
    words = max(1, case.row_tokens - 22)
    rows = [
        TrainingRow("Answer with one label.", Example((Message("user", text(chance, words)),), text(chance, 2)))
        for _ in range(case.rows)
    ]
    file = weights.ensure("smollm2-135m")
    shape = data_shape(tokenise(rows, load_tokeniser(file)))
    own = {"rank": case.rank, "adapted_layers": case.adapted_layers, "batch_rows": 16}
    epochs = STEPS * own["batch_rows"] / case.rows
    recipe = choose_recipe(shape, model_shape(file), own | {"epochs": epochs}).recipe
    print(tune(file, rows, [], recipe, Path.cwd() / "made", 0).tokens_per_s)


def text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def called(arguments: Sequence[str]) -> None:
    if arguments:
        train(Case(**json.loads(arguments[0])))
    else:
        main()


if __name__ == "__main__":
    called(sys.argv[1:])
