"""Peak memory of our training by rank, row length and number of rows: a table.

    python benchmarks/tuning/memory.py            some minutes, nothing else needed

Each line is a process of its own: it loads the embedded model, makes rows of words, and trains for a few steps.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from peers import environment
from processes import watched

STEPS, BATCH_TOKENS = 6, 640
LIMIT_S = 1200.0
TEMPLATE_TOKENS = 22  # of the chat template, the system prompt and the answer


@dataclass(frozen=True, slots=True)
class Case:
    """adapted_layers: 0 is all of them. row_tokens: of a row, about; the table has what they are."""

    rank: int = 16
    row_tokens: int = 40
    rows: int = 1_000
    adapted_layers: int = 0


PLAIN = Case()
CASES = (
    PLAIN,
    *(replace(PLAIN, rank=rank) for rank in (8, 64)),
    *(replace(PLAIN, row_tokens=tokens) for tokens in (200, 800)),
    *(replace(PLAIN, rows=rows) for rows in (10_000, 50_000)),
    *(replace(PLAIN, adapted_layers=15, rows=rows) for rows in (1_000, 10_000)),
)
COLUMNS = ("rank", "tokens a row", "rows", "layers with an adapter", "peak MB", "tokens/s")


def main() -> None:
    lines = [COLUMNS, ("---:",) * len(COLUMNS)]
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            command = [sys.executable, str(Path(__file__).resolve()), json.dumps(asdict(case))]
            cost = watched(command, environment(), Path(scratch), LIMIT_S)
            row_tokens, speed = (Path(scratch) / "log.txt").read_text().splitlines()[-1].split()
        layers = str(case.adapted_layers or "all")
        figures = (str(case.rank), row_tokens, f"{case.rows:,}", layers, f"{cost.peak_mb:,.0f}", speed)
        lines.append(figures)
        print(" | ".join(figures), file=sys.stderr, flush=True)
    print("\n".join("| " + " | ".join(line) + " |" for line in lines))


def train(case: Case) -> None:
    """Trains for `STEPS` steps and prints the mean tokens of a row and the tokens a second."""
    from words import rows as words_rows

    from chapeta.engine import weights
    from chapeta.tuning.load import load_tokeniser
    from chapeta.tuning.local import data_shape, model_shape, tune
    from chapeta.tuning.recipe import choose_recipe
    from chapeta.tuning.tokenise import tokenise

    rows = words_rows(case.rows, max(1, case.row_tokens - TEMPLATE_TOKENS), 2)
    file = weights.ensure("smollm2-135m")
    tokenised = tokenise(rows, load_tokeniser(file))
    batch_rows = max(1, BATCH_TOKENS // case.row_tokens)
    own = {"rank": case.rank, "adapted_layers": case.adapted_layers, "batch_rows": batch_rows}
    own["epochs"] = STEPS * batch_rows / case.rows
    recipe = choose_recipe(data_shape(tokenised), model_shape(file), own).recipe
    speed = tune(file, rows, [], recipe, Path.cwd() / "made", 0).tokens_per_s
    print(f"{sum(len(row.ids) for row in tokenised.rows) / len(rows):.0f} {speed:.0f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(Case(**json.loads(sys.argv[1])))
    else:
        main()
