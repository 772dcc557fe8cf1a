"""How full the context is, and what helps before it overflows. Neither the skill nor the question is ever given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chapeta.chat.request import PASSAGE_TOKENS, Draft, Part
from chapeta.chat.types import Attachment, Turn
from chapeta.errors import BadInput

WayKind = Literal["room", "relevant", "compact", "drop", "larger"]

TIGHT_SHARE = 0.85  # of the limit; from here on the ways out are worth showing
KEPT_EXCHANGES = 2  # last questions with their answers, which compaction leaves as they are
SUMMARY_TOKENS = 800  # of a summary, at most
FRAME_TOKENS = 100  # what stands around a document's passages or a summary
LEAST_ROOM = 256  # tokens for an answer; less is no use
MOST_ROOM = 4096  # tokens for an answer, where the user did not say
ROOM_SHARE = 4  # of a small context, a quarter is for the answer


@dataclass(frozen=True, slots=True)
class Meter:
    """Tokens by kind. limit: the model's context, None where nobody says; overhead: roles and marks around messages.

    used: the prompt, all kinds and the overhead; over: by how much prompt and room pass the limit, 0 if they do not.
    exact: whether all of it was counted by the model's own tokeniser.
    """

    limit: int | None
    skill: int
    summary: int
    history: int
    documents: int
    images: int
    question: int
    overhead: int
    room: int
    used: int
    exact: bool
    over: int

    @property
    def is_tight(self) -> bool:
        """Whether the context is nearly full, or over."""
        return self.limit is not None and self.used + self.room > self.limit * TIGHT_SHARE


@dataclass(frozen=True, slots=True)
class Way:
    """Something that would make room. tokens: how many it frees (of "larger": how much context is needed).

    fits: whether the request fits after it. turn_ids: what "drop" leaves out and "compact" puts in a summary;
    attachment_ids: documents that "relevant" sends in parts; room: what "room" leaves for the answer.
    """

    kind: WayKind
    tokens: int
    fits: bool
    turn_ids: tuple[str, ...] = ()
    attachment_ids: tuple[str, ...] = ()
    room: int | None = None


class Full(BadInput):
    """A request that does not fit, refused before it is sent. ways: what would help, the least loss first."""

    def __init__(self, meter: Meter, ways: tuple[Way, ...]) -> None:
        about = "" if meter.exact else "about "
        super().__init__(
            f"The message does not fit: with the chat and its files it takes {about}{meter.used:,} tokens, "
            f"and the model's context window has {meter.limit:,}.",
            "Send less, or choose a model with a larger one.",
        )
        self.meter = meter
        self.ways = ways


def fitted(draft: Draft, limit: int | None) -> Draft:
    """The draft as it can be sent: with less room for the answer where the context is nearly full.

    Raises Full where not even a short answer would fit; a provider would refuse it.
    """
    meter = measure(draft, limit, default_room(limit))
    if not meter.over:
        return draft
    left = (limit or 0) - meter.used
    if left < LEAST_ROOM:
        raise Full(meter, ways_out(meter, draft))
    return replace(draft, body={**draft.body, "max_tokens": left})


def asking(
    turns: Sequence[Turn], attachments: Mapping[str, Sequence[Attachment]], text: str, files: Sequence[Attachment]
) -> tuple[list[Turn], dict[str, Sequence[Attachment]]]:
    """A path and its files with a question that is not kept yet: whether it fits is known before anything is stored."""
    question = Turn("asking", "", turns[-1].id if turns else None, "user", text, "done", 0.0)
    return [*turns, question], {**attachments, question.id: files}


def default_room(limit: int | None) -> int:
    """Tokens to leave for the answer where the user did not say."""
    return MOST_ROOM if limit is None else max(1, min(MOST_ROOM, limit // ROOM_SHARE))


def measure(draft: Draft, limit: int | None, room: int) -> Meter:
    """How full a context of `limit` tokens is with a request, and `room` tokens for the answer."""
    of = dict.fromkeys(("skill", "summary", "history", "document", "image", "question"), 0)
    for part in draft.parts:
        of[part.kind] += part.tokens
    used = draft.tokens
    over = max(0, used + room - limit) if limit is not None else 0
    return Meter(
        limit, of["skill"], of["summary"], of["history"], of["document"], of["image"], of["question"],
        draft.overhead, room, used, draft.exact, over,
    )  # fmt: skip


def ways_out(meter: Meter, draft: Draft, *, passage_tokens: int = PASSAGE_TOKENS) -> tuple[Way, ...]:
    """What would help, the least loss first; nothing while there is enough space. The last one always helps."""
    if not meter.is_tight:
        return ()
    exchanges = _exchanges(draft.parts)
    found = (
        _less_room(meter),
        _parts_of_documents(meter, draft.parts, passage_tokens),
        _compaction(meter, exchanges, passage_tokens),
        _dropping(meter, exchanges),
        Way("larger", meter.used + meter.room, True),
    )
    return tuple(way for way in found if way is not None)


def _less_room(meter: Meter) -> Way | None:
    left = (meter.limit or 0) - meter.used
    return Way("room", meter.over, True, room=left) if meter.over and left >= LEAST_ROOM else None


def _parts_of_documents(meter: Meter, parts: Sequence[Part], passage_tokens: int) -> Way | None:
    """Sends documents in relevant parts, the largest first, as many as needed; all of them if nothing is over yet."""
    each = 2 * (passage_tokens + FRAME_TOKENS)  # some with the question it came with, some with the present one
    whole = sorted((p for p in parts if p.kind == "document" and p.tokens > each), key=lambda part: -part.tokens)
    chosen: list[str] = []
    freed = 0
    for part in whole:
        if meter.over and freed >= meter.over:
            break
        chosen.append(part.attachment_id)
        freed += part.tokens - each
    return Way("relevant", freed, freed >= meter.over, attachment_ids=tuple(chosen)) if chosen else None


def _compaction(meter: Meter, exchanges: list[list[Part]], passage_tokens: int) -> Way | None:
    """A summary instead of all but the last exchanges; it takes in the summary that there is."""
    older = [part for exchange in exchanges[:-KEPT_EXCHANGES] for part in exchange]
    documents = {part.attachment_id for part in older if part.kind == "document"}
    kept = len(documents) * (passage_tokens + FRAME_TOKENS)
    freed = sum(part.tokens for part in older) - kept - max(0, SUMMARY_TOKENS + FRAME_TOKENS - meter.summary)
    if freed <= 0:
        return None
    return Way("compact", freed, freed >= meter.over, _turn_ids(older), tuple(sorted(documents)))


def _dropping(meter: Meter, exchanges: list[list[Part]]) -> Way | None:
    """Leaves out the oldest exchanges, no more than needed; all of them, if even that is not enough."""
    if not meter.over or not exchanges:
        return None
    dropped: list[Part] = []
    freed = 0
    for exchange in exchanges:
        if freed >= meter.over:
            break
        dropped += exchange
        freed += sum(part.tokens for part in exchange)
    return Way("drop", freed, freed >= meter.over, _turn_ids(dropped))


def _exchanges(parts: Sequence[Part]) -> list[list[Part]]:
    """The turns before the question, each of the user's with the answers to it, the oldest first."""
    asked = {part.turn_id for part in parts if part.kind == "question"}
    answers = {part.turn_id for part in parts if part.kind == "history" and part.label == "assistant"}
    found: list[list[Part]] = []
    last = ""
    for part in parts:
        if not part.turn_id or part.turn_id in asked:
            continue
        if not found or (part.turn_id != last and part.turn_id not in answers):
            found.append([])
        found[-1].append(part)
        last = part.turn_id
    return found


def _turn_ids(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.turn_id for part in parts))
