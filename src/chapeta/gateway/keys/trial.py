"""Trying a key or an address at its provider before it is stored: what came of it, and whether it should be kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from urllib.parse import urlsplit

from chapeta.errors import BadInput
from chapeta.gateway import keys
from chapeta.gateway.http.fetch import is_loopback
from chapeta.gateway.keys.check import KeyCheck, check
from chapeta.gateway.keys.secret import Secret
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.addresses import Address
from chapeta.gateway.providers.remote import Remote

NO_API = ("not_json", "404", "405", "400")


@dataclass(frozen=True, slots=True)
class Tried:
    """What a provider said. address: None where only a key is new; it may have got the /v1 that was forgotten.

    is_new: whether the key is to be stored; False for one that is there already.
    """

    address: Address | None
    remote: Remote
    secret: Secret | None
    result: KeyCheck
    is_new: bool = True


def tried(address: Address | None, remote: Remote, secret: Secret | None, is_new: bool = True) -> Tried:
    """Asks the provider. An own address that forgot /v1 is tried with it, too."""
    result = check(remote, secret)
    if address is not None and result.code in NO_API and not address.url.endswith("/v1"):
        longer = dataclasses.replace(address, url=f"{address.url}/v1")
        found = check(addresses.remote_of(longer), secret)
        if found.state != "unknown":
            return Tried(longer, addresses.remote_of(longer), secret, found, is_new)
    return Tried(address, remote, secret, result, is_new)


def refusal(found: Tried) -> BadInput | None:
    """Why it should not be stored, None if it may be; an address that nobody could reach may."""
    result, remote = found.result, found.remote
    if result.state == "refused" and found.secret is None:
        return BadInput(f"{remote.base_url} wants a key ({result.reason}).", "Say that it needs one.")
    if result.state == "refused":
        remedy = (
            f"Make one at {remote.key_page}." if remote.key_page else "Look whether it is whole, and this provider's."
        )
        return BadInput(f"{remote.title} refuses this key ({result.reason}).", remedy)
    if found.address is not None and result.code in NO_API:
        told = result.reason.removesuffix(".")
        return BadInput(
            f"{remote.base_url} is no OpenAI-compatible address ({told}).", "Such addresses often end in /v1."
        )
    return None


def store(found: Tried) -> str:
    """Keeps what was tried. Returns where the key is, in words for the user; "" without a key."""
    where = keys.store(found.remote.name, found.secret) if found.secret is not None and found.is_new else ""
    if found.address is not None:
        a = found.address
        addresses.add(a.name, a.url, a.needs_key, a.price)
    return where


def warnings(found: Tried) -> list[str]:
    """What the user has to know of what is stored now."""
    told = []
    if found.result.state != "ok":
        told.append(f"It could not be checked: {found.result.reason}")
    if found.secret is None:
        return told
    base_url = found.remote.base_url
    if base_url.startswith("http:") and not is_loopback(urlsplit(base_url).hostname or ""):
        told.append(f"The key will travel to {base_url} unencrypted.")
    if variable := keys.variable_of(found.remote):
        told.append(f"{variable} is set and comes first: unset it to use the stored key.")
    return told
