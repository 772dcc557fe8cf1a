"""What a provider is: someone who answers requests for the models it serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chapeta.types import Answer, Request

OnText = Callable[[str], None]


class Provider(Protocol):
    """Answers requests. Implementations are safe to call from several threads."""

    def serves(self, model: str) -> bool:
        """Whether this model id is one of mine."""
        ...

    def answer(self, request: Request, on_text: OnText | None) -> Answer:
        """Answers; raises ModelFailed or BadInput where it cannot. `on_text` gets the text as it comes."""
        ...

    def identity(self, request: Request) -> str:
        """What decides the answer besides the request: hashes of weights and adapter, or the model's name."""
        ...

    def count_tokens(self, model: str, text: str) -> int:
        """Tokens of a bare text."""
        ...

    def context_tokens(self, model: str) -> int:
        """How many tokens of prompt and answer the model takes."""
        ...

    def concurrency(self, model: str) -> int:
        """How many requests are worth having in flight."""
        ...

    def close(self) -> None:
        """Frees what is held."""
        ...
