"""The words of the project as frozen data: messages, examples, tasks, candidates, requests, answers. No I/O."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]
TaskKind = Literal["classify", "extract", "generate"]
Finish = Literal["stop", "length", "error"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `weight` is the loss weight of an assistant turn (0: context only)."""

    role: Role
    content: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Example:
    """Input messages and the expected answer.

    messages: the conversation before the answer, first turn first; never empty.
    answer:   what the assistant should say; tool calls are canonical JSON text.
    weight:   loss weight of the answer (OpenAI's `weight`).
    tools:    tool definitions in force, as given.
    group:    rows of one group (a customer, a document) never straddle splits; "" is no group.
    line:     1-based line (or row) of the source file, 0 if there is none.
    """

    messages: tuple[Message, ...]
    answer: str
    weight: float = 1.0
    tools: tuple[Json, ...] = ()
    group: str = ""
    line: int = 0

    @property
    def question(self) -> str:
        """The text of the last user turn, which similarity looks at; all turns if there is no user turn."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return "\n".join(message.content for message in self.messages)

    @property
    def id(self) -> str:
        """16 hex digits of the SHA-256 of input and answer: the same row has the same id in every run."""
        parts = [[m.role, m.content] for m in self.messages] + [["answer", self.answer]]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Labels:
    """The answer is exactly one of these strings."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """The answer is a JSON object that fits this JSON schema; keys come in the schema's order, without white space."""

    schema: Json

    def __hash__(self) -> int:
        return hash(json.dumps(self.schema, sort_keys=True))


Constraint = Labels | Schema


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is sampled. Temperature 0 is greedy. `max_tokens` counts answer tokens."""

    max_tokens: int
    constraint: Constraint | None = None
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What the examples ask for, inferred from their answers (`examples/task.py`) or stated by the user.

    constraint: the closed labels or JSON schema of the answers; None for free text.
    max_answer_tokens: room for an answer, with margin over the longest training answer.
    """

    kind: TaskKind
    constraint: Constraint | None
    max_answer_tokens: int

    @property
    def decoding(self) -> Decoding:
        return Decoding(max_tokens=self.max_answer_tokens, constraint=self.constraint)


class Retriever(Protocol):
    """Picks the examples to show before a question."""

    def pick(self, question: str) -> tuple[Example, ...]:
        """The examples to show, the most helpful last (next to the question)."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one model, ready to send. `adapter` is the path of a GGUF LoRA adapter for local models."""

    model: str
    messages: tuple[Message, ...]
    decoding: Decoding
    adapter: str | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what is asked: messages and decoding. Who is asked (weights, adapter) is not in it."""
        d = self.decoding
        shape: Any = d.constraint.values if isinstance(d.constraint, Labels) else d.constraint and d.constraint.schema
        parts = [[[m.role, m.content] for m in self.messages], [shape, d.max_tokens, d.temperature, d.seed]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. `tokens_cached` of the `tokens_in` came from a prompt prefix computed before."""

    tokens_in: int
    tokens_out: int
    tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `usd` is None where nobody says what the call cost; a failed call has finish "error"."""

    text: str
    usage: Usage
    latency_ms: float
    finish: Finish = "stop"
    usd: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that can answer: a base model, and optionally instructions, shown examples and an adapter."""

    name: str
    model: str
    decoding: Decoding
    system: str = ""
    shots: tuple[Example, ...] = ()
    retriever: Retriever | None = field(default=None, compare=False)
    adapter: str | None = None

    def render(self, messages: tuple[Message, ...]) -> Request:
        """The request for a conversation: instructions first, shown examples as earlier turns, then the conversation.

        A system turn of the conversation itself is kept, after the candidate's own instructions.
        """
        own = [m.content for m in messages if m.role == "system"]
        turns = tuple(m for m in messages if m.role != "system")
        shots = self.shots
        if self.retriever is not None:
            last = next((m.content for m in reversed(turns) if m.role == "user"), "")
            shots = self.retriever.pick(last)
        shown: list[Message] = []
        for shot in shots:
            shown += [m for m in shot.messages if m.role != "system"] + [Message("assistant", shot.answer)]
        system = "\n\n".join(part for part in (self.system, *own) if part)
        head = (Message("system", system),) if system else ()
        return Request(self.model, (*head, *shown, *turns), self.decoding, self.adapter)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in USD per million tokens unless said otherwise. None: nobody says, or not billed apart.

    cached: prompt tokens read from a cache; cache_write: written to one; reasoning: hidden thinking (None: as `output`).
    image: USD per million image tokens of the prompt; usd_per_call: on top of the tokens.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    image: float | None = None
    usd_per_call: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A line of the catalogue.

    id: as it is typed here, provider first: `openrouter/anthropic/claude-sonnet-4.5`; provider: the first part of it.
    context_tokens: prompt and answer together; None where the provider does not say, as with price.
    inputs, outputs: modalities, such as "text", "image"; parameters: request fields that the model takes.
    created, retires: ISO dates; "" where unknown.
    """

    id: str
    provider: str
    name: str = ""
    context_tokens: int | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    price: Price | None = None
    created: str = ""
    retires: str = ""
