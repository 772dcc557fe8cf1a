"""The ledger's calls, the access keys, and what each key has spent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chapeta.errors import BadInput

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("deployment", sa.Text, nullable=False),
        sa.Column("key_name", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("tokens_in", sa.BigInteger),
        sa.Column("tokens_out", sa.BigInteger),
        sa.Column("tokens_cached", sa.BigInteger),
        sa.Column("tokens_reasoning", sa.BigInteger),
        sa.Column("usd", sa.Double),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("first_token_ms", sa.Double),
        sa.Column("status", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("streamed", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("prompt", sa.Text),
        sa.Column("answer", sa.Text),
        sa.CheckConstraint("usd >= 0 AND usd < 1e9", name="calls_usd_is_an_amount"),
    )
    op.create_index("calls_started_at", "calls", ["started_at"])
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("sha256", sa.Text, nullable=False, unique=True),
        sa.Column("last4", sa.Text, nullable=False),
        sa.Column("budget_usd", sa.Double),
        sa.Column("budget_period", sa.Text),
        sa.Column("models", sa.Text, nullable=False),
        sa.Column("rate_calls", sa.BigInteger),
        sa.Column("rate_period_s", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
    )
    op.create_table(
        "spend",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("period_start", sa.Double, primary_key=True),
        sa.Column("usd", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """There is no way back: older programs say so, and `backups/` holds the database as it was."""
    raise BadInput("A database is not taken back to an older form.", "Copy it from backups/ instead.")
