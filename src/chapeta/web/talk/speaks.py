"""Which skill speaks in an answer: by hand, always, or as the model chooses; and in which version a chat keeps it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from chapeta.chat.types import Turn
from chapeta.engine import weights
from chapeta.errors import ChapetaError
from chapeta.gateway import translate
from chapeta.gateway.attempt import Reply
from chapeta.gateway.core import Caller, Core
from chapeta.gateway.fault import Fault
from chapeta.skills import library, versions
from chapeta.skills.choose import Choice, chosen, request, speaking
from chapeta.skills.file import parse_skill, skill_file
from chapeta.skills.library import Found
from chapeta.web.services import thread

CHOOSING_S = 20.0  # an answer does not wait longer for its skill to be chosen


@dataclass(frozen=True, slots=True)
class Picked:
    """What a model has chosen. name: "" for none; usd: what asking it cost, None where nobody says."""

    name: str = ""
    usd: float | None = 0.0


async def chosen_by_model(core: Core, model: str, question: str) -> Picked:
    """The skill that the model picks for a question: none where there is none to pick, and none if asking fails."""
    if not question.strip() or weights.is_local(model):  # small models choose by chance, and the user waits twice
        return Picked()
    try:
        entries = await thread(library.entries)
        asked = request(question, entries, model)
        if asked is None:
            return Picked()
        async with asyncio.timeout(CHOOSING_S):
            reply = await core.chat(translate.body_of(asked, stream=False), Caller(local=True, is_us=True))
        assert isinstance(reply, Reply)  # no stream was asked for
        said = translate.answer(reply)
        return Picked(chosen(said.text, question, entries), said.usd)
    except (Fault, ChapetaError, TimeoutError) as error:
        logging.getLogger(__name__).info("no skill was chosen: %s", error)
        return Picked()


def spoken(picked: str, path: Sequence[Turn], *, by_model: str = "", newest: bool = False) -> Choice:
    """What speaks after a path: the skill picked by hand, else the model's choice, and what is always on. Blocks.

    A skill that spoke on the path speaks in the version that it had there, unless the newest is asked for.
    Raises Missing where the one picked by hand cannot be used any more.
    """
    choice = speaking(picked, "hand") if picked or not by_model else _by_model(by_model)
    return choice if newest else kept(choice, path)


def kept(choice: Choice, path: Sequence[Turn]) -> Choice:
    """The same skills in the versions that spoke last on a path; one whose old text is gone speaks as it is now."""
    used: dict[str, str] = {}
    for turn in path:
        used |= dict(zip(turn.skill.split(", "), turn.skill_version.split(", "), strict=False))
    return replace(choice, skills=tuple(_in_version(found, used.get(found.name, "")) for found in choice.skills))


def _by_model(name: str) -> Choice:
    try:
        return speaking(name, "model")
    except ChapetaError:  # it was turned off meanwhile
        return speaking()


def _in_version(found: Found, version: str) -> Found:
    if not version or version == found.version:
        return found
    try:
        data = versions.version_bytes(found.name, version)
        skill = parse_skill(data, skill_file(found.entry.folder))
    except ChapetaError:
        return found
    return Found(replace(found.entry, sha256=hashlib.sha256(data).hexdigest()), skill, data)
