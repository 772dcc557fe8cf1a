"""From a place in a chat to the request that asks for an answer there."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from chapeta.chat.reported import learnt
from chapeta.chat.request import Attachments, Draft, build, filled
from chapeta.chat.tokens import Count, Exact
from chapeta.chat.types import Attachment, SkillBy, Summary, Turn
from chapeta.chat.window import Full, asking, default_room, fitted
from chapeta.engine import weights
from chapeta.skills.choose import Choice
from chapeta.types import Json, Message
from chapeta.web import choices
from chapeta.web.services import Services, thread
from chapeta.web.talk import speaks

WHOLE_PATH = 100_000


@dataclass(frozen=True, slots=True)
class With:
    """Who is to answer, and how. dropped: ids of turns that are left out of what is sent.

    newest: whether the skill speaks as it is now, even if the chat has used an older version of it.
    """

    model: str
    skill: str = ""
    dropped: Collection[str] = ()
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """The turns from the root to some place, and what belongs to them."""

    turns: Sequence[Turn]
    attachments: Attachments
    summary: Summary | None = None

    def asking(self, text: str, files: Sequence[Attachment]) -> Path:
        """With a question at its end that is not kept yet."""
        turns, attached = asking(self.turns, self.attachments, text, files)
        return replace(self, turns=turns, attachments=attached)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, ready to send. kept: the same with references to images instead of their data, as it is stored.

    spent_usd: what choosing the skill has cost.
    """

    model: str
    skill: str
    skill_version: str
    skill_by: SkillBy
    kept: Json
    body: Json
    spent_usd: float | None = 0.0


async def path_to(services: Services, turn_id: str | None) -> Path:
    """The path that ends with a turn; an empty one for None."""
    if turn_id is None:
        return Path((), {})
    turns = await thread(services.chats.branch, turn_id, limit=WHOLE_PATH)
    ids = [turn.id for turn in turns]
    attached, summary = await asyncio.gather(
        thread(services.chats.attachments, ids), thread(services.chats.summary, ids)
    )
    return Path(turns, attached, summary)


async def draft(services: Services, path: Path, how: With, spoken: Choice) -> Draft:
    """What asks for an answer at the end of a path, its images as references."""
    known = await thread(choices.find, how.model)
    count = await count_for(services, how.model, path.turns)
    return await thread(
        build, path.turns, path.attachments, model=how.model, count=count, skill=spoken.text, summary=path.summary,
        room=default_room(known.context_tokens), sees_images=not known.inputs or "image" in known.inputs,
        dropped=how.dropped,
    )  # fmt: skip


async def check(services: Services, path: Path, how: With) -> None:
    """Raises what would stop a question before anything of it is kept: Full, or Missing for a skill that is gone."""
    spoken = await thread(speaks.spoken, how.skill, path.turns, newest=how.newest)
    known = await thread(choices.find, how.model)
    fitted(await draft(services, path, how, spoken), known.context_tokens)


async def prepare(services: Services, question_id: str, how: With) -> Prepared:
    """The request for an answer to a question; where no skill was picked by hand, the model may choose one."""
    path = await path_to(services, question_id)
    question = path.turns[-1].text
    picked = speaks.Picked() if how.skill else await speaks.chosen_by_model(services.core, how.model, question)
    spoken = await thread(speaks.spoken, how.skill, path.turns, by_model=picked.name, newest=how.newest)
    limit = (await thread(choices.find, how.model)).context_tokens
    try:
        made = fitted(await draft(services, path, how, spoken), limit)
    except Full:
        if not picked.name:
            raise
        spoken = await thread(speaks.spoken, "", path.turns)  # there is no space for what the model has chosen
        made = fitted(await draft(services, path, how, spoken), limit)
    body = await thread(filled, made.body, services.chats.data)
    return Prepared(how.model, spoken.name, spoken.version, spoken.by, made.body, body, picked.usd)


async def count_for(services: Services, model: str, path: Sequence[Turn] = ()) -> Count:
    """Tokens in a model's own vocabulary where it is here; else an estimate, corrected by what was reported on a path.

    For threads: it waits for the event loop, which counts.
    """
    if not weights.is_local(model) or (model in weights.MODELS and not weights.is_pulled(model)):
        return await thread(learnt, services.chats, path, model)
    loop = asyncio.get_running_loop()

    def count(what: str | Sequence[Message]) -> int:
        file = str(weights.ensure(model))
        return asyncio.run_coroutine_threadsafe(services.core.count_tokens(file, what), loop).result()

    return Exact(count, count)
