"""The models that can be chosen: deployments, local models, then what the providers list; any other id can be typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from chapeta import config, deployments
from chapeta.engine import weights
from chapeta.errors import ChapetaError
from chapeta.gateway import keys
from chapeta.gateway.catalog import Catalog
from chapeta.gateway.catalog.search import Wanted, search
from chapeta.gateway.providers import addresses, embedded
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Price

FREE = Price(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the picker. kind: "deployment", "local" or "provider"; ready: False where a key is missing."""

    id: str
    kind: str
    about: str = ""
    context_tokens: int | None = None
    price: Price | None = None
    inputs: tuple[str, ...] = ("text",)
    ready: bool = True


def choices(words: str = "", *, images: bool = False, limit: int = 80) -> list[Choice]:
    """What fits the words, own things first. An id that nobody lists is offered as it was typed. Blocks."""
    wanted = words.lower().split()
    own = [*_deployments(), *(_local(name) for name in weights.MODELS)]
    found = [choice for choice in own if all(word in f"{choice.id} {choice.about}".lower() for word in wanted)]
    if images:
        found = [choice for choice in found if "image" in choice.inputs]
    found += _listed(tuple(wanted), images, limit - len(found))
    typed = words.strip()
    if typed and " " not in typed and all(choice.id != typed for choice in found):
        found.append(Choice(typed, "provider", "as typed", inputs=()))
    return found[:limit]


def find(id: str) -> Choice:
    """What is known of one model, listed or not. Blocks."""
    for choice in (*_deployments(), *(_local(name) for name in weights.MODELS)):
        if choice.id == id:
            return choice
    if weights.is_local(id):
        return Choice(id, "local", "a file of yours", _context_of(id), FREE)
    catalog = Catalog(addresses.remotes())
    line = catalog.find(id)
    if line is None:
        return Choice(id, "provider", "", price=catalog.price_of(id), inputs=())
    return Choice(id, "provider", line.name, line.context_tokens, line.price, line.inputs)


def price_of(model: str) -> Price | None:
    """What a model costs, or the one that a deployment stands on; None where nobody says. Blocks."""
    deployed = deployments.find(model) if model in deployments.names() else None
    model = deployed.model if deployed else model
    return FREE if weights.is_local(model) else Catalog(addresses.remotes()).price_of(model)


def _deployments() -> list[Choice]:
    found = []
    for name in deployments.names():
        try:
            candidate = deployments.find(name)
        except ChapetaError:
            candidate = None  # damaged: it is listed, and says so when it is asked
        model = candidate.model if candidate else ""
        about = f"{candidate.name} on {model}" if candidate else "cannot be read"
        local = bool(model) and weights.is_local(model)
        found.append(Choice(name, "deployment", about, _context_of(model) if local else None, FREE if local else None))
    return found


def _local(name: str) -> Choice:
    about = "on this machine" if weights.is_pulled(name) else "on this machine, after a download"
    return Choice(name, "local", about, _context_of(name), FREE)


def _context_of(model: str) -> int | None:
    """How much a local model takes; not known before it was pulled."""
    if model in weights.MODELS and not weights.is_pulled(model):
        return None
    try:
        return embedded.context_tokens(model)
    except ChapetaError:
        return None


def _listed(words: tuple[str, ...], images: bool, limit: int) -> list[Choice]:
    remotes = addresses.remotes()
    lines = search(
        Catalog(remotes).models(), Wanted(words=words, modality="image" if images else ""), datetime.now(UTC).date()
    )
    ready = {name: _has_key(remote) for name, remote in remotes.items()}
    lines.sort(key=lambda line: not ready[line.provider])
    return [
        Choice(line.id, "provider", line.name, line.context_tokens, line.price, line.inputs, ready[line.provider])
        for line in lines[: max(0, limit)]
    ]


def _has_key(remote: Remote) -> bool:
    try:
        return not remote.needs_key or keys.find(remote) is not None
    except ChapetaError:
        return False


DEFAULT = config.DEFAULT_MODEL
