"""The user's own OpenAI-compatible addresses, and other addresses of known providers (a proxy, a region), by name.

Kept in `addresses.json` in the data directory. They are laid over the table of built-in providers.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chapeta import config
from chapeta.errors import BadInput, Corrupt
from chapeta.gateway.keys import private
from chapeta.gateway.providers import rows
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Price

_NAME = re.compile(r"(?=.{1,40}$)[a-z0-9]+(-[a-z0-9]+)*")
_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/models")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider listens. `price` holds for all of its models, where its own list does not say."""

    name: str
    url: str
    needs_key: bool = True
    price: Price | None = None


def remotes(builtin: Mapping[str, Remote] | None = None) -> dict[str, Remote]:
    """All providers by name: the built-in ones, and the user's own addresses over them. Raises Corrupt."""
    merged = dict(builtin_remotes() if builtin is None else builtin)
    for address in listed().values():
        merged[address.name] = remote_of(address, builtin)
    return merged


def remote_of(address: Address, builtin: Mapping[str, Remote] | None = None) -> Remote:
    """The provider at an address: a known one that listens elsewhere, or an OpenAI-compatible one of the user's."""
    known = (builtin_remotes() if builtin is None else builtin).get(address.name)
    if known is not None:
        price = address.price or known.price
        return dataclasses.replace(known, base_url=address.url, needs_key=address.needs_key, price=price)
    return Remote(
        name=address.name,
        title=address.name,
        base_url=address.url,
        key_variables=(f"{address.name.replace('-', '_').upper()}_API_KEY",) if address.needs_key else (),
        needs_key=address.needs_key,
        read_models=rows.plain_reader(address.name),
        price=address.price,
    )


def add(name: str, url: str, needs_key: bool = True, price: Price | None = None) -> Address:
    """Stores an address in place of the one before. Raises BadInput where `checked` does."""
    address = checked(name, url, needs_key, price)
    entry: dict[str, Any] = {"url": address.url, "needs_key": needs_key}
    if price is not None:
        entry |= {"usd_per_mtok_input": price.input, "usd_per_mtok_output": price.output}
    with private.changing(path()) as entries:
        entries[name] = entry
    return address


def checked(name: str, url: str, needs_key: bool = True, price: Price | None = None) -> Address:
    """An address, its name and figures looked over, nothing stored. Raises BadInput, which shows no credentials."""
    check_name(name)
    if price is not None and not all(math.isfinite(usd) and usd >= 0 for usd in (price.input, price.output)):
        raise BadInput(f"The price {price.input} in, {price.output} out cannot be.", "Give USD per million tokens.")
    return Address(name, _clean_url(url), needs_key, price)


def check_name(name: str) -> None:
    """Raises BadInput if a name would not do for an address."""
    from chapeta import deployments
    from chapeta.engine import weights

    if not _NAME.fullmatch(name):
        raise BadInput(
            "That cannot be a name.", "Use 1 to 40 lower-case letters, digits and single hyphens: my-server."
        )
    if name in weights.MODELS or name == "embedded":
        raise BadInput(f"'{name}' is the embedded model's name.", "Choose another name for the address.")
    if name in deployments.names():
        raise BadInput(f"'{name}' is a deployment.", "Choose another name for the address.")


def remove(name: str) -> bool:
    """Forgets an address; a built-in provider listens at its own again. False if there was none."""
    if name not in private.read(path()):
        return False
    with private.changing(path()) as entries:
        return entries.pop(name, None) is not None


def listed() -> dict[str, Address]:
    """The stored addresses by name. Raises Corrupt."""
    return {name: _read(name, entry) for name, entry in sorted(private.read(path()).items())}


def price_of(name: str) -> Price | None:
    """What the user said that an address costs, None if nothing."""
    address = listed().get(name)
    return address.price if address else None


def stamp() -> int:
    """A number that changes when an address is added, changed or removed. Costs one look at a file's time."""
    return private.stamp(path())


def path() -> Path:
    return config.home() / "addresses.json"


def builtin_remotes() -> Mapping[str, Remote]:
    """The providers that are known without the user's help."""
    from chapeta.gateway.providers.table import REMOTES

    return REMOTES


def _read(name: str, entry: Any) -> Address:
    """An address of the file, which a user may have edited."""
    try:
        if not _NAME.fullmatch(name):
            raise BadInput("that cannot be a name.")
        usd_in, usd_out = entry.get("usd_per_mtok_input"), entry.get("usd_per_mtok_output")
        price = None if usd_in is None or usd_out is None else Price(float(usd_in), float(usd_out))
        return Address(name, _clean_url(entry["url"]), bool(entry.get("needs_key", True)), price)
    except (BadInput, AttributeError, KeyError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, BadInput) else "a url is missing, or a figure is none"
        raise Corrupt(f"{path()} cannot be used at '{name[:40]}': {why}", "Repair it or remove that entry.") from None


def _clean_url(url: str) -> str:
    """The address without what follows it in requests. Credentials and queries are refused, and not shown."""
    given = url.strip()
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise BadInput(
            "That is not an address: its host or port cannot be.", "Give one like http://host:port/v1."
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise BadInput("That is not an address.", "Give one that begins with http:// or https:// and names a host.")
    if "@" in parts.netloc:
        raise BadInput(
            "The address holds a user or password.", "Leave them out; a key is asked for, or read from input."
        )
    if parts.query or parts.fragment or "?" in given or "#" in given:
        raise BadInput("The address holds a query.", "Leave out what follows ? or #; a key is asked for.")
    if not given.isascii() or any(c <= " " or c in '\x7f\\"<>' for c in given):
        raise BadInput("The address holds characters that no address has.", "Write the host in ASCII, spaces as %20.")
    cleaned = given.rstrip("/")
    for endpoint in _ENDPOINTS:
        cleaned = cleaned.removesuffix(endpoint)
    return cleaned.rstrip("/")
