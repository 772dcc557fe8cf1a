"""The models that a caller may name, as OpenAI's list: deployments, local models, then those of the providers with a key."""

from __future__ import annotations

import datetime

from chapeta import deployments
from chapeta.engine import weights
from chapeta.errors import ChapetaError
from chapeta.gateway import keys
from chapeta.gateway.catalog import Catalog
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Json


def listed_models() -> list[Json]:
    """Rows of `GET /v1/models`. Takes a while the first time: not for the event loop."""
    rows = [_row(name, "chapeta") for name in (*deployments.names(), *weights.MODELS)]
    remotes = addresses.remotes()
    catalog = Catalog(remotes)
    for name, remote in remotes.items():
        if _is_usable(remote):
            known = catalog.list_of(name)
            if remote.needs_key or known.fetched_at:
                rows += [_row(line.id, name, line.created) for line in known.lines.values()]
    return rows


def _is_usable(remote: Remote) -> bool:
    try:
        return not remote.needs_key or keys.find(remote) is not None
    except ChapetaError:
        return False  # a locked keychain: `chapeta keys list` says so


def _row(id: str, owner: str, created: str = "") -> Json:
    try:
        day = datetime.datetime.fromisoformat(created).replace(tzinfo=datetime.UTC)
    except ValueError:
        day = None
    return {"id": id, "object": "model", "created": int(day.timestamp()) if day else 0, "owned_by": owner}
