"""Trains with Chapeta: the product's own recipe and trainer. Called with a file of settings; see `run.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from steps import Steps

from chapeta.engine import weights
from chapeta.tuning.batches import epoch_batches
from chapeta.tuning.load import load_tokeniser
from chapeta.tuning.local import data_shape, model_shape, tune
from chapeta.tuning.recipe import choose_recipe
from chapeta.tuning.tokenise import tokenise
from chapeta.tuning.trainer import TrainingRow, TuneProgress
from chapeta.types import Example, Message


def main(settings: dict[str, Any]) -> None:
    out, seed = Path(settings["out"]), settings["seed"]
    lines = [json.loads(line) for line in Path(settings["train"]).read_text(encoding="utf-8").splitlines()]
    rows = [TrainingRow(it["system"], Example((Message("user", it["text"]),), it["label"])) for it in lines]
    file = weights.ensure(settings["model"])
    tokenised = tokenise(rows, load_tokeniser(file))
    own = {"epochs": settings["epochs"], "rank": settings["rank"], **settings["own"]}
    recipe = choose_recipe(data_shape(tokenised), model_shape(file), own).recipe
    lengths = [len(row.ids) for row in tokenised.rows]
    steps, batches = Steps(out, settings["seconds"]), []

    def note(progress: TuneProgress) -> None:
        epoch, place = divmod(progress.step - 1, -(-len(rows) // recipe.batch_rows))
        if place == 0:
            batches[:] = epoch_batches(lengths, recipe.batch_rows, seed, epoch)
        if steps.done(sum(lengths[row] for row in batches[place])):
            raise KeyboardInterrupt

    result = tune(file, rows, [], recipe, out, seed, note)
    print(
        json.dumps({"chosen_step": result.chosen_step, "batch_rows": recipe.batch_rows, "rate": recipe.learning_rate})
    )


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    except KeyboardInterrupt:
        print("time is up")
