"""What providers counted for the answers of a chat corrects the estimate of what is sent next. Blocks."""

from __future__ import annotations

from collections.abc import Sequence

from chapeta.chat.store import Chats
from chapeta.chat.tokens import Estimate, of_body
from chapeta.chat.types import Turn

REPORTS = 2  # the last answers of a path that are learned from; older ones hardly weigh


def learnt(chats: Chats, path: Sequence[Turn], model: str) -> Estimate:
    """The estimate for a model, corrected by what it was said to have read for its last answers on a path."""
    count = Estimate()
    told = [turn for turn in path if turn.role == "assistant" and turn.model == model and turn.tokens_in]
    for turn in told[-REPORTS:]:
        body = chats.request(turn.id)
        estimated = of_body(body) if body is not None else None
        if estimated is not None:
            count = count.learn(estimated, turn.tokens_in or 0)
    return count
