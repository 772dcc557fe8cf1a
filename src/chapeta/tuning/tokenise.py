"""Rows as token ids with a loss weight each: what the model reads, and which of its words it is taught.

Taught are the answer, its end-of-turn token, and earlier assistant turns, each by its own weight. The text before an
answer is rendered and tokenised as it is at inference (the candidate's own rendering, the model's own chat template
with the generation prompt), so training and serving see the same ids; a test compares them with llama.cpp's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chapeta.errors import BadInput
from chapeta.tuning.trainer import TrainingRow
from chapeta.types import Candidate, Decoding, Message

SENTINEL = "answer stands here"


@dataclass(frozen=True, slots=True)
class TokenisedRow:
    """weights[i] is the loss weight of predicting ids[i]; 0 is context only. Both have the same length."""

    ids: tuple[int, ...]
    weights: tuple[float, ...]

    @property
    def answer_tokens(self) -> int:
        return sum(weight > 0 for weight in self.weights)


@dataclass(frozen=True, slots=True)
class TokenisedRows:
    """dropped: how many rows were longer than allowed and left out."""

    rows: tuple[TokenisedRow, ...]
    dropped: int

    @property
    def longest(self) -> int:
        return max((len(row.ids) for row in self.rows), default=0)

    @property
    def answer_tokens(self) -> int:
        return sum(row.answer_tokens for row in self.rows)


def tokenise(rows: Sequence[TrainingRow], tokeniser: Any, max_tokens: int | None = None) -> TokenisedRows:
    """Tokenises rows; rows above `max_tokens` are left out and counted.

    Raises BadInput for a row that teaches nothing, naming its line, and where no row is left.
    """
    chat = ChatTokeniser(tokeniser)
    pieces = [piece for row in rows for piece in _row(chat, row)]
    kept = tuple(piece for piece in pieces if max_tokens is None or len(piece.ids) <= max_tokens)
    if pieces and not kept:
        shortest = min(len(piece.ids) for piece in pieces)
        raise BadInput(f"All {len(pieces)} rows are longer than {max_tokens} tokens.", f"Allow at least {shortest}.")
    return TokenisedRows(kept, len(pieces) - len(kept))


def preview(rows: Sequence[TrainingRow], tokeniser: Any, count: int) -> list[list[tuple[str, bool]]]:
    """The first rows as runs of text, each with whether it is taught: what `chapeta tune --preview` shows."""
    chat = ChatTokeniser(tokeniser)
    pieces = [piece for row in rows[:count] for piece in _row(chat, row)]
    return [_runs(piece, tokeniser) for piece in pieces[:count]]


class ChatTokeniser:
    """A model's tokeniser and chat template, and the token that ends an assistant's turn."""

    def __init__(self, tokeniser: Any) -> None:
        self._tokeniser = tokeniser
        if not tokeniser.chat_template:
            raise BadInput("The model has no chat template.", "Use an instruction-tuned model's GGUF file.")
        self.end_of_turn = self._find_end_of_turn()
        self.end_of_turn_text: str = tokeniser.convert_ids_to_tokens(self.end_of_turn)

    def prompt(self, messages: Sequence[Message]) -> str:
        """The text that the model reads before it answers."""
        return self._render(messages, True)

    def encode(self, text: str) -> list[int]:
        """Token ids; special tokens written out in the text (as templates do) become themselves."""
        ids: list[int] = self._tokeniser.encode(text, add_special_tokens=False)
        return ids

    def answer(self, before: str, before_ids: list[int], answer: str) -> list[int]:
        """Ids of an answer and its end of turn. SentencePiece would put a space before a text that stands alone."""
        joint = self.encode(before + answer)
        size = len(before_ids)
        ids = joint[size:] if joint[:size] == before_ids else self.encode(answer)
        return [*ids, self.end_of_turn]

    def _render(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        from jinja2.exceptions import TemplateError

        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text: str = self._tokeniser.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=generation_prompt
            )
        except TemplateError as error:
            raise BadInput(f"The model's chat template refuses a conversation: {error}.", "Change its turns.") from None
        return text

    def _find_end_of_turn(self) -> int:
        """The first token that the template writes after an answer; the end-of-text token if it is no special one."""
        text = self._render([Message("user", "?"), Message("assistant", SENTINEL)], False)
        after = self.encode(text.partition(SENTINEL)[2])
        if after and after[0] in self._tokeniser.added_tokens_decoder:
            return after[0]
        if self._tokeniser.eos_token_id is None:
            raise BadInput("The model has no token that ends a turn.", "Use an instruction-tuned model's GGUF file.")
        return int(self._tokeniser.eos_token_id)


def _row(chat: ChatTokeniser, row: TrainingRow) -> list[TokenisedRow]:
    """One sequence with all taught turns; one per taught turn where the template rewrites earlier turns."""
    request = Candidate("", "", Decoding(0), system=row.system).render(row.example.messages)
    turns = (*request.messages, Message("assistant", row.example.answer, row.example.weight))
    taught = [place for place, turn in enumerate(turns) if turn.role == "assistant" and turn.weight > 0]
    if not taught:
        line = f"Line {row.example.line}" if row.example.line else f"Row {row.example.id}"
        raise BadInput(f"{line} teaches nothing: every assistant turn has weight 0.", "Remove it, or raise a weight.")
    whole = _sequence(chat, turns, taught)
    if whole is not None:
        return [whole]
    return [piece for place in taught if (piece := _sequence(chat, turns, [place])) is not None]


def _sequence(chat: ChatTokeniser, turns: Sequence[Message], taught: Sequence[int]) -> TokenisedRow | None:
    """Ids and weights up to the last taught turn; None where the text before a turn is not a beginning of the next."""
    ids: list[int] = []
    weights: list[float] = []
    done = ""
    for place in taught:
        prompt = chat.prompt(turns[:place])
        if not prompt.startswith(done):
            return None
        before = prompt[len(done) :]
        before_ids = chat.encode(before)
        answer_ids = chat.answer(before, before_ids, turns[place].content)
        ids += before_ids + answer_ids
        weights += [0.0] * len(before_ids) + [turns[place].weight] * len(answer_ids)
        done = prompt + turns[place].content + chat.end_of_turn_text
    return TokenisedRow(tuple(ids), tuple(weights))


def _runs(row: TokenisedRow, tokeniser: Any) -> list[tuple[str, bool]]:
    """Neighbouring tokens with the same mask, decoded together, so that a character of several tokens stays whole."""
    runs: list[tuple[list[int], bool]] = []
    for token, weight in zip(row.ids, row.weights, strict=True):
        if not runs or runs[-1][1] != (weight > 0):
            runs.append(([], weight > 0))
        runs[-1][0].append(token)
    return [(tokeniser.decode(ids, skip_special_tokens=False), trained) for ids, trained in runs]
