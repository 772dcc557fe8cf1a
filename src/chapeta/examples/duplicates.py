"""Near duplicates among many texts, in bounded memory.

Two texts are near duplicates when the Jaccard similarity of their sets of 5-character shingles is at least 0.8, after
letter case, punctuation, white space and long numbers (order or phone numbers) are evened out. Five characters see word
order and inflection; with 0.8 one changed letter (up to 5 shingles on either side) makes a near duplicate of texts from
about 50 characters on, one changed word from about 75. Shorter texts must be equal once evened out: "How do I top up?"
and "How can I top up?" score 0.3 and stay two questions.

Candidates come from MinHash (Broder 1997) with 60 hash functions in bands, so work grows with the rows, not their
square. Every candidate pair is then checked on its shingles, kept in a temporary file, so no false pair is reported.
A pair of exactly 0.8 is missed with probability 6e-7 below 5,000 rows, 4e-4 below 50,000 and 0.9 % above (0.07 % at
0.85); in buckets of more than 24 rows only neighbours and the first are compared.
Memory: 120 bytes a row for signatures, about 100 for the rest while clusters are sought.
"""

from __future__ import annotations

import re
import tempfile
from array import array
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from chapeta.examples.source import Progress, no_room
from chapeta.types import Example

SIMILARITY = 0.8
SHINGLE = 5
HASHES = 60
MAX_SHINGLES = 2048
MAX_CHARACTERS = 65_536
BATCH_ROWS = 4096
BATCH_CHARACTERS = 500_000
BLOCK_PAIRS = 20_000
WINDOW = 24
LEAST_AGREEMENT = SIMILARITY - 3.5 * 0.052
"""Of 60 hashes, 3.5 standard errors below: a candidate that agrees in fewer is not worth a closer look."""

Rows = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


def comparable(example: Example) -> str:
    """What similarity looks at: every turn but the system prompt, which most rows of a file share."""
    turns = [message.content for message in example.messages if message.role != "system"]
    return evened("\n".join(turns) if turns else example.question)


def setting(example: Example) -> str:
    """The system prompt without its numbers (dates, ids). Rows that differ here are not duplicates of one another."""
    return re.sub(r"\d+", "0", "\n".join(m.content for m in example.messages if m.role == "system"))


def evened(text: str) -> str:
    """Without case, punctuation, doubled white space and numbers of 5 digits or more.

    Short numbers and signs of calculation carry meaning and stay. So does every sign of a text that is a quarter signs
    (a formula, code), and a long number that is nearly all of its text.
    """
    folded = " ".join(text[:MAX_CHARACTERS].casefold().split())
    words = " ".join(folded.translate(_PUNCTUATION).split() if folded.isascii() else _WORDS.findall(folded))
    visible = len(folded) - folded.count(" ")
    if 4 * (len(words) - words.count(" ")) < 3 * visible:
        return folded
    masked = _LONG_NUMBER.sub("0", words)
    return masked if 4 * len(masked) > len(words) else words


_MEANING = "_+*/=<>^%&|~"
_WORDS = re.compile(rf"[\w{re.escape(_MEANING)}]+")
_PUNCTUATION = {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) not in _MEANING}
_LONG_NUMBER = re.compile(r"[0-9]{5,}")


def clusters_of(examples: list[Example]) -> Rows:
    """For each example the index of the first one of its cluster of near duplicates (its own if it is alone)."""
    similar = Similar()
    for example in examples:
        similar.add(comparable(example), setting(example))
    return similar.clusters()


class Similar:
    """Collects texts one by one, then finds the clusters of near duplicates."""

    def __init__(self) -> None:
        self.count = 0
        self._texts: list[str] = []
        self._characters = 0
        self._keys: list[U64] = []
        self._waiting_keys: list[int] = []
        self._settings = array("Q")
        self._signatures: list[npt.NDArray[np.uint16]] = []
        self._lengths: list[U32] = []
        self._sketches = tempfile.TemporaryFile(prefix="chapeta-")  # noqa: SIM115 - lives as long as this object
        generator = np.random.default_rng(20_240_501)
        self._factors = generator.integers(1, 2**63, (HASHES,), dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def add(self, text: str, setting: str = "") -> None:
        """Add the next row. Only rows with the same setting are compared."""
        place = _hash64(setting) if setting else 0
        self._waiting_keys.append(_hash64(text) ^ place)
        self._settings.append(place)
        self._texts.append(text.ljust(SHINGLE))
        self._characters += len(text)
        self.count += 1
        if len(self._texts) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS:
            self._flush()

    def clusters(self, progress: Progress | None = None) -> Rows:
        """For each row the index of the first row of its cluster: near duplicates, and theirs, and so on."""
        self._flush()
        if not self.count:
            return np.zeros(0, np.int64)
        keys = np.concatenate(self._keys)
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        leader = first[inverse]
        distinct = np.sort(first)
        edges = self._edges(distinct, progress) if len(distinct) > 1 else np.zeros((0, 2), np.int64)
        return _components(np.concatenate([np.stack([np.arange(self.count), leader], 1), edges]), self.count)

    def _flush(self) -> None:
        """Shingles, sketches and signatures of the waiting texts, all at once."""
        if not self._texts:
            return
        segments, hashes = _shingles(self._texts)
        segments, hashes, lengths = _sketch(segments, hashes, len(self._texts))
        try:
            self._sketches.write(hashes.tobytes())
            self._sketches.flush()
        except OSError as error:
            raise no_room(error) from None
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        signature = np.empty((len(self._texts), HASHES), np.uint16)
        wide = hashes.astype(np.uint64)
        for i, factor in enumerate(self._factors):
            mixed = (wide * factor) >> np.uint64(32)
            signature[:, i] = _fold(np.minimum.reduceat(mixed, starts))
        self._signatures.append(signature)
        self._lengths.append(lengths.astype(np.uint32))
        self._keys.append(np.array(self._waiting_keys, np.uint64))
        self._texts, self._waiting_keys, self._characters = [], [], 0

    def _edges(self, rows: Rows, progress: Progress | None) -> Pairs:
        """Verified pairs among rows of distinct text, enough of them to connect every cluster."""
        signatures = np.concatenate(self._signatures)
        self._signatures = [signatures]
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(self._lengths), dtype=np.int64)])
        own = signatures if len(rows) == self.count else signatures[rows]
        settings = np.frombuffer(self._settings, np.uint64)[rows]
        bands, width = _banding(len(rows))
        found = np.zeros((0, 2), np.int64)
        for band in range(bands):
            cluster = _components(found, len(rows))
            likely = []
            for pairs in _candidates(own, band * width, width):
                pairs = pairs[cluster[pairs[:, 0]] != cluster[pairs[:, 1]]]
                pairs = pairs[settings[pairs[:, 0]] == settings[pairs[:, 1]]]
                likely.append(pairs[_agreement(own, pairs) >= LEAST_AGREEMENT])
            pairs = np.concatenate(likely)
            kept = self._verified(rows[pairs], offsets)
            found = np.concatenate([found, pairs[kept]])
            if progress is not None:
                progress("compare", (band + 1) / bands)
        return rows[found]

    def _verified(self, pairs: Pairs, offsets: Rows) -> npt.NDArray[np.bool_]:
        kept = np.zeros(len(pairs), np.bool_)
        for start in range(0, len(pairs), BLOCK_PAIRS):
            block = pairs[start : start + BLOCK_PAIRS]
            kept[start : start + BLOCK_PAIRS] = similarities(block, lambda row: self._read(row, offsets)) >= SIMILARITY
        return kept

    def _read(self, row: int, offsets: Rows) -> U32:
        self._sketches.seek(4 * int(offsets[row]))
        return np.frombuffer(self._sketches.read(4 * int(offsets[row + 1] - offsets[row])), np.uint32)


def similarities(pairs: Pairs, sketch: Callable[[int], U32]) -> npt.NDArray[np.float64]:
    """Jaccard similarity of each pair of rows from their sorted sketches.

    A sketch holds the `MAX_SHINGLES` smallest hashes; below the smaller of two sketches' last hashes both are complete.
    """
    result = np.zeros(len(pairs))
    cache: dict[int, U32] = {int(row): sketch(int(row)) for row in np.unique(pairs)}
    for i, (one, other) in enumerate(pairs.tolist()):
        a, b = cache[one], cache[other]
        if max(len(a), len(b)) >= MAX_SHINGLES:
            last = min(x[-1] for x in (a, b) if len(x) >= MAX_SHINGLES)
            a, b = a[a <= last], b[b <= last]
        if min(len(a), len(b)) < SIMILARITY * max(len(a), len(b)):
            continue
        both = np.concatenate([a, b])
        both.sort()
        shared = int(np.count_nonzero(both[1:] == both[:-1]))
        result[i] = shared / (len(a) + len(b) - shared)
    return result


def _shingles(texts: list[str]) -> tuple[Rows, U32]:
    """(text's number, hash) of every run of `SHINGLE` characters; a text is at least that long."""
    characters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    sizes = np.array([len(text) for text in texts], np.int64)
    combined = np.zeros(len(characters) - SHINGLE + 1, np.uint64)
    for i in range(SHINGLE):
        combined *= np.uint64(0x9E3779B97F4A7C15)
        combined += characters[i : len(characters) - SHINGLE + 1 + i]
    combined ^= combined >> np.uint64(29)
    combined *= np.uint64(0xBF58476D1CE4E5B9)
    hashes = (combined >> np.uint64(32)).astype(np.uint32)
    left = np.arange(len(characters), dtype=np.int64)
    segments = np.repeat(np.arange(len(texts), dtype=np.int64), sizes)
    ends = np.repeat(np.cumsum(sizes), sizes)
    inside = (left + SHINGLE <= ends)[: len(hashes)]
    return segments[: len(hashes)][inside], hashes[inside]


def _sketch(segments: Rows, hashes: U32, count: int) -> tuple[Rows, U32, Rows]:
    """The distinct hashes of each text in ascending order, at most `MAX_SHINGLES`, and how many there are."""
    joined = np.sort((segments.astype(np.uint64) << np.uint64(32)) | hashes)
    joined = joined[np.concatenate([[True], joined[1:] != joined[:-1]])]
    segments = (joined >> np.uint64(32)).astype(np.int64)
    lengths = np.bincount(segments, minlength=count)
    if lengths.max() > MAX_SHINGLES:
        starts = np.cumsum(lengths) - lengths
        kept = np.arange(len(joined)) - starts[segments] < MAX_SHINGLES
        joined, segments = joined[kept], segments[kept]
        lengths = np.bincount(segments, minlength=count)
    return segments, joined.astype(np.uint32), lengths


def _fold(values: U64) -> npt.NDArray[np.uint16]:
    return (values ^ (values >> np.uint64(16))).astype(np.uint16)


def _hash64(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _banding(rows: int) -> tuple[int, int]:
    """(bands, hashes a band): wide nets for few rows, narrow ones for many. See the top of the file."""
    if rows <= 5_000:
        return 20, 3
    return (15, 4) if rows <= 50_000 else (12, 5)


def _candidates(signatures: npt.NDArray[np.uint16], start: int, width: int) -> Iterator[Pairs]:
    """Pairs of rows with equal hashes in a band: all pairs of a small bucket, neighbours and leader of a large one.

    They come in portions of at most one pair a row, for memory's sake.
    """
    key = np.zeros(len(signatures), np.uint64)
    for column in range(start, start + width):
        key = (key ^ signatures[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(31)
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    new = np.concatenate([[True], sorted_key[1:] != sorted_key[:-1]])
    leader = np.maximum.accumulate(np.where(new, np.arange(len(key)), 0))
    far = np.flatnonzero(np.arange(len(key)) - leader > WINDOW)
    yield np.stack([order[leader[far]], order[far]], 1)
    for distance in range(1, WINDOW + 1):
        same = np.flatnonzero(leader[distance:] == leader[:-distance])
        if not len(same):
            return
        yield np.stack([order[same], order[same + distance]], 1)


def _agreement(signatures: npt.NDArray[np.uint16], pairs: Pairs) -> npt.NDArray[np.float64]:
    """The share of equal MinHashes of each pair, which estimates its similarity (standard error 0.052 at 0.8)."""
    result = np.zeros(len(pairs))
    for start in range(0, len(pairs), BLOCK_PAIRS):
        block = pairs[start : start + BLOCK_PAIRS]
        equal = signatures[block[:, 0]] == signatures[block[:, 1]]
        result[start : start + BLOCK_PAIRS] = np.count_nonzero(equal, axis=1) / HASHES
    return result


def _components(edges: Pairs, count: int) -> Rows:
    """For each of `count` nodes the smallest node it is connected with."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones: Any = np.ones(len(edges), np.bool_)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)
