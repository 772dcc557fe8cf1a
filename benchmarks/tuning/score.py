"""Held-out accuracy of any trainer's adapter, by one and the same code: base and adapter in torch, greedy among the labels.

Called as a program with the test rows, the adapter's folder and the model's name. It answers as the product's engine
does: token by token, each time the most likely one of those that some label goes on with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from chapeta.engine import weights
from chapeta.tuning import lora
from chapeta.tuning.load import LoadedModel, load
from chapeta.tuning.tokenise import ChatTokeniser

Tokens = tuple[int, ...]
ROWS_AT_ONCE = 32


def accuracy(loaded: LoadedModel, lines: list[dict[str, Any]], labels: list[str]) -> float:
    chat = ChatTokeniser(loaded.tokeniser)
    options = {label: (*chat.encode(label), chat.end_of_turn) for label in labels}
    prompts = sorted(((tuple(chat.encode(it["prompt"])), it["label"]) for it in lines), key=lambda row: len(row[0]))
    right = 0
    for start in range(0, len(prompts), ROWS_AT_ONCE):
        rows = prompts[start : start + ROWS_AT_ONCE]
        answers = [Tokens()] * len(rows)
        while any(len(ahead(options, so_far)) for so_far in answers):
            logits = next_logits(loaded.model, [ids + so_far for (ids, _), so_far in zip(rows, answers, strict=True)])
            answers = [longer(options, so_far, row) for so_far, row in zip(answers, logits, strict=True)]
        right += sum(options[label] == answer for (_, label), answer in zip(rows, answers, strict=True))
    return right / len(prompts)


def ahead(options: dict[str, Tokens], so_far: Tokens) -> list[int]:
    """The tokens that some label goes on with."""
    size = len(so_far)
    return sorted({tokens[size] for tokens in options.values() if len(tokens) > size and tokens[:size] == so_far})


def longer(options: dict[str, Tokens], so_far: Tokens, logits_V: torch.Tensor) -> Tokens:
    """The answer with the likeliest of its next tokens, and those after it that leave no choice."""
    if allowed := ahead(options, so_far):
        so_far = (*so_far, max(allowed, key=lambda token: float(logits_V[token])))
    while len(forced := ahead(options, so_far)) == 1:
        so_far = (*so_far, *forced)
    return so_far


def next_logits(model: Any, rows: list[Tokens]) -> torch.Tensor:
    """Logits of what follows each row. Padding stands behind, where a causal model does not see it."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    hidden_BTH = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
    last = torch.tensor([len(row) - 1 for row in rows])
    logits: torch.Tensor = model.get_output_embeddings()(hidden_BTH[torch.arange(len(rows)), last]).float()
    return logits


def main(test: Path, adapter: Path, model: str) -> None:
    lines = [json.loads(line) for line in test.read_text(encoding="utf-8").splitlines()]
    labels = sorted({json.loads(line)["label"] for line in (test.parent / "train.jsonl").read_text().splitlines()})
    loaded = load(weights.ensure(model), "fp32")
    lora.attach(loaded.model, adapter)
    with torch.inference_mode():
        print(json.dumps({"accuracy": accuracy(loaded, lines, labels), "rows": len(lines)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
