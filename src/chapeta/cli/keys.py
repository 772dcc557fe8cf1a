"""chapeta keys set NAME                        a provider's key: asked for, not shown; or one line on standard input
chapeta keys set NAME --url URL [--no-key]     an OpenAI-compatible address of your own, or another one for a provider
chapeta keys list [--check]                    keys (masked, and where they are), addresses, access keys
chapeta keys remove NAME                       forget a key and an address
chapeta keys issue NAME --budget-usd 5/day     an access key for a caller of `chapeta serve`, shown once
chapeta keys revoke NAME                       make an access key useless
"""

from __future__ import annotations

import argparse
from typing import Any

from chapeta.cli import options
from chapeta.errors import BadInput, ChapetaError

ACTION_OPTIONS = {
    "set": ("url", "no_key", "usd_in", "usd_out", "force"),
    "list": ("check",),
    "remove": (),
    "issue": ("budget_usd", "models", "rate", "expires"),
    "revoke": (),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTION_OPTIONS, help="what to do")
    parser.add_argument("name", nargs="?", help="provider, address or access key")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)  # taken to say why a key is no argument
    parser.add_argument("--key", "--api-key", "--token", dest="words_too", nargs="?", const="", help=argparse.SUPPRESS)
    group = parser.add_argument_group("set")
    group.add_argument("--url", help="address that takes OpenAI's requests, such as http://127.0.0.1:8000/v1")
    group.add_argument("--no-key", action="store_true", help="the address needs no key")
    group.add_argument("--usd-in", type=float, metavar="X", help="what the address costs: USD per million tokens in")
    group.add_argument("--usd-out", type=float, metavar="Y", help="and out")
    group.add_argument("--force", action="store_true", help="store what the provider refuses")
    group = parser.add_argument_group("list")
    group.add_argument("--check", action="store_true", help="ask each provider whether its key is good")
    group = parser.add_argument_group("issue")
    group.add_argument("--budget-usd", metavar="X/SPAN", help="what the caller may spend: 5/day, 100/month, 20")
    group.add_argument("--models", metavar="GLOB,GLOB", help="which models it may ask: 'openrouter/*,support-triage'")
    group.add_argument("--rate", metavar="N/SPAN", help="how many calls: 60/min")
    group.add_argument("--expires", metavar="WHEN", help="30d, 12h, or a date: 2027-01-01")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    action = arguments.action
    if arguments.words or arguments.words_too is not None:
        raise _no_argument(action)
    _only_own_options(arguments)
    if action == "list":
        if arguments.name:
            raise BadInput("`keys list` takes no name.", "Leave it out.")
        return _list(arguments)
    if not arguments.name:
        raise BadInput(f"`keys {action}` needs a name.", "`chapeta keys list` shows them.")
    if action == "remove":
        return _remove(arguments)
    from chapeta.cli import keys_access, keys_set

    {"set": keys_set.run, "issue": keys_access.run_issue, "revoke": keys_access.run_revoke}[action](arguments)
    return None


def _no_argument(action: str) -> BadInput:
    if action != "set":
        return BadInput(f"`keys {action}` takes one name.", "See `chapeta keys --help`.")
    return BadInput(
        "A key is not given as an argument: it would be in your shell's history and in the list of processes.",
        "Run `chapeta keys set NAME` and paste it there, or pipe it in. If that was a real key, replace it.",
    )


def _only_own_options(arguments: argparse.Namespace) -> None:
    """Refuses options of another action, rather than leave them without effect."""
    for action, names in ACTION_OPTIONS.items():
        for name in names:
            if action != arguments.action and getattr(arguments, name) not in (None, False):
                option = f"--{name.replace('_', '-')}"
                raise BadInput(
                    f"{option} belongs to `keys {action}`, not to `keys {arguments.action}`.", "Leave it out."
                )


def _list(arguments: argparse.Namespace) -> None:
    from chapeta.cli import keys_access
    from chapeta.cli.main import complain
    from chapeta.gateway import keys
    from chapeta.gateway.providers import addresses

    remotes = addresses.remotes()
    facts = keys.listed(remotes)
    stored = addresses.listed()
    checks = _checks(remotes, [f.name for f in facts if f.in_use] + list(stored)) if arguments.check else {}
    key_rows = [
        {"name": f.name, "mask": f.mask, "where": f.where, "stored": f.stored, "in_use": f.in_use, "problem": f.problem}
        | ({"check": checks[f.name]} if f.name in checks and f.in_use else {})
        for f in facts
    ]
    address_rows = [
        {
            "name": a.name,
            "url": a.url,
            "needs_key": a.needs_key,
            "usd_per_mtok_input": a.price and a.price.input,
            "usd_per_mtok_output": a.price and a.price.output,
        }
        | ({"check": checks[a.name]} if a.name in checks else {})
        for a in stored.values()
    ]
    try:
        access_rows = keys_access.rows()
    except ChapetaError as error:  # a database that is down hides no provider's key
        complain(f"Access keys cannot be shown: {error}")
        access_rows = []
    if arguments.json:
        options.print_json({"keys": key_rows, "addresses": address_rows, "access_keys": access_rows})
    else:
        _show(key_rows, address_rows, access_rows)


def _show(keys: list[dict[str, Any]], addresses: list[dict[str, Any]], access: list[dict[str, Any]]) -> None:
    from chapeta.cli import keys_access

    if not keys and not addresses:
        print("no provider keys yet: chapeta keys set openrouter")
    for row in keys:
        where = {"keychain": "OS keychain", "file": "keys.json"}.get(row["where"], row["where"])
        since = f", since {row['stored'][:10]}" if row["stored"] else ""
        unused = "" if row["in_use"] else "; not used: the environment variable comes first"
        problem = f": {row['problem']}" if row["problem"] else ""
        print(f"{row['name']:<16} {row['mask']:<18} {where}{since}{unused}{problem}")
        _show_check(row)
    for row in addresses:
        price = ""
        if row["usd_per_mtok_input"] is not None:
            price = f"; ${row['usd_per_mtok_input']:g} in, ${row['usd_per_mtok_output']:g} out per million tokens"
        print(f"{row['name']:<16} {row['url']}  ({'with' if row['needs_key'] else 'no'} key{price})")
        if not any(key["name"] == row["name"] for key in keys):
            _show_check(row)
    for row in access:
        print(keys_access.line(row))


def _show_check(row: dict[str, Any]) -> None:
    if "check" in row:
        check = row["check"]
        print(f"{'':<16} {check['state']}{': ' if check['reason'] else ''}{check['reason']}")
        for line in check["lines"]:
            print(f"{'':<16} {line}")


def _checks(remotes: dict[str, Any], names: list[str]) -> dict[str, dict[str, Any]]:
    """What each provider says of its key, asked at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    from chapeta.gateway import keys
    from chapeta.gateway.keys.check import KeyCheck, check

    def ask(name: str) -> KeyCheck:
        try:
            return check(remotes[name], keys.find(remotes[name]))
        except ChapetaError as error:
            return KeyCheck("unknown", str(error))

    known = [name for name in dict.fromkeys(names) if name in remotes]
    with ThreadPoolExecutor(8) as pool:
        return {name: check_json(result) for name, result in zip(known, pool.map(ask, known), strict=True)}


def check_json(check: Any) -> dict[str, Any]:
    return {"state": check.state, "reason": check.reason, "lines": list(check.lines), "account": check.account}


def _remove(arguments: argparse.Namespace) -> None:
    from chapeta.gateway import keys
    from chapeta.gateway.keys.secret import shown
    from chapeta.gateway.providers import addresses

    name = arguments.name
    remote = addresses.remotes().get(name)
    removed = [what for what, gone in (("key", keys.remove(name)), ("address", addresses.remove(name))) if gone]
    variable = keys.variable_of(remote) if remote else ""
    if not removed:
        remedy = f"Its key is in the environment: unset {variable}." if variable else "`chapeta keys list` shows all."
        raise BadInput(f"No key or address is stored under {shown(name)}.", remedy)
    if arguments.json:
        options.print_json({"removed": name, "kinds": removed, "still_in_environment": variable})
        return
    print(f"removed: {' and '.join(removed)} of {name}")
    if variable:
        print(f"{variable} is still set, so {name} still has a key")
