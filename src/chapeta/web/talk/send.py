"""From what the user wrote to answers that are coming: what cannot be sent is refused before anything is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from chapeta.chat.compact import accepted, plan
from chapeta.chat.request import Draft, filled
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.chat.xray import look
from chapeta.errors import BadInput, ChapetaError, ModelFailed
from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import Caller
from chapeta.gateway.fault import Fault
from chapeta.skills import library
from chapeta.skills.choose import typed
from chapeta.types import Json
from chapeta.web import choices
from chapeta.web.services import Services, thread
from chapeta.web.talk import making, speaks
from chapeta.web.talk.making import Prepared, With, count_for

__all__ = [
    "Asked",
    "Sent",
    "With",
    "answer",
    "answer_again",
    "ask",
    "ask_beside",
    "compact",
    "draft",
    "say",
    "say_instead",
    "send_on",
]

Sent = tuple[Chat, Turn]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that is kept, and who is to answer it."""

    chat: Chat
    question: Turn
    how: With


async def ask(services: Services, chat: Chat | None, text: str, how: With, files: Sequence[Attachment] = ()) -> Sent:
    """A question at the end of a chat, or of a new one. Returns the chat and the turn that the answer comes into."""
    return await answer(services, await say(services, chat, text, how, files))


async def say(services: Services, chat: Chat | None, text: str, how: With, files: Sequence[Attachment] = ()) -> Asked:
    """Keeps a question at the end of a chat, or of a new one, which is to be answered next.

    `/name` at its beginning picks a skill. Raises before anything is kept: Full where it does not fit, BadInput …
    """
    if not text.strip() and not files:
        raise BadInput("The message is empty.", "Write something first.")
    if text.startswith("/") and (found := typed(text, await thread(library.entries))) is not None:
        how, text = replace(how, skill=found.entry.name, newest=True), found.rest or found.entry.description
    path = await making.path_to(services, chat.tip_id if chat else None)
    await making.check(services, path.asking(text, files), how)
    if chat is None:
        chat = await thread(services.chats.create, model=how.model, skill=how.skill)
    return Asked(chat, await thread(services.chats.add, chat.id, chat.tip_id, "user", text, attachments=files), how)


async def say_instead(services: Services, chat: Chat, turn: Turn, text: str, how: With) -> Asked:
    """Keeps a question said in another way: a branch beside it, with its attachments."""
    files = (await thread(services.chats.attachments, [turn.id])).get(turn.id, [])
    path = await making.path_to(services, turn.parent_id)
    await making.check(services, path.asking(text, files), how)
    question = await thread(services.chats.add, chat.id, turn.parent_id, "user", text, attachments=files)
    return Asked(chat, question, how)


async def answer(services: Services, asked: Asked) -> Sent:
    """Begins the answer to a question: the only one so far, or a branch beside those that are there."""
    return await _begin(services, asked.question, await making.prepare(services, asked.question.id, asked.how))


async def answer_again(services: Services, chat: Chat, turn: Turn, how: With) -> Sent:
    """Another answer to the same question: a branch beside the one that is there."""
    if turn.parent_id is None:
        raise BadInput("This answer has no question before it.", "Write a message.")
    question = await thread(services.chats.turn, turn.parent_id)
    return await answer(services, Asked(chat, question, how))


async def ask_beside(services: Services, text: str, hows: Sequence[With]) -> Asked:
    """One question to several models or skills, in a chat of its own: their answers come side by side, in this order.

    Where one of them cannot be asked, its answer says why, and the others come all the same.
    """
    if not text.strip():
        raise BadInput("The message is empty.", "Write something first.")
    chat = await thread(services.chats.create, model=hows[0].model, skill=hows[0].skill)
    question = await thread(services.chats.add, chat.id, None, "user", text)
    preparing = (making.prepare(services, question.id, how) for how in hows)
    for how, made in zip(hows, await asyncio.gather(*preparing, return_exceptions=True), strict=True):
        if isinstance(made, ChapetaError):
            await _refused(services, question, how, made)
        elif isinstance(made, BaseException):
            raise made
        else:
            await _begin(services, question, made)
    return Asked(chat, question, hows[0])


async def draft(services: Services, chat: Chat, how: With) -> Draft:
    """What would be sent now, its images as references."""
    path = await making.path_to(services, chat.tip_id)
    spoken = await thread(speaks.spoken, how.skill, path.turns, newest=how.newest)
    return await making.draft(services, path, how, spoken)


async def send_on(services: Services, turn: Turn, model: str) -> Sent:
    """The request of an answer once more, with another model and nothing else changed; its answer is a branch beside.

    Raises BadInput where nothing was sent, or the model does not take it.
    """
    sent = await thread(services.chats.request, turn.id)
    if sent is None or turn.parent_id is None:
        raise BadInput("What was sent for this answer was not kept.", "Ask again instead.")
    question = await thread(services.chats.turn, turn.parent_id)
    await _takes(services, model, sent, question)
    kept = {**sent, "model": model}
    body = await thread(filled, kept, services.chats.data)
    again = Prepared(model, turn.skill, turn.skill_version, turn.skill_by, kept, body)
    return await _begin(services, question, again)


async def compact(services: Services, chat: Chat, model: str) -> bool:
    """Lets the model sum the older turns up, which the summary stands for from now on. False: there is nothing to gain."""
    path = await making.path_to(services, chat.tip_id)
    known = await thread(choices.find, model)
    count = await count_for(services, model, path.turns)
    planned = await thread(
        plan, path.turns, path.attachments, model=model, count=count, limit=known.context_tokens, summary=path.summary
    )
    if planned is None:
        return False
    try:
        reply = await services.core.chat(msgspec.json.encode(planned.body), Caller(local=True, is_us=True))
    except Fault as fault:
        raise ModelFailed(fault.message, fault.remedy) from None
    assert isinstance(reply, Reply)
    text = accepted(msgspec.json.decode(reply.body)["choices"][0]["message"]["content"] or "")
    await thread(services.chats.add_summary, chat.id, planned.upto_id, text, await thread(count, text))
    return True


async def _begin(services: Services, question: Turn, made: Prepared) -> Sent:
    """From here on the answer comes, whatever becomes of the page. All that can be refused was refused before."""
    turn = await thread(
        services.chats.add, question.chat_id, question.id, "assistant", "", status="streaming", model=made.model,
        skill=made.skill, skill_version=made.skill_version, skill_by=made.skill_by,
    )  # fmt: skip
    services.live.begin(turn.id, turn.chat_id, made.body, made.spent_usd)
    await thread(services.chats.save_request, turn.id, made.kept)
    return await thread(services.chats.get, turn.chat_id), turn


async def _refused(services: Services, question: Turn, how: With, error: ChapetaError) -> None:
    """An answer that says why it does not come."""
    told: Json = {"message": error.message, "remedy": error.remedy}
    chats = services.chats
    turn = await thread(chats.add, question.chat_id, question.id, "assistant", "", status="failed", model=how.model)
    await thread(chats.update, turn.id, status="failed", error=told)


async def _takes(services: Services, model: str, body: Json, question: Turn) -> None:
    """Raises BadInput where a model is known not to take a request as it is."""
    known = await thread(choices.find, model)
    seen = await thread(look, body, question.text, await count_for(services, model), None, services.chats.data)
    if known.context_tokens is not None and seen.tokens > known.context_tokens:
        about = "" if seen.exact else "about "
        raise BadInput(
            f"The request has {about}{seen.tokens:,} tokens; {model} takes {known.context_tokens:,}.",
            "Choose a model with a larger context window.",
        )
    if known.inputs and "image" not in known.inputs and any(piece.kind == "image" for piece in seen.pieces):
        raise BadInput(f"The request has pictures, which {model} cannot see.", "Choose a model that can.")
