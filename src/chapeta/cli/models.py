"""chapeta models pull           fetch the embedded model (done by itself when it is first needed)
chapeta models list           local models and deployments
chapeta models remove NAME    remove a deployment, or the weights of a model that was pulled
"""

from __future__ import annotations

import argparse

from chapeta import config
from chapeta.cli import options
from chapeta.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS, help="fetch a model; list models and deployments; remove one")
    parser.add_argument("model", nargs="?", help=f"which one (pull: {config.DEFAULT_MODEL})")
    parser.add_argument("--again", action="store_true", help="fetch anew even if it is there")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    ACTIONS[arguments.action](arguments)


def _pull(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.engine import weights

    model = arguments.model or config.DEFAULT_MODEL
    if model not in weights.MODELS:
        raise BadInput(f"'{model}' cannot be pulled.", f"Known here: {', '.join(weights.MODELS)}.")
    with progress(quiet=arguments.json) as listener:
        listener.stage("Pull")
        again = arguments.again or not weights.is_pulled(model)
        file = weights.pull(model, listener.say) if again else weights.ensure(model)
    if arguments.json:
        options.print_json({"model": model, "file": str(file), "sha256": weights.weights_sha256(file)})
    else:
        print(file)


def _list(arguments: argparse.Namespace) -> None:
    from chapeta import deployments
    from chapeta.engine import weights

    if arguments.model:
        raise BadInput(f"`models list` takes no name, but '{arguments.model}' was given.", "Leave it out.")
    models = [
        {"id": name, "kind": "embedded", "about": m.about, "licence": m.licence, "pulled": weights.is_pulled(name)}
        for name, m in weights.MODELS.items()
    ]
    named = []
    for name in deployments.names():
        candidate = deployments.find(name)
        if candidate:
            named.append({"id": name, "kind": "deployment", "candidate": candidate.name, "model": candidate.model})
    if arguments.json:
        options.print_json({"models": models, "deployments": named})
        return
    for row in models:
        state = "pulled" if row["pulled"] else "not pulled yet"
        print(f"{row['id']:<24} {row['about']} ({row['licence']}; {state})")
    for deployed in named:
        print(f"{deployed['id']:<24} deployment: {deployed['candidate']} of {deployed['model']}")


def _remove(arguments: argparse.Namespace) -> None:
    from chapeta import deployments
    from chapeta.engine import weights

    name = arguments.model
    if not name:
        raise BadInput("`models remove` needs a name.", "`chapeta models list` shows them.")
    if deployments.remove(name):
        what = "deployment"
    elif name in weights.MODELS and weights.is_pulled(name):
        weights.remove(name)
        what = "weights"
    else:
        raise BadInput(f"Nothing called '{name}' is deployed or pulled.", "`chapeta models list` shows what there is.")
    if arguments.json:
        options.print_json({"removed": name, "kind": what})
    else:
        print(f"removed: {what} {name}")


ACTIONS = {"pull": _pull, "list": _list, "remove": _remove}
