"""The chats: trees of turns in the database, SQLite or PostgreSQL. Nothing that was said is ever overwritten.

Every method blocks: call it in a thread. Each is one transaction, so two tabs, or two programs, can write the same chat:
both turns are there, as siblings, and the tip is the last one's. All raise what `storage` raises where the database is
locked, full or gone, and Missing for what is not there (any more).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal, get_args

from sqlalchemy import Connection, select

from chapeta.chat import attached, listing, path, remains, rows, sent
from chapeta.chat.types import Attachment, Chat, SkillBy, Spent, Status, Summary, Turn
from chapeta.errors import BadInput
from chapeta.storage import values, words
from chapeta.storage.database import Database
from chapeta.storage.tables import chat_tags, chats, summaries, turns
from chapeta.types import Json


class Chats:
    """The chats of one database. Safe from several threads; it keeps nothing itself."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, *, title: str = "", model: str = "", skill: str = "", folder: str = "") -> Chat:
        """A new chat without turns. Untitled, it is named after its first question."""
        now = time.time()
        chat = Chat(rows.new_id(), rows.line(title), rows.line(folder), False, (), now, now, rows.line(model),
                    rows.line(skill), None)  # fmt: skip
        with self._database.write() as connection:
            connection.execute(chats.insert(), rows.chat_row(chat))
            _index_title(connection, chat.id)
        return chat

    def get(self, chat_id: str) -> Chat:
        """A chat that is not deleted."""
        with self._database.read() as connection:
            return listing.chat(connection, chat_id)

    def page(
        self,
        *,
        folder: str | None = None,
        tag: str | None = None,
        pinned: bool | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[Chat]:
        """The chats, those first in which something was said last. before: `updated_at` and `id` of the last one seen."""
        with self._database.read() as connection:
            return listing.page(connection, folder, tag, pinned, before, limit)

    def change(
        self,
        chat_id: str,
        *,
        title: str | None = None,
        folder: str | None = None,
        pinned: bool | None = None,
        model: str | None = None,
        skill: str | None = None,
        tip_id: str | None = None,
        tags: Sequence[str] | None = None,
    ) -> Chat:
        """Changes what is given. tip_id: the last turn of the branch to show, one of this chat."""
        given = {"title": title, "folder": folder, "model": model, "skill": skill}
        new: Json = {name: rows.line(value) for name, value in given.items() if value is not None}
        if pinned is not None:
            new["pinned"] = pinned
        with self._database.write() as connection:
            listing.held(connection, chat_id)
            if tip_id is not None:
                new["tip_id"] = _turn_of(connection, chat_id, tip_id)
            if new:
                connection.execute(chats.update().where(chats.c.id == chat_id), new)
            if title is not None:
                _index_title(connection, chat_id)
            if tags is not None:
                connection.execute(chat_tags.delete().where(chat_tags.c.chat_id == chat_id))
                rows.add_tags(connection, chat_id, tags)
            return listing.chat(connection, chat_id)

    def folders(self) -> list[tuple[str, int]]:
        """The folders in alphabetical order, and how many chats each holds."""
        with self._database.read() as connection:
            return listing.folders(connection)

    def tags(self) -> list[tuple[str, int]]:
        """The tags in alphabetical order, and how many chats have each."""
        with self._database.read() as connection:
            return listing.tags(connection)

    def delete(self, chat_id: str) -> None:
        """Puts a chat out of sight; `undelete` brings it back, for `remains.KEPT_DAYS` days."""
        with self._database.write() as connection:
            listing.held(connection, chat_id)
            connection.execute(chats.update().where(chats.c.id == chat_id).values(deleted_at=time.time()))

    def undelete(self, chat_id: str) -> None:
        """Brings a deleted chat back."""
        with self._database.write() as connection:
            back = chats.update().where(chats.c.id == values.text(chat_id)).values(deleted_at=None)
            if not connection.execute(back).rowcount:
                raise listing.no_chat(chat_id)

    def add(
        self,
        chat_id: str,
        parent_id: str | None,
        role: Literal["user", "assistant"],
        text: str,
        *,
        status: Status = "done",
        model: str = "",
        skill: str = "",
        skill_version: str = "",
        skill_by: SkillBy = "",
        attachments: Sequence[Attachment] = (),
    ) -> Turn:
        """Adds a turn below another (None: a root), and moves the tip there.

        attachments get ids of their own; one without data that the store gave out before keeps its data.
        Raises BadInput for a text or a file that is too large.
        """
        now = time.time()
        turn = Turn(rows.new_id(), chat_id, parent_id, role, rows.text(text), status, now, "", rows.line(model),
                    rows.line(skill), rows.line(skill_version), skill_by)  # fmt: skip
        with self._database.write() as connection:
            chat = listing.held(connection, chat_id)
            if parent_id is not None:
                _turn_of(connection, chat_id, parent_id)
            connection.execute(turns.insert(), rows.turn_row(turn))
            attached.add(connection, turn, attachments)
            new: Json = {"tip_id": turn.id, "updated_at": now}
            named = role == "user" and not chat.title
            if named:
                new["title"] = rows.title_from(turn.text)
            connection.execute(chats.update().where(chats.c.id == chat_id), new)
            if named:
                _index_title(connection, chat_id)
            if status != "streaming":
                _index_text(connection, turn.id)
        return turn

    def update(
        self,
        turn_id: str,
        *,
        text: str | None = None,
        reasoning: str | None = None,
        status: Status | None = None,
        error: Json | None = None,
        call_id: str | None = None,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        tokens_cached: int | None = None,
        usd: float | None = None,
        latency_ms: float | None = None,
        first_token_ms: float | None = None,
    ) -> None:
        """Keeps what has come of an answer; what is None stays as it is.

        A text without a status is one that still grows: where the turn has ended meanwhile, it came too late and is
        dropped. A turn is found by its words from when it has ended.
        """
        if status is not None and status not in get_args(Status):
            raise BadInput(f"'{status}' is no status of a turn.", f"Use one of: {', '.join(get_args(Status))}.")
        grows = text is not None and status is None
        new = rows.figures(
            {"tokens_in": tokens_in, "tokens_out": tokens_out, "tokens_cached": tokens_cached, "usd": usd,
             "latency_ms": latency_ms, "first_token_ms": first_token_ms}
        )  # fmt: skip
        long = {"text": text, "reasoning": reasoning, "call_id": call_id}
        new |= {name: rows.text(value[: rows.MOST_TEXT]) for name, value in long.items() if value is not None}
        if error is not None:
            new["error"] = rows.error_text(error)
        if status is not None:
            new["status"] = status
        if not new:
            return
        change = turns.update().where(turns.c.id == values.text(turn_id))
        if grows:
            change = change.where(turns.c.status == "streaming")
        with self._database.write() as connection:
            if not connection.execute(change, new).rowcount:
                path.turn(connection, turn_id)
            elif status not in (None, "streaming"):
                _index_text(connection, turn_id)

    def turn(self, turn_id: str) -> Turn:
        with self._database.read() as connection:
            return path.turn(connection, turn_id)

    def branch(
        self, tip_id: str, *, before: str | None = None, limit: int = 40, characters: int | None = None
    ) -> list[Turn]:
        """The newest turns of the path that ends at a tip, oldest first. before: those that precede this turn of it.

        characters: of their texts in all; fewer turns where they would have more, but two at least.
        """
        with self._database.read() as connection:
            end = tip_id if before is None else path.turn(connection, before).parent_id
            found = path.up(connection, end, limit) if end else []
        return found if characters is None else path.newest_within(found, characters)

    def siblings(self, turn_ids: Sequence[str]) -> dict[str, list[str]]:
        """Each turn's siblings in the order in which they came, itself among them."""
        with self._database.read() as connection:
            return path.siblings(connection, turn_ids)

    def tip_below(self, turn_id: str) -> str:
        """The newest leaf below a turn: itself where nothing follows it."""
        with self._database.read() as connection:
            return path.newest_below(connection, turn_id)

    def attachments(self, turn_ids: Sequence[str]) -> dict[str, list[Attachment]]:
        """What is attached to turns, with documents' texts and without images' data; turns without any are not in it."""
        with self._database.read() as connection:
            return attached.of(connection, turn_ids)

    def data(self, attachment_id: str) -> bytes:
        """An image's bytes."""
        with self._database.read() as connection:
            return attached.data(connection, attachment_id)

    def save_request(self, turn_id: str, body: Json) -> None:
        """Keeps what was sent for an answer, in place of what was kept for it before."""
        with self._database.write() as connection:
            sent.save(connection, path.turn(connection, turn_id), body)

    def request(self, turn_id: str) -> Json | None:
        """Exactly what was sent for an answer; None where that was not kept, as with imported ones."""
        with self._database.read() as connection:
            return sent.load(connection, turn_id)

    def add_summary(self, chat_id: str, upto_id: str, text: str, tokens: int | None) -> Summary:
        """Keeps what stands for the path up to a turn when the chat goes on."""
        summary = Summary(rows.new_id(), chat_id, upto_id, rows.text(text), values.whole(tokens), time.time())
        with self._database.write() as connection:
            listing.held(connection, chat_id)
            _turn_of(connection, chat_id, upto_id)
            connection.execute(summaries.insert(), rows.summary_row(summary))
        return summary

    def summary(self, turn_ids: Sequence[str]) -> Summary | None:
        """The newest summary that ends at one of the turns, which are all of one chat."""
        if not turn_ids:
            return None
        with self._database.read() as connection:
            chat_id = path.turn(connection, turn_ids[0]).chat_id
            known = set(turn_ids)
            found = select(*rows.SUMMARY).where(summaries.c.chat_id == chat_id).order_by(summaries.c.number.desc())
            return next((rows.summary_of(row) for row in connection.execute(found) if row.upto_id in known), None)

    def spent(self, chat_id: str) -> Spent:
        """What a chat's calls took, on all its branches."""
        with self._database.read() as connection:
            return remains.spent(connection, turns.c.chat_id == values.text(chat_id))

    def spent_since(self, moment: float) -> Spent:
        """What all chats' calls took since a moment, in seconds since 1970 UTC; deleted chats' too."""
        with self._database.read() as connection:
            return remains.spent(connection, turns.c.created_at >= moment)

    def recover(self) -> int:
        """At the start: what still says "streaming" was cut; how much that is."""
        with self._database.write() as connection:
            cut = remains.end_streaming(connection)
            for turn_id in cut:
                _index_text(connection, turn_id)
        return len(cut)

    def purge(self) -> int:
        """Removes what was deleted long ago; how many chats."""
        return remains.purge(self._database)


def _turn_of(connection: Connection, chat_id: str, turn_id: str) -> str:
    """The id of a turn, if it is one of this chat."""
    if path.turn(connection, turn_id).chat_id != chat_id:
        raise path.no_turn(turn_id)
    return turn_id


def _index_title(connection: Connection, chat_id: str) -> None:
    found = connection.execute(select(chats.c.number, chats.c.title).where(chats.c.id == chat_id)).one()
    words.put(connection, "chat_words", [(found.number, found.title)])


def _index_text(connection: Connection, turn_id: str) -> None:
    found = connection.execute(select(turns.c.number, turns.c.text).where(turns.c.id == turn_id)).one()
    words.put(connection, "turn_words", [(found.number, found.text)])
