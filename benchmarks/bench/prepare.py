"""Writes the task of the local part: rows and candidates, and the token ids that every contestant computes."""

from __future__ import annotations

import json
from pathlib import Path

from task import ANSWER_TOKENS, candidates, drawn, labels_of, read

from chapeta.engine import weights
from chapeta.engine.llama import Engine


def prepare(data: Path, target: Path, model: str, rows: int, count: int, skill_tokens: int, seed: int) -> None:
    """Token ids come from the engine's own template and tokeniser, so that all compute the same."""
    engine = Engine(weights.ensure(model), slots=1)
    try:
        chosen = drawn(read(data / "test.csv"), rows, seed)
        made = candidates(data, model, count, skill_tokens, engine.tokenise)
        task = {
            "id": model,
            "model": str(weights.ensure(model)),
            "answer_tokens": ANSWER_TOKENS,
            "rows": [[row.question, row.answer] for row in chosen],
            "labels": {
                label: [*engine.tokenise(label), engine.end_of_turn] for label in labels_of(read(data / "train.csv"))
            },
            "candidates": [
                {
                    "name": it.name,
                    "system": it.system,
                    "prompts": [engine.prompt_tokens(it.render(row.messages).messages) for row in chosen],
                }
                for it in made
            ],
        }
    finally:
        engine.close()
    target.write_text(json.dumps(task), encoding="utf-8")
