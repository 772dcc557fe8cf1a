"""The tables. A change here needs a migration in `migrations/versions/`, and HEAD names the newest one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, Index, MetaData, Table, Text

HEAD = "0001"  # revisions are numbers of four digits, so that a newer one also sorts after it
VERSION_TABLE = "chapeta_version"  # not Alembic's default: a PostgreSQL database may hold another program's tables
MOST_USD = 1e9  # no call costs this; what a broken answer claims beyond it, and NaN, is not known

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
