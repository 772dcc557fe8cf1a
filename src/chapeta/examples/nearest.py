"""Few-shot by similarity: the examples whose questions share most words with the question at hand, by BM25.

Words are what one sees: runs of letters and digits, case folded, without stemming or stop words, whatever the language.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from chapeta.errors import BadInput
from chapeta.types import Example

_WORD = re.compile(r"\w+")


class Nearest:
    """Picks the `k` nearest examples of a pool (types.Retriever). The same question always gets the same examples."""

    def __init__(self, pool: Sequence[Example], k: int) -> None:
        if not pool or k < 1:
            raise BadInput(
                f"Cannot pick {k} examples of {len(pool)}.", "Give at least one example, and k of at least 1."
            )
        self.pool, self.k = tuple(pool), min(k, len(pool))
        words = [_words(example.question) for example in self.pool]
        self._index = _indexed(words) if any(words) else None

    def pick(self, question: str) -> tuple[Example, ...]:
        """The nearest examples, the most similar last; equals in the order of the pool.

        Where fewer than `k` share a word with the question, the first of the pool fill up, farthest from the question.
        """
        order = self._ranked(question)[: self.k]
        return tuple(self.pool[index] for index in reversed(order))

    def _ranked(self, question: str) -> list[int]:
        words = _words(question)
        if self._index is None or not words:
            return list(range(self.k))
        known = self._index.get_tokens_ids(words)
        if not known:
            return list(range(self.k))
        import numpy as np  # takes a tenth of a second, and most programs that know of deployments never come here

        scores = np.asarray(self._index.get_scores_from_ids(known), np.float64).round(6)
        if self.k < len(scores):
            least = np.partition(scores, -self.k)[-self.k]
            above, equal = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
            chosen = np.concatenate([above, equal[: self.k - len(above)]])
        else:
            chosen = np.arange(len(scores))
        return [int(index) for index in chosen[np.lexsort((chosen, -scores[chosen]))]]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _indexed(words: list[list[str]]) -> Any:
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    index = bm25s.BM25()
    index.index(words, show_progress=False)
    return index
