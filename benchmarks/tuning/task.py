"""What everybody trains on: the same rows of BANKING77 as the same text, and the same weights as a Hugging Face folder.

The rows are those of the product: one short line as system prompt, the customer's words, the label; each peer gets them
both as messages and as text in which the model's chat template is written out.
"""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from chapeta.engine import weights
from chapeta.examples.task import infer_task
from chapeta.files import write_atomic
from chapeta.skills.prompts import short_instruction
from chapeta.tuning.load import load
from chapeta.tuning.tokenise import ChatTokeniser, tokenise
from chapeta.tuning.trainer import TrainingRow
from chapeta.types import Example, Message

Row = tuple[str, str]  # text, label


def prepare(data: Path, folder: Path, model: str, train_rows: int, test_rows: int, seed: int) -> None:
    """Writes `base/`, `train.jsonl` and `test.jsonl`, unless they are there. 0 rows: all there are."""
    if (folder / "test.jsonl").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load(weights.ensure(model), "fp32")
    loaded.model.config.dtype = "float32"
    loaded.model.save_pretrained(folder / "base")
    loaded.tokeniser.save_pretrained(folder / "base")
    test = read(data / "test.csv")
    held_out = {text for text, _ in test}
    train = drawn([row for row in read(data / "train.csv") if row[0] not in held_out], train_rows, seed)
    examples = [Example((Message("user", text),), label) for text, label in train]
    system = short_instruction(infer_task(examples))
    sizes = [len(row.ids) for row in tokenise([TrainingRow(system, it) for it in examples], loaded.tokeniser).rows]
    chat = ChatTokeniser(loaded.tokeniser)
    write_rows(folder / "train.jsonl", train, system, chat, sizes)
    write_rows(folder / "test.jsonl", drawn(test, test_rows, seed), system, chat)


def write_rows(path: Path, rows: Iterable[Row], system: str, chat: ChatTokeniser, sizes: Sequence[int] = ()) -> None:
    lines = []
    for number, (text, label) in enumerate(rows):
        prompt = chat.prompt([Message("system", system), Message("user", text)])
        line = {
            "system": system,
            "text": text,
            "label": label,
            "prompt": prompt,
            "answer": label + chat.end_of_turn_text,
        }
        lines.append(json.dumps({**line, "tokens": sizes[number]} if sizes else line) + "\n")
    write_atomic(path, "".join(lines))


def read(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def drawn(rows: Sequence[Row], count: int, seed: int) -> list[Row]:
    """So many rows in random order, of each label as nearly equally many as there are; all of them for 0."""
    chance = random.Random(seed)
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_label[row[1]].append(row)
    for of_label in by_label.values():
        chance.shuffle(of_label)
    ranked = [(place, label, row) for label, of_label in by_label.items() for place, row in enumerate(of_label)]
    taken = [row for _, _, row in sorted(ranked)[: count or None]]
    chance.shuffle(taken)
    return taken
