"""`chapeta keys set`: reads a key without showing it, tries it at its provider, stores it, says where."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import warnings
from urllib.parse import urlsplit

from chapeta.cli import options
from chapeta.cli.keys import check_json
from chapeta.cli.main import complain
from chapeta.errors import BadInput
from chapeta.gateway import keys
from chapeta.gateway.http.fetch import is_loopback
from chapeta.gateway.keys.check import KeyCheck
from chapeta.gateway.keys.secret import MOST_CHARACTERS, Secret, looks_like_key, secret_of, shown
from chapeta.gateway.keys.trial import refusal, tried
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.addresses import Address
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Price


def run(arguments: argparse.Namespace) -> None:
    name = arguments.name
    if looks_like_key(name) and name not in addresses.remotes():
        raise BadInput(
            "A key is not given as an argument: it would be in your shell's history and in the list of processes.",
            "Run `chapeta keys set NAME` with the provider's name and paste it there. If that was a real key, replace it.",
        )
    address = _address(arguments)
    remote = addresses.remote_of(address) if address else _known(name)
    secret, is_new = _secret(arguments, remote)
    found = tried(address, remote, secret)
    address, remote, result = found.address, found.remote, found.result
    if not arguments.force and (why := refusal(found)) is not None:
        raise BadInput(why.message, f"{why.remedy} Nothing was stored; --force stores it all the same.")
    where = keys.store(name, secret) if secret and is_new else ""
    if address is not None:
        addresses.add(name, address.url, address.needs_key, address.price)
    _tell(arguments, remote, secret, where, address, result)


def _known(name: str) -> Remote:
    remotes = addresses.remotes()
    if name not in remotes:
        raise BadInput(
            f"No provider is called {shown(name)}.",
            f"Known: {', '.join(remotes)}. For an address of your own add --url http://host:port/v1.",
        )
    return remotes[name]


def _address(arguments: argparse.Namespace) -> Address | None:
    """The address to store, None where only a key is set."""
    name, stored = arguments.name, addresses.listed().get(arguments.name)
    if (arguments.usd_in is None) != (arguments.usd_out is None):
        raise BadInput("--usd-in and --usd-out belong together.", "Give both, 0 for what costs nothing.")
    price = None if arguments.usd_in is None else Price(arguments.usd_in, arguments.usd_out)
    if not arguments.url and price is None and not arguments.no_key:
        # a key for what needed none so far: from now on it does
        return dataclasses.replace(stored, needs_key=True) if stored and not stored.needs_key else None
    url = arguments.url or (stored.url if stored else _known(name).base_url)
    builtin = addresses.builtin_remotes().get(name)
    before = builtin if arguments.url else stored or builtin
    needs_key = not arguments.no_key and (before is None or before.needs_key)
    return addresses.checked(name, url, needs_key, price or (stored.price if stored else None))


def _secret(arguments: argparse.Namespace, remote: Remote) -> tuple[Secret | None, bool]:
    """The key to use, and whether it is a new one. Without input, a new address keeps the key there is."""
    if arguments.no_key or (arguments.url and not remote.needs_key):
        return None, False
    if arguments.usd_in is not None and not arguments.url:
        return keys.find(remote), False
    stored = keys.find(remote) if arguments.url else None
    typed = _read(remote, " Enter keeps the one you have." if stored else "")
    if stored and not typed.strip():
        return stored, False
    if not typed.strip():
        no_key = ", or say --no-key" if arguments.url else ""
        raise BadInput("No key was given.", f"Paste it at the prompt, or pipe one line in{no_key}.")
    return secret_of(typed), True


def _read(remote: Remote, more: str) -> str:
    """One line: typed without being shown on a terminal, else from standard input."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        import getpass

        page = f", from {remote.key_page}" if remote.key_page else ""
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on and show what is typed
            try:
                return getpass.getpass(f"Key of {remote.title}{page} (not shown while you paste).{more} ")
            except EOFError:
                return ""
            except getpass.GetPassWarning:
                raise BadInput("This terminal cannot hide what is typed.", "Pipe the key in instead.") from None
    line = sys.stdin.buffer.readline(4 * MOST_CHARACTERS)
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("Standard input is not UTF-8 text.", "Give the key alone, on one line.") from None


def _tell(
    arguments: argparse.Namespace,
    remote: Remote,
    secret: Secret | None,
    where: str,
    address: Address | None,
    result: KeyCheck,
) -> None:
    variable = keys.variable_of(remote) if where else ""
    if result.state != "ok":
        complain(f"{'Stored, but ' if where or address else ''}it could not be checked: {result.reason}")
    if secret and remote.base_url.startswith("http:") and not is_loopback(urlsplit(remote.base_url).hostname or ""):
        complain(f"The key will travel to {remote.base_url} unencrypted.")
    if variable:
        complain(f"{variable} is set and comes first: unset it to use the stored key.")
    if arguments.json:
        options.print_json({
            "name": remote.name, "mask": secret.mask if secret else None, "stored": where or None,
            "url": remote.base_url, "check": check_json(result),
        })  # fmt: skip
        return
    if address:
        print(f"{remote.name}: {remote.base_url}{'' if secret else ', no key'}")
    if secret:
        print(f"{remote.name}: key {secret.mask}{' is good' if result.state == 'ok' else ''}")
    for line in result.lines:
        print(f"  {line}")
    if where:
        print(f"  stored in {where}")
