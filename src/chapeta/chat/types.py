"""A chat as data: a tree of turns, what is attached to them, and what they took. Frozen, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chapeta.types import Json

# cut: the program ended while the answer streamed
Status = Literal["done", "streaming", "stopped", "failed", "cut"]
SkillBy = Literal["", "hand", "always", "model"]
Mode = Literal["image", "whole", "relevant"]


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation. Times are seconds since 1970 UTC; `tip_id` is the last turn of the branch that is shown."""

    id: str
    title: str
    folder: str
    pinned: bool
    tags: tuple[str, ...]
    created_at: float
    updated_at: float
    model: str
    skill: str
    tip_id: str | None


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. skill_by: who chose the skill; figures are None where nobody says; error: what a refusal said."""

    id: str
    chat_id: str
    parent_id: str | None
    role: Literal["user", "assistant"]
    text: str
    status: Status
    created_at: float
    reasoning: str = ""
    model: str = ""
    skill: str = ""
    skill_version: str = ""
    skill_by: SkillBy = ""
    call_id: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    usd: float | None = None
    latency_ms: float | None = None
    first_token_ms: float | None = None
    error: Json | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a turn. text: a document's; data: an image's bytes, None where they were not asked for. size in bytes."""

    id: str
    turn_id: str
    name: str
    media_type: str
    size: int
    mode: Mode
    tokens: int | None = None
    text: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands for the turns up to `upto_id` when a chat was compacted; the turns themselves stay."""

    id: str
    chat_id: str
    upto_id: str
    text: str
    tokens: int | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls took. usd: as far as it is known; calls_of_unknown_cost: for how many it is not."""

    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    calls_of_unknown_cost: int = 0
