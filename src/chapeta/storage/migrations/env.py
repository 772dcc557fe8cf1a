"""What Alembic runs: it migrates the connection it is given, in the transaction that this is in (`schema.py`)."""

from __future__ import annotations

from alembic import context

from chapeta.storage.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
