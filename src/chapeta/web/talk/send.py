"""From what the user wrote to an answer that is coming: the turns are kept first, then the request is built and sent."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import msgspec

from chapeta.chat.compact import accepted, plan
from chapeta.chat.request import Draft, build, filled
from chapeta.chat.tokens import Count, Estimate, Exact
from chapeta.chat.types import Attachment, Chat, Turn
from chapeta.chat.window import default_room
from chapeta.engine import weights
from chapeta.errors import BadInput, ModelFailed
from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import Caller
from chapeta.gateway.fault import Fault
from chapeta.skills import library
from chapeta.skills.choose import speaking, typed
from chapeta.types import Message
from chapeta.web import choices
from chapeta.web.services import Services, thread

Sent = tuple[Chat, Turn]


@dataclass(frozen=True, slots=True)
class With:
    """Who is to answer, and how. dropped: ids of turns that are left out of what is sent."""

    model: str
    skill: str = ""
    dropped: Collection[str] = ()


MOST_TURNS = 100_000


async def ask(services: Services, chat: Chat | None, text: str, how: With, files: Sequence[Attachment] = ()) -> Sent:
    """A question at the end of a chat, or of a new one. Returns the chat and the turn that the answer comes into."""
    if not text.strip() and not files:
        raise BadInput("The message is empty.", "Write something first.")
    chats = services.chats
    if text.startswith("/") and (asked := typed(text, await thread(library.entries))) is not None:
        how, text = replace(how, skill=asked.entry.name), asked.rest or asked.entry.description
    if chat is None:
        chat = await thread(chats.create, model=how.model, skill=how.skill)
    question = await thread(chats.add, chat.id, chat.tip_id, "user", text, attachments=files)
    return await _answer(services, chat, question.id, how)


async def ask_instead(services: Services, chat: Chat, turn: Turn, text: str, how: With) -> Sent:
    """A question said in another way: a branch beside it, with its attachments."""
    files = (await thread(services.chats.attachments, [turn.id])).get(turn.id, [])
    question = await thread(services.chats.add, chat.id, turn.parent_id, "user", text, attachments=files)
    return await _answer(services, chat, question.id, how)


async def answer_again(services: Services, chat: Chat, turn: Turn, how: With) -> Sent:
    """Another answer to the same question: a branch beside the one that is there."""
    if turn.parent_id is None:
        raise BadInput("This answer has no question before it.", "Write a message.")
    return await _answer(services, chat, turn.parent_id, how)


async def draft(services: Services, chat: Chat, how: With) -> Draft:
    """What would be sent now, its images as references."""
    chats = services.chats
    path = await thread(chats.branch, chat.tip_id, limit=MOST_TURNS) if chat.tip_id else []
    ids = [turn.id for turn in path]
    attached, summary = await asyncio.gather(thread(chats.attachments, ids), thread(chats.summary, ids))
    known = await thread(choices.find, how.model)
    spoken = await thread(speaking, how.skill, "hand")
    room = default_room(known.context_tokens)
    return await thread(
        build, path, attached, model=how.model, count=count_for(services, how.model), skill=spoken.text, summary=summary,
        room=room, sees_images=not known.inputs or "image" in known.inputs, dropped=how.dropped,
    )  # fmt: skip


def count_for(services: Services, model: str) -> Count:
    """Tokens in a model's own vocabulary where it is here, else an estimate. For threads, not for the event loop."""
    if not weights.is_local(model) or (model in weights.MODELS and not weights.is_pulled(model)):
        return Estimate()
    loop = asyncio.get_running_loop()

    def count(what: str | Sequence[Message]) -> int:
        file = str(weights.ensure(model))
        return asyncio.run_coroutine_threadsafe(services.core.count_tokens(file, what), loop).result()

    return Exact(count, count)


async def compact(services: Services, chat: Chat, model: str) -> bool:
    """Lets the model sum the older turns up, which the summary stands for from now on. False: there is nothing to gain."""
    chats = services.chats
    path = await thread(chats.branch, chat.tip_id, limit=MOST_TURNS) if chat.tip_id else []
    ids = [turn.id for turn in path]
    attached, summary = await asyncio.gather(thread(chats.attachments, ids), thread(chats.summary, ids))
    known = await thread(choices.find, model)
    count = count_for(services, model)
    planned = await thread(plan, path, attached, model=model, count=count, limit=known.context_tokens, summary=summary)
    if planned is None:
        return False
    try:
        reply = await services.core.chat(msgspec.json.encode(planned.body), Caller(local=True, is_us=True))
    except Fault as fault:
        raise ModelFailed(fault.message, fault.remedy) from None
    assert isinstance(reply, Reply)
    text = accepted(msgspec.json.decode(reply.body)["choices"][0]["message"]["content"] or "")
    await thread(chats.add_summary, chat.id, planned.upto_id, text, await thread(count, text))
    return True


async def _answer(services: Services, chat: Chat, question_id: str, how: With) -> Sent:
    chats = services.chats
    chat = await thread(chats.change, chat.id, tip_id=question_id)
    made = await draft(services, chat, how)
    spoken = await thread(speaking, how.skill, "hand")
    turn = await thread(
        chats.add, chat.id, question_id, "assistant", "", status="streaming", model=how.model, skill=spoken.name,
        skill_version=spoken.version, skill_by=spoken.by,
    )  # fmt: skip
    await thread(chats.save_request, turn.id, made.body)
    services.live.begin(turn.id, chat.id, await thread(filled, made.body, chats.data))
    return await thread(chats.get, chat.id), turn
