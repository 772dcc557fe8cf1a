"""BANKING77: what a tuned model reaches beside plain prompt and skill, and whether the engine serves what torch trained.

    python benchmarks/banking77.py --data FOLDER              10 intents × 60 training rows, all their test rows
    python benchmarks/banking77.py --data FOLDER --all        77 intents, all rows

FOLDER has `train.csv` and `test.csv` with the columns text and category (Casanueva et al. 2020, arXiv 2003.04807).
Prints one JSON object. The torch figure answers as the engine does: greedily among the labels.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

INTENTS = (
    "card_arrival", "exchange_rate", "lost_or_stolen_card", "top_up_failed", "change_pin", "country_support",
    "cash_withdrawal_charge", "verify_my_identity", "apple_pay_or_google_pay", "terminate_account",
)  # fmt: skip
ROWS_PER_INTENT = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--replay", type=int, help="replay rows (default: as many as the product takes)")
    parser.add_argument("--lora-plus-ratio", type=float)
    parser.add_argument("--adapted-layers", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--candidates", default="base,skill,tuned")
    parser.add_argument("--general-items", type=int, help="questions about general ability (all 141)")
    parser.add_argument(
        "--out", type=Path, help="folder to keep; given again, the run in it goes on where it was stopped"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = arguments.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        print(json.dumps(measure(arguments, out), indent=1))


def measure(arguments: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Runs the product's own way from file to verdict, then answers the test rows once more in torch."""
    from chapeta.cli.draw import progress
    from chapeta.specialize import specialize
    from chapeta.stages.run import Run, Settings

    intents = None if arguments.all else INTENTS
    per_intent = None if arguments.all else ROWS_PER_INTENT
    train = write_rows(arguments.data / "train.csv", out / "train.csv", intents, per_intent, arguments.seed)
    test = write_rows(arguments.data / "test.csv", out / "test.csv", intents, None, arguments.seed)
    given = {name: getattr(arguments, name) for name in ("epochs", "lora_plus_ratio", "adapted_layers")}
    recipe = {name: value for name, value in given.items() if value is not None}
    settings = Settings(
        str(out / "train.csv"), "banking77", candidates=tuple(arguments.candidates.split(",")), task="classify",
        test=str(out / "test.csv"), seed=arguments.seed, recipe=recipe, general_items=arguments.general_items,
        replay_rows=arguments.replay,
    )  # fmt: skip
    started = time.monotonic()
    with progress() as listener:
        run = Run.create(settings, out / "run")
        outcome = specialize(run, listener)
    figures = outcome.to_json()
    tuned = json.loads(next((run.folder / "tuned").glob("*/result.json")).read_text())
    keep = ("steps", "seconds", "tokens", "tokens_per_s", "peak_rss_bytes", "chosen_step", "chosen_score")
    return {
        "rows": {"train": train, "test": test},
        "seconds": round(time.monotonic() - started, 1),
        "candidates": figures["candidates"],
        "training": {name: tuned["result"][name] for name in keep},
        "recipe": tuned["recipe"],
        "torch": torch_accuracy(run.folder),
        "verdict": figures["verdict"]["use"],
    }


def torch_accuracy(folder: Path) -> dict[str, Any]:
    """Accuracy of the tuned candidate from the PEFT adapter in torch, and rows on which the engine said something else."""
    import torch

    from chapeta.deployments import candidate_from_json
    from chapeta.engine import weights
    from chapeta.engine.closed import closed_form, decode
    from chapeta.tuning import lora
    from chapeta.tuning.load import load
    from chapeta.tuning.tokenise import ChatTokeniser
    from chapeta.types import Message

    candidates = json.loads((folder / "candidates.json").read_text())
    candidate = candidate_from_json(next(c for c in candidates if c["name"] == "tuned"))
    loaded = load(weights.ensure(candidate.model))
    lora.attach(loaded.model, next((folder / "tuned").glob("*/adapter")))
    chat = ChatTokeniser(loaded.tokeniser)
    closed = closed_form(candidate.decoding.constraint)
    assert closed is not None
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    mine = [row for row in rows if row["candidate"] == "tuned"]
    right = differing = 0
    end = loaded.tokeniser.convert_tokens_to_ids("<|im_end|>")
    for row in mine:
        prompt = list(chat.encode(chat.prompt([Message(role, content) for role, content in row["messages"]])))

        def choose(so_far: tuple[int, ...], allowed: Sequence[int], prompt: list[int] = prompt) -> int:
            with torch.inference_mode():
                logits = loaded.model(torch.tensor([[*prompt, *so_far]])).logits[0, -1]
            return max(allowed, key=lambda token: float(logits[token]))

        text, _ = decode(closed, lambda t: tuple(chat.encode(t)), end, choose)
        right += text == row["expected"]
        differing += text != row["answer"]["text"]
    return {"accuracy": right / len(mine), "n": len(mine), "rows_that_differ_from_the_engine": differing}


def write_rows(source: Path, target: Path, intents: Sequence[str] | None, per_intent: int | None, seed: int) -> int:
    """Copies the rows of these intents, at most so many of each, drawn with the seed. Returns how many."""
    by_intent: dict[str, list[str]] = defaultdict(list)
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if intents is None or row["category"] in intents:
                by_intent[row["category"]].append(row["text"])
    if intents and set(intents) - set(by_intent):
        sys.exit(f"{source} has no rows of {sorted(set(intents) - set(by_intent))}")
    draw = random.Random(seed)
    rows = [
        (text, intent)
        for intent, texts in sorted(by_intent.items())
        for text in (draw.sample(texts, min(per_intent, len(texts))) if per_intent else texts)
    ]
    with target.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "category"), *rows])
    return len(rows)


if __name__ == "__main__":
    main()
