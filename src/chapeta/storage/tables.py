"""The tables. A change here needs a migration in `migrations/versions/`, and HEAD names the newest one.

Which rows an index holds, where it does not hold all, stands in the migration only: said here, it would load the drivers of
PostgreSQL whenever Chapeta starts.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

HEAD = "0002"  # revisions are numbers of four digits, so that a newer one also sorts after it
VERSION_TABLE = "chapeta_version"  # not Alembic's default: a PostgreSQL database may hold another program's tables
MOST_USD = 1e9  # no call costs this; what a broken answer claims beyond it, and NaN, is not known

# Counts rows up as they come: a turn's number is above its parent's, so no path can run in a circle. Never leaves the
# database: what refers to a row names its id. SQLite numbers by itself only a column of this very type.
NUMBER = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("id", Text, primary_key=True),
    # seconds since 1970 UTC as a double: no conversion when a call is written, and the same on both databases
    Column("started_at", Double, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("deployment", Text, nullable=False),
    Column("key_name", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("tokens_in", BigInteger),
    Column("tokens_out", BigInteger),
    Column("tokens_cached", BigInteger),
    Column("tokens_reasoning", BigInteger),
    Column("usd", Double),
    Column("latency_ms", Double, nullable=False),
    Column("first_token_ms", Double),
    Column("status", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("prompt", Text),
    Column("answer", Text),
    CheckConstraint("usd >= 0 AND usd < 1e9", name="calls_usd_is_an_amount"),
    Index("calls_started_at", "started_at"),
)

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("sha256", Text, nullable=False, unique=True),
    Column("last4", Text, nullable=False),
    Column("budget_usd", Double),
    Column("budget_period", Text),
    Column("models", Text, nullable=False),  # JSON list of patterns
    Column("rate_calls", BigInteger),
    Column("rate_period_s", Double),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
)

spend = Table(
    "spend",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("period_start", Double, primary_key=True),  # seconds since 1970 UTC; 0 for a total
    Column("usd", Double, nullable=False),
)

# What a chat consists of. Long columns come last: SQLite reads a row from its beginning, and stops where it may.
# `turn_words` and `chat_words`, the indexes of the search, are not among these tables (`storage/words.py`).

chats = Table(
    "chats",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),  # when the last turn was added
    Column("deleted_at", Double),
    Column("pinned", Boolean, nullable=False),
    Column("tip_id", Text),
    Column("model", Text, nullable=False),
    Column("skill", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("title", Text, nullable=False),
    Index("chats_newest", "updated_at", "id"),
    Index("chats_folder", "folder", "updated_at", "id"),
    Index("chats_pinned", "updated_at", "id"),  # of those that are
)

chat_tags = Table(
    "chat_tags",
    metadata,
    Column("chat_id", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("chat_tags_tag", "tag", "chat_id"),
)

turns = Table(
    "chat_turns",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("chat_id", Text, nullable=False),
    Column("parent_id", Text, nullable=False),  # "" at a root: an index finds what is equal, and NULL equals nothing
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("model", Text, nullable=False),
    Column("skill", Text, nullable=False),
    Column("skill_version", Text, nullable=False),
    Column("skill_by", Text, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("tokens_in", BigInteger),
    Column("tokens_out", BigInteger),
    Column("tokens_cached", BigInteger),
    Column("usd", Double),
    Column("latency_ms", Double),
    Column("first_token_ms", Double),
    Column("error", Text),  # JSON
    Column("reasoning", Text, nullable=False),
    Column("text", Text, nullable=False),
    Index("chat_turns_tree", "chat_id", "parent_id"),
    Index("chat_turns_created_at", "created_at"),
    Index("chat_turns_streaming", "number"),  # of those that are
)

attachments = Table(
    "chat_attachments",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("chat_id", Text, nullable=False),
    Column("turn_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes
    Column("mode", Text, nullable=False),
    Column("tokens", BigInteger),
    Column("text_id", Text, nullable=False),  # of `contents`, "" for none
    Column("data_id", Text, nullable=False),
    Index("chat_attachments_turn", "turn_id"),
    Index("chat_attachments_chat", "chat_id"),
)

contents = Table(  # what attachments and requests hold, once a chat however often it occurs there; id: a hash of it
    "chat_contents",
    metadata,
    Column("chat_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

requests = Table(
    "chat_requests",
    metadata,
    Column("turn_id", Text, primary_key=True),
    Column("chat_id", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON; its long messages are in `contents`
    Index("chat_requests_chat", "chat_id"),
)

summaries = Table(
    "chat_summaries",
    metadata,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("chat_id", Text, nullable=False),
    Column("upto_id", Text, nullable=False),
    Column("tokens", BigInteger),
    Column("created_at", Double, nullable=False),
    Column("text", Text, nullable=False),
    Index("chat_summaries_chat", "chat_id"),
)
