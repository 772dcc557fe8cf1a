"""The "relevant parts" of a document: the passages that share most with a question, within a budget of tokens.

A document is cut at its pages, slides, sheets, headings and paragraphs; passages are ranked with BM25 over words (for
scripts without spaces, over pairs of characters), and given back in the document's order with their place named.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

PASSAGE_CHARS = 900  # about 200 tokens of English: a few paragraphs
LEAST_CHARS = 300  # shorter than this, a passage goes on over a paragraph's end but not over a heading
LEAST_SHARE = 0.1  # of the best passage's score; below it, only words such as "of" are shared
KEPT_INDEXES = 4  # documents whose index is kept: the same one is asked again with the next question

_PLACE = re.compile(r"\[((?:Page|Slide) \d+)\]$|#{1,6} +(.*\S)")  # the marks that `documents` writes, and Markdown's
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_FIRST_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_BREAK = re.compile(r"(?<=[.!?。！？])\s*|\s+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. number: its place in order, from 0; place: for people, such as "Page 3, Results"."""

    number: int
    place: str
    text: str


class Index:
    """A document's passages, ready to be asked."""

    def __init__(self, text: str) -> None:
        self.passages = tuple(split(text))
        words = [_words(f"{passage.place}\n{passage.text}") for passage in self.passages]
        self._bm25: Any = _indexed(words) if any(words) else None

    def pick(
        self, question: str, budget: int, count: Callable[[str], int], without: Collection[int] = ()
    ) -> tuple[Passage, ...]:
        """The passages that fit the question best and together take at most `budget` tokens, in the document's order.

        without: numbers of passages that are not wanted, because they were given before. Where no passage shares a word
        with the question, the document's beginning stands for it, unless something was given before.
        """
        chosen: list[Passage] = []
        left = budget
        for number in self._ranked(question, fill=not without):
            if number in without:
                continue
            tokens = count(shown([self.passages[number]]))
            if tokens <= left:
                chosen.append(self.passages[number])
                left -= tokens
            elif left < budget // 10 or len(chosen) > 2:  # what is left takes a small one at best
                break
        return tuple(sorted(chosen, key=lambda passage: passage.number))

    def _ranked(self, question: str, fill: bool) -> list[int]:
        """Numbers of the passages that share words with the question, the best first; all in order if none does."""
        import numpy as np

        words = _words(question)
        known = self._bm25.get_tokens_ids(words) if self._bm25 is not None and words else []
        if known:
            scores = np.asarray(self._bm25.get_scores_from_ids(known), np.float64).round(6)
            matching = np.flatnonzero((scores > 0) & (scores >= LEAST_SHARE * scores.max()))
            return [int(number) for number in matching[np.lexsort((matching, -scores[matching]))]]
        return list(range(len(self.passages))) if fill else []


@lru_cache(maxsize=KEPT_INDEXES)
def index(text: str) -> Index:
    """The index of a document's text; that of the last few documents is kept."""
    return Index(text)


def shown(passages: Sequence[Passage]) -> str:
    """Passages as a model gets them, each under its place."""
    return "\n\n".join(f"[{passage.place}]\n{passage.text}" for passage in passages)


def split(text: str) -> Iterator[Passage]:
    """The passages of a text, in order; nothing but white space and page marks is lost. Code and prose alike."""
    number, page, heading, fenced = 0, "", "", False
    lines: list[str] = []
    size, first = 0, 1

    def close() -> Iterator[Passage]:
        nonlocal number, lines, size
        body = "\n".join(lines).strip("\n")
        lines, size = [], 0
        if body.strip():
            place = ", ".join(filter(None, (page, heading))) or f"Line {first}"
            yield Passage(number, place, body)
            number += 1

    for at, line in enumerate(text.split("\n"), 1):
        if _FENCE.match(line):
            fenced = not fenced
        found = None if fenced else _PLACE.match(line)
        if found or (size >= LEAST_CHARS and not line.strip()) or size + len(line) > PASSAGE_CHARS:
            yield from close()
        if found and found[1]:
            page = found[1]
            continue
        if found:
            heading = found[2][:80]
        if not lines:
            first = at
        for piece in _pieces(line):
            if size and size + len(piece) > PASSAGE_CHARS:
                yield from close()
                first = at
            lines.append(piece)
            size += len(piece) + 1
    yield from close()


def _pieces(line: str) -> list[str]:
    """A line as it is, or cut at sentences, words, or anywhere, if it is longer than a passage."""
    pieces = []
    start = 0
    while len(line) - start > PASSAGE_CHARS:
        cuts = [found.end() for found in _BREAK.finditer(line, start + LEAST_CHARS, start + PASSAGE_CHARS)]
        sentences = (cut for cut in reversed(cuts) if line[start:cut].rstrip()[-1:] in ".!?。！？")
        cut = next(sentences, cuts[-1] if cuts else start + PASSAGE_CHARS)
        pieces.append(line[start:cut])
        start = cut
    return [*pieces, line[start:]]


def _words(text: str) -> list[str]:
    """Words, case folded; runs of a script without spaces as pairs of characters."""
    words: list[str] = []
    for word in _WORD.findall(text.casefold()):
        if word.isascii() or len(word) == 1 or not _FIRST_UNSPACED.match(word):
            words.append(word)
        else:
            words += [word[at : at + 2] for at in range(len(word) - 1)]
    return words


def _indexed(words: list[list[str]]) -> Any:
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)
    found = bm25s.BM25()
    found.index(words, show_progress=False)
    return found
