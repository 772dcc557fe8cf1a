"""Ours: the rows of each candidate through the product's own bench path, as `chapeta bench` takes it.

python ours.py TASK.json        with CHAPETA_HOME a data directory that has the model and nothing else
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from chapeta.bench.answers import AnswerStore
from chapeta.bench.run import answer_examples
from chapeta.gateway.door import Gateway
from chapeta.types import Candidate, Decoding, Example, Labels, Message


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = [Example((Message("user", text),), label) for text, label in task["rows"]]
    decoding = Decoding(task["answer_tokens"], Labels(tuple(task["labels"])))
    candidates = [Candidate(it["name"], task["id"], decoding, it["system"]) for it in task["candidates"]]
    warm = Candidate("warm", task["id"], Decoding(1))
    with (
        tempfile.TemporaryDirectory() as folder,
        AnswerStore(Path(folder) / "answers.sqlite") as store,
        Gateway() as gateway,
    ):
        answer_examples(warm, rows[:1], gateway, store)  # the engine starts, the weights are read
        started = time.perf_counter()
        answered = [answer_examples(candidate, rows, gateway, store) for candidate in candidates]
        seconds = time.perf_counter() - started
    errors = [answer.error for answers in answered for answer in answers if answer.error]
    usages = [answer.usage for answers in answered for answer in answers]
    found = {
        "seconds": seconds,
        "said": [[answer.text for answer in answers] for answers in answered],
        "tokens_in": sum(usage.tokens_in for usage in usages),
        "tokens_out": sum(usage.tokens_out for usage in usages),
        "tokens_cached": sum(usage.tokens_cached for usage in usages),
        "errors": errors[:3],
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
