"""Scores free text against one reference: chrF (characters), ROUGE-L (order of words), exact match.

chrF leads: it needs no word boundaries, so it works for every language and forgives small differences of spelling.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq
from sacrebleu.metrics import CHRF

from chapeta.bench.scorers.rows import RowScores, answered, choose
from chapeta.types import Answer, Example, Task

WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class TextScorer:
    """`metric` is one of chrf, rouge_l and exact_match; all three are always computed."""

    metric: str = "chrf"

    def score(self, examples: Sequence[Example], answers: Sequence[Answer], task: Task) -> RowScores:  # noqa: ARG002
        pairs = [(e.answer.strip(), answered(a)) for e, a in zip(examples, answers, strict=True)]
        chrf_metric = CHRF()
        rows = {
            "chrf": [chrf(reference, text, chrf_metric) for reference, text in pairs],
            "rouge_l": [rouge_l(reference, text) for reference, text in pairs],
            "exact_match": [float(reference == text) for reference, text in pairs],
        }
        return choose(self.metric, rows, {})


def chrf(reference: str, text: str, metric: CHRF | None = None) -> float:
    """Sentence chrF2 (sacrebleu's defaults: character 6-grams, recall counts twice) as a share."""
    if not reference or not text:
        return float(reference == text)
    share = float((metric or CHRF()).sentence_score(text, [reference]).score) / 100
    return min(max(share, 0.0), 1.0)  # rounding can pass 1 in the last digit


def rouge_l(reference: str, text: str) -> float:
    """F1 of the longest common subsequence of words. Words are runs of letters and digits, in lower case."""
    wanted, found = _words(reference), _words(text)
    if not wanted or not found:
        return float(reference == text)
    common = LCSseq.similarity(wanted, found)
    return 2 * common / (len(wanted) + len(found))


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())
