"""What the catalogue page shows: the lines that fit, and everything about one model. Blocks: call it in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chapeta import deployments
from chapeta.engine import weights
from chapeta.errors import ChapetaError
from chapeta.gateway import keys
from chapeta.gateway.catalog import Catalog
from chapeta.gateway.catalog.search import Wanted, search
from chapeta.gateway.fault import Fault
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.remote import Remote
from chapeta.gateway.route import Router
from chapeta.types import ModelInfo
from chapeta.web import words

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of the catalogue that fit, those first whose provider can be asked now. total: of all that are known.

    ready: providers that need no key or have one; offline: those whose own list was never fetched.
    """

    lines: tuple[ModelInfo, ...]
    total: int
    ready: frozenset[str]
    offline: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """Everything that is known of a model. facts: (what, its value); problem: why it cannot be asked now, "" if it can."""

    id: str
    facts: Pairs
    problem: str


def listing(wanted: Wanted, sort: str = "name", ready_only: bool = False) -> Listing:
    """The lines that fit. A word may be anywhere in id or name."""
    remotes = addresses.remotes()
    catalog = Catalog(remotes)
    ready = frozenset(name for name, remote in remotes.items() if has_key(remote))
    every = catalog.models()
    lines = search(every, wanted, date.today(), sort)
    if ready_only:
        lines = [line for line in lines if line.provider in ready]
    elif sort == "name":
        lines.sort(key=lambda line: line.provider not in ready)
    known = catalog.lists()
    offline = tuple(one.provider for one in known if one.lines and not one.fetched_at)
    return Listing(tuple(lines), len(every), ready, offline, tuple(one.problem for one in known if one.problem))


def details(model: str) -> Details:
    """What is known of a model, listed or not, and which provider would be asked for it."""
    catalog = Catalog(addresses.remotes())
    facts: list[tuple[str, str]] = []
    try:
        route = Router().find(model)
        asked, problem = f"{route.id} at {route.provider}", ""
        line = catalog.find(route.id) or catalog.find(model)
    except Fault as fault:
        asked, problem, line = "", str(fault), catalog.find(model)
    facts += _deployed(model)
    if model in weights.MODELS:
        source = weights.MODELS[model]
        here = "on this machine" if weights.is_pulled(model) else f"{source.megabytes} MB to fetch"
        facts += [("about", source.about), ("licence", source.licence), ("weights", here)]
    if asked:
        facts.append(("asked", asked))
    if line is not None:
        facts += _facts(line, catalog.list_of(line.provider).fetched_at)
    elif not facts or problem:
        facts.append(("listed", "no; any id of a provider may still work, what it costs is not known"))
    return Details(model, tuple(pair for pair in facts if pair[1]), problem)


def has_key(remote: Remote) -> bool:
    """Whether a provider can be asked: it needs no key, or has one."""
    try:
        return not remote.needs_key or keys.find(remote) is not None
    except ChapetaError:
        return False


def _facts(line: ModelInfo, fetched_at: str) -> list[tuple[str, str]]:
    source = f"{line.provider}'s own list of {fetched_at[:10]}" if fetched_at else "the offline price list"
    price = words.price(line.price) + (" per million tokens" if line.price and line.price.output else "")
    if line.price is not None:
        apart = (
            ("cached", line.price.cached),
            ("cache write", line.price.cache_write),
            ("thinking", line.price.reasoning),
        )
        price += "".join(f" · ${rate:g} {name}" for name, rate in apart if rate is not None)
        price += f" · ${line.price.usd_per_call:g} a call" if line.price.usd_per_call else ""
    return [
        ("name", line.name), ("context", f"{line.context_tokens:,} tokens" if line.context_tokens else "unknown"),
        ("price", price), ("takes", ", ".join(line.inputs)), ("gives", ", ".join(line.outputs)),
        ("parameters", ", ".join(line.parameters)), ("created", line.created), ("retires", line.retires),
        ("source", source),
    ]  # fmt: skip


def _deployed(model: str) -> list[tuple[str, str]]:
    candidate = deployments.find(model)
    if candidate is None:
        return []
    also = ", ".join(deployments.fallbacks(model))
    return [("deployment", f"{candidate.name} on {candidate.model}"), ("if it fails", also)]
