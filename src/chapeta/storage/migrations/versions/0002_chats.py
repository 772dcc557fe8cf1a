"""The chats: their turns, what is attached to them, what was sent, summaries, and the words by which they are found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chapeta.errors import BadInput

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _chats()
    _turns()
    _attached()
    _words()


def _chats() -> None:
    op.create_table(
        "chats",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("deleted_at", sa.Double),
        sa.Column("pinned", sa.Boolean, nullable=False),
        sa.Column("tip_id", sa.Text),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("skill", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
    )
    op.create_index("chats_newest", "chats", ["updated_at", "id"])
    op.create_index("chats_folder", "chats", ["folder", "updated_at", "id"])
    op.create_index(
        "chats_pinned",
        "chats",
        ["updated_at", "id"],
        sqlite_where=sa.text("pinned = 1"),
        postgresql_where=sa.text("pinned"),
    )
    op.create_table(
        "chat_tags",
        sa.Column("chat_id", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
    )
    op.create_index("chat_tags_tag", "chat_tags", ["tag", "chat_id"])


def _turns() -> None:
    op.create_table(
        "chat_turns",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("chat_id", sa.Text, nullable=False),
        sa.Column("parent_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("skill", sa.Text, nullable=False),
        sa.Column("skill_version", sa.Text, nullable=False),
        sa.Column("skill_by", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("tokens_in", sa.BigInteger),
        sa.Column("tokens_out", sa.BigInteger),
        sa.Column("tokens_cached", sa.BigInteger),
        sa.Column("usd", sa.Double),
        sa.Column("latency_ms", sa.Double),
        sa.Column("first_token_ms", sa.Double),
        sa.Column("error", sa.Text),
        sa.Column("reasoning", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("chat_turns_tree", "chat_turns", ["chat_id", "parent_id"])
    op.create_index("chat_turns_created_at", "chat_turns", ["created_at"])
    streams = sa.text("status = 'streaming'")
    op.create_index("chat_turns_streaming", "chat_turns", ["number"], sqlite_where=streams, postgresql_where=streams)


def _attached() -> None:
    op.create_table(
        "chat_attachments",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("chat_id", sa.Text, nullable=False),
        sa.Column("turn_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("tokens", sa.BigInteger),
        sa.Column("text_id", sa.Text, nullable=False),
        sa.Column("data_id", sa.Text, nullable=False),
    )
    op.create_index("chat_attachments_turn", "chat_attachments", ["turn_id"])
    op.create_index("chat_attachments_chat", "chat_attachments", ["chat_id"])
    op.create_table(
        "chat_contents",
        sa.Column("chat_id", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "chat_requests",
        sa.Column("turn_id", sa.Text, primary_key=True),
        sa.Column("chat_id", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("chat_requests_chat", "chat_requests", ["chat_id"])
    op.create_table(
        "chat_summaries",
        sa.Column("number", NUMBER, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("chat_id", sa.Text, nullable=False),
        sa.Column("upto_id", sa.Text, nullable=False),
        sa.Column("tokens", sa.BigInteger),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("chat_summaries_chat", "chat_summaries", ["chat_id"])


def _words() -> None:
    """The words come as we split them, so neither database's own splitting has a part in it: a blank is between them."""
    for table in ("turn_words", "chat_words"):
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"CREATE TABLE {table} (number BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
            op.execute(f"CREATE INDEX {table}_words ON {table} USING gin (words)")
        else:
            op.execute(
                f"CREATE VIRTUAL TABLE {table} USING fts5(words, tokenize = 'ascii', detail = none, columnsize = 0, "
                "prefix = '1 2')"
            )


def downgrade() -> None:
    """There is no way back: older programs say so, and `backups/` holds the database as it was."""
    raise BadInput("A database is not taken back to an older form.", "Copy it from backups/ instead.")
