"""`chapeta models list` and `chapeta models show`: what is on this machine, and the catalogue of all providers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from chapeta.cli import options
from chapeta.errors import BadInput
from chapeta.types import Json, ModelInfo

if TYPE_CHECKING:
    from chapeta.gateway.catalog import ModelList
    from chapeta.gateway.catalog.search import Wanted
    from chapeta.gateway.providers.remote import Remote

MOST_ROWS = 50
ORDERS = ("name", "price", "context", "created")


def list_models(arguments: argparse.Namespace) -> None:
    """Local models and deployments; with words, filters or an order, the lines of the catalogue that fit."""
    local = [*_local_models(), *_deployments()]  # first: a data directory that cannot be read ends it here
    _check_words(arguments.words, local)

    from chapeta.cli import show_models
    from chapeta.gateway.catalog import catalog
    from chapeta.gateway.catalog.search import search

    wanted = _wanted(arguments)
    known = catalog(providers([wanted.provider] if wanted.provider else []))
    lists = known.lists()
    for problem in (found.problem for found in lists if found.problem):
        print(f"chapeta: {problem}", file=sys.stderr)
    found: list[ModelInfo] | None = None
    if _is_search(arguments, wanted):
        found = search(known.models(), wanted, date.today(), arguments.sort or "name")
        local = [] if _has_filters(wanted) else [row for row in local if _has(row, wanted.words)]
    if arguments.json:
        options.print_json(_listed(local, lists, found, arguments.limit))
        return
    _print_local(local)
    if found is None:
        show_models.show_counts(lists)
    else:
        limit = len(found) if arguments.all and arguments.limit is None else arguments.limit or MOST_ROWS
        _print_found(found, limit, lists, bool(local))


def show_model(arguments: argparse.Namespace) -> None:
    """Everything about one model, listed or not, and which provider would be asked for it."""
    from chapeta.cli import show_models
    from chapeta.gateway.catalog import catalog

    model = one(arguments.words)
    if not model:
        raise BadInput("`models show` needs an id.", "`chapeta models list WORD` searches for one.")
    here = next((row for row in (*_deployments(), *_local_models()) if row["id"] == model), None)
    known = catalog()
    id, asked, note = _asked(model)
    line = known.find(id) or known.find(model)
    if arguments.json:
        told = show_models.to_json(line) if line else None
        options.print_json({"id": model, "asked": asked or None, "note": note, "local": here, "listed": told})
        return
    pairs = [("id", model)]
    pairs += [(name, str(value)) for name, value in (here or {}).items() if name != "id"]
    pairs += [("asked", f"{asked} ({note})" if asked and note else asked or note)]
    if line is not None:
        pairs += [("listed as", line.id)] if line.id != model else []
        fetched_at = known.list_of(line.provider).fetched_at
        source = f"{line.provider}'s own list of {fetched_at[:10]}" if fetched_at else "the offline price list"
        pairs += show_models.facts(line, source, date.today())
    for name, value in pairs:
        print(f"{name:<12} {value}")
    if line is None and here is None and asked != "embedded":
        print(
            "\nIt is not in the catalogue; it may still work: any id of a provider does. What it costs is not known here."
        )


def providers(names: Sequence[str]) -> dict[str, Remote]:
    """The named providers, all without a name. Raises BadInput for a name that is none."""
    from chapeta.gateway.providers import addresses

    remotes = addresses.remotes()
    for name in names:
        if name not in remotes:
            raise BadInput(f"No provider is called '{name}'.", f"Known: {', '.join(remotes)}.")
    return {name: remotes[name] for name in names or remotes}


def one(words: Sequence[str]) -> str:
    """The only word that was given, "" without one."""
    if len(words) > 1:
        raise BadInput(f"One name is taken, but {len(words)} were given: {' '.join(words)}.", "Give one.")
    return words[0] if words else ""


def _asked(model: str) -> tuple[str, str, str]:
    """The full id, the provider that would be asked for it, and what stands in the way."""
    from chapeta.gateway.fault import Fault
    from chapeta.gateway.route import Router

    try:
        route = Router().find(model)
    except Fault as fault:
        whole = not fault.provider or model.startswith(f"{fault.provider}/")
        return model if whole else f"{fault.provider}/{model}", fault.provider, str(fault)
    return route.id, route.provider, ""


def _listed(local: list[Json], lists: list[ModelList], found: list[ModelInfo] | None, limit: int | None) -> Json:
    from chapeta.cli.show_models import to_json

    counts = [{"provider": k.provider, "models": len(k.lines), "fetched_at": k.fetched_at or None} for k in lists]
    return {
        "models": [row for row in local if row["kind"] == "embedded"],
        "deployments": [row for row in local if row["kind"] == "deployment"],
        "providers": counts,
        "found": None if found is None else [to_json(line) for line in found[:limit]],
    }


def _print_found(found: list[ModelInfo], limit: int, lists: list[ModelList], is_here: bool) -> None:
    from chapeta.cli import show_models

    rows = found[:limit]
    if rows:
        show_models.show_table(rows, date.today())
    elif not is_here:
        print("No known model fits. An id that is not listed may still work: any id of a provider does.")
    if len(found) > len(rows):
        print(f"{len(rows)} of {len(found):,}; --limit N and --all show more, further words fewer.")
    shown = {row.provider for row in rows}
    show_models.show_sources(known for known in lists if known.provider in shown or not rows)


def _print_local(local: Iterable[Json]) -> None:
    for row in local:
        if row["kind"] == "deployment":
            print(f"{row['id']:<24} deployment: {row['candidate']} of {row['model']}")
        else:
            state = "pulled" if row["pulled"] else "not pulled yet"
            print(f"{row['id']:<24} {row['about']} ({row['licence']}; {state})")


def _local_models() -> list[Json]:
    from chapeta.engine import weights

    return [
        {"id": name, "kind": "embedded", "about": m.about, "licence": m.licence, "pulled": weights.is_pulled(name)}
        for name, m in weights.MODELS.items()
    ]


def _deployments() -> list[Json]:
    from chapeta import deployments

    found = [(name, deployments.find(name)) for name in deployments.names()]
    return [
        {"id": name, "kind": "deployment", "candidate": candidate.name, "model": candidate.model}
        for name, candidate in found
        if candidate
    ]


def _has(row: Json, words: Sequence[str]) -> bool:
    text = " ".join(map(str, row.values())).casefold()
    return all(word.casefold() in text for word in words)


def _check_words(words: Sequence[str], local: list[Json]) -> None:
    """The name of something that is here already is no search for it."""
    if len(words) == 1 and any(row["id"] == words[0] for row in local):
        raise BadInput(
            f"`models list` takes no name, but words to search for, and '{words[0]}' is here already.",
            f"`chapeta models show {words[0]}` tells about it.",
        )


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from chapeta.gateway.catalog.search import Wanted

    if arguments.limit is not None and arguments.limit < 1:
        raise BadInput(f"--limit {arguments.limit} shows nothing.", "Give 1 or more.")
    return Wanted(
        words=tuple(arguments.words),
        provider=arguments.provider,
        modality=arguments.modality,
        parameter=arguments.parameter,
        free=arguments.free,
        max_usd_per_mtok=arguments.max_usd,
        min_context_tokens=arguments.min_context,
        retired=arguments.all,
    )


def _is_search(arguments: argparse.Namespace, wanted: Wanted) -> bool:
    asked = wanted.words or arguments.sort or arguments.all or arguments.limit is not None
    return bool(asked) or _has_filters(wanted)


def _has_filters(wanted: Wanted) -> bool:
    """Whether more than words is asked for, which local models do not tell."""
    given = (wanted.provider, wanted.modality, wanted.parameter, wanted.free, wanted.min_context_tokens)
    return any(given) or wanted.max_usd_per_mtok is not None
