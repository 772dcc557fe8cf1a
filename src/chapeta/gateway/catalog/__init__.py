"""Which models there are, and what they cost: each provider's own list as last fetched, else the offline price list.

`refresh` fetches the lists and keeps them in `catalog/NAME.json` in the data directory. Reading them back takes
milliseconds; the offline price list takes half a second, and is touched only for a provider or an id that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from chapeta import config
from chapeta.errors import ChapetaError
from chapeta.files import write_atomic
from chapeta.gateway.catalog import snapshot
from chapeta.gateway.catalog.cost import LongPrice
from chapeta.gateway.fault import Fault
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers.remote import Remote
from chapeta.types import ModelInfo, Price

if TYPE_CHECKING:
    from chapeta.gateway.catalog.lists import Fetch

AT_ONCE = 8
DATE = re.compile(r"[-@]20\d\d-?\d\d-?\d\d$")


class Keys(Protocol):
    """Where keys are found; the module `chapeta.gateway.keys` is one."""

    def find(self, remote: Remote, /) -> Secret | None: ...


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What became of one provider's list.

    models: how many of its own are kept now; fetched_at: when the provider gave them, "" if it never did.
    reason: why nothing new came, "" if it did; asked: False where a key is missing, so that nobody was asked.
    """

    provider: str
    models: int
    fetched_at: str = ""
    reason: str = ""
    asked: bool = True


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models of one provider. `fetched_at` is "" for the offline price list; `problem` says why a copy is unusable."""

    provider: str
    lines: dict[str, ModelInfo]
    fetched_at: str = ""
    problem: str = ""


class Catalog:
    """The lists of all providers, each read when it is first needed."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._remotes = remotes
        self._lists: dict[str, ModelList] = {}

    def find(self, id: str) -> ModelInfo | None:
        """The line of a model, `provider/model`. A dated or tuned id that is not listed has the line of its model."""
        name, _, model = id.partition("/")
        remote = self._remotes.get(name)
        if remote is None or not model:
            return None
        known = self.list_of(name)
        exact = known.lines.get(id)
        if exact is not None:
            return exact
        undated = known.lines.get(f"{name}/{DATE.sub('', model)}")
        if known.fetched_at and undated is not None:
            return replace(undated, id=id)
        return snapshot.find(remote, model) or (replace(undated, id=id) if undated is not None else None)

    def price_of(self, id: str) -> Price | None:
        """What a model costs; None where nobody says."""
        line = self.find(id)
        if line is not None:
            return line.price
        remote = self._remotes.get(id.partition("/")[0])
        return remote.price if remote is not None else None

    def models(self) -> list[ModelInfo]:
        """Every line, provider by provider."""
        return [line for known in self.lists() for line in known.lines.values()]

    def lists(self) -> list[ModelList]:
        """The list of every provider, in the order of the table."""
        return [self.list_of(name) for name in self._remotes]

    def list_of(self, provider: str) -> ModelList:
        """The list of one provider, the offline one where no copy of its own was ever fetched or can be read."""
        known = self._lists.get(provider)
        if known is None:
            known = _saved(provider)
            if not known.fetched_at:
                offline = snapshot.models_of(self._remotes[provider])
                known = replace(known, lines={line.id: line for line in offline})
            self._lists[provider] = known
        return known


def catalog(remotes: Mapping[str, Remote] | None = None) -> Catalog:
    """The catalogue of the known providers and of the user's own addresses."""
    if remotes is None:
        from chapeta.gateway.providers import addresses

        remotes = addresses.remotes()
    return Catalog(remotes)


def price_of(id: str) -> Price | None:
    """The catalogue's price of one model, looked up anew."""
    return catalog().price_of(id)


def context_tokens_of(id: str) -> int | None:
    """How many tokens of prompt and answer a model takes; None where nobody says."""
    line = catalog().find(id)
    return line.context_tokens if line is not None else None


def refresh(
    remotes: Mapping[str, Remote], keys: Keys, fetch: Fetch, tell: Callable[[RefreshResult], None] | None = None
) -> list[RefreshResult]:
    """Fetches each provider's list anew and keeps it; a provider that fails keeps its old one, and says why.

    fetch: `chapeta.gateway.fetch.get_json`, or what does the same. tell: hears each result as it comes.
    """
    from concurrent.futures import ThreadPoolExecutor, as_completed

    results: dict[str, RefreshResult] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = []
        for remote in remotes.values():
            ready = _key_for(remote, keys)  # here, one after the other: a keychain may ask its owner
            if isinstance(ready, RefreshResult):
                results[remote.name] = ready
            else:
                running.append(pool.submit(_refresh, remote, ready.secret, fetch))
        for result in [*results.values()]:
            if tell is not None:
                tell(result)
        for done in as_completed(running):
            result = done.result()
            results[result.provider] = result
            if tell is not None:
                tell(result)
    return [results[name] for name in remotes]


@dataclass(frozen=True, slots=True)
class _Ready:
    secret: Secret | None


def _key_for(remote: Remote, keys: Keys) -> _Ready | RefreshResult:
    """The key to ask with, or why the provider is not asked."""
    if not remote.models_path:
        return _kept(remote, "It has no list of models.", asked=False)
    try:
        secret = keys.find(remote) if remote.needs_key else None
    except ChapetaError as error:
        return _Ready(None) if remote.public_models else _kept(remote, str(error), asked=False)
    if secret is None and not remote.public_models and remote.needs_key:
        return _kept(remote, f"No key. Run `chapeta keys set {remote.name}`.", asked=False)
    return _Ready(secret)


def _refresh(remote: Remote, secret: Secret | None, fetch: Fetch) -> RefreshResult:
    from chapeta.gateway.catalog.lists import fetch_models

    try:
        lines = fetch_models(remote, secret, fetch)
    except Fault as fault:
        if fault.code == "unreachable" and not remote.needs_key:
            return _kept(remote, f"{remote.title} does not run at {remote.base_url}.")
        return _kept(remote, secret.scrub(str(fault)) if secret else str(fault))
    if not lines and remote.needs_key:  # an empty server of one's own is one; an empty provider is a hiccup
        return _kept(remote, f"{remote.title} sent a list without a model.")
    fetched_at = datetime.now(UTC).isoformat(timespec="seconds")
    _save(remote.name, fetched_at, snapshot.complete(remote, lines))
    return RefreshResult(remote.name, len(lines), fetched_at)


def _kept(remote: Remote, reason: str, asked: bool = True) -> RefreshResult:
    known = _saved(remote.name)
    return RefreshResult(remote.name, len(known.lines), known.fetched_at, reason, asked)


@dataclass(frozen=True, slots=True)
class _File:
    """A saved list. `long` has the prices that change with the prompt's length; their lines have the plain part."""

    fetched_at: str
    models: list[ModelInfo]
    long: dict[str, LongPrice] = field(default_factory=dict)


def _path(provider: str) -> Path:
    return config.home() / "catalog" / f"{provider}.json"


def _save(provider: str, fetched_at: str, lines: tuple[ModelInfo, ...]) -> None:
    long = {line.id: line.price for line in lines if isinstance(line.price, LongPrice)}
    file = msgspec.json.encode(_File(fetched_at, list(lines), long))
    write_atomic(_path(provider), msgspec.json.format(file, indent=1) + b"\n")


def _saved(provider: str) -> ModelList:
    """The copy that was kept; without lines if there is none. A damaged one is no reason to fail a call."""
    path = _path(provider)
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError:
        return ModelList(provider, {})
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = f"{path} is damaged and not used. `chapeta models refresh {provider}` fetches it anew."
        return ModelList(provider, {}, problem=problem)
    lines = {line.id: line for line in file.models}
    lines |= {id: replace(lines[id], price=price) for id, price in file.long.items() if id in lines}
    return ModelList(provider, lines, file.fetched_at)
