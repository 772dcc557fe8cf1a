"""Prompts that begin alike: what they share is computed once and copied to every slot, not once a slot.

llama.cpp's server keeps what a slot has computed, but does not copy it to other slots of its own accord: rows under one
skill would compute that skill once in each of the slots. So where a prompt begins as one that is being answered does,
that answer is waited for, and its beginning is copied before the other prompts go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from chapeta.engine.closed import Tokens
from chapeta.errors import ModelFailed

LEAST_TOKENS = 64  # fewer are computed about as fast as they are copied
Copy = Callable[[Tokens, str | None], None]


class Beginnings:
    """Knows the prompts in flight and what all slots have. Safe to call from several threads.

    copy_to_all: lets every slot have these tokens, computed with this adapter; called while nothing else is in flight.
    """

    def __init__(self, copy_to_all: Copy) -> None:
        self._copy_to_all = copy_to_all
        self._entering = threading.Lock()
        self._in_flight: list[tuple[Tokens, str | None, bool]] = []
        self._one_ended = threading.Condition()
        self._everywhere: tuple[Tokens, str | None] = ((), None)

    @contextmanager
    def answering(self, prompt: Tokens, adapter: str | None = None, brief: bool = False) -> Iterator[None]:
        """Around an answer. brief: it takes little more than computing the prompt, so that others may wait for it.

        A prompt of no tokens is one that is not known here, and shares nothing.
        """
        entry = (prompt, adapter, brief)
        with self._entering:
            if shared := self._worth_copying(*entry):
                with self._one_ended:
                    self._one_ended.wait_for(lambda: not self._in_flight)
                with suppress(
                    ModelFailed, OSError
                ):  # a full disk, say: each slot then computes it for itself, as it would have
                    self._copy_to_all(shared, adapter)
                self._everywhere = (shared, adapter)
            with self._one_ended:
                self._in_flight.append(entry)
        try:
            yield
        finally:
            with self._one_ended:
                self._in_flight.remove(entry)
                self._one_ended.notify_all()

    def _worth_copying(self, prompt: Tokens, adapter: str | None, brief: bool) -> Tokens:
        """What of the prompt all slots should have and have not; () if nothing. Notes what they have from now on."""
        everywhere, computed_with = self._everywhere
        known = common_length(prompt, everywhere) if adapter == computed_with else 0
        with self._one_ended:
            others = tuple(self._in_flight)
        waits = brief and others and all((other[1:] == (adapter, True)) for other in others)
        shared = min(common_length(prompt, other[0]) for other in others) if waits else 0
        if shared - known >= LEAST_TOKENS:
            return prompt[:shared]
        self._everywhere = (prompt[:known] if known >= LEAST_TOKENS else (), adapter)
        return ()


def common_length(first: Tokens, second: Tokens) -> int:
    """How many tokens two prompts begin with alike."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if first[low:middle] == second[low:middle] else (low, middle - 1)
    return low
