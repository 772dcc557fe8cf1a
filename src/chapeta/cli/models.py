"""chapeta models pull           fetch the embedded model (done by itself when it is first needed)
chapeta models list           local models and deployments
"""

from __future__ import annotations

import argparse

from chapeta import config
from chapeta.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("pull", "list"), help="fetch a model, or list models and deployments")
    parser.add_argument("model", nargs="?", default=config.DEFAULT_MODEL, help="which model to pull")
    parser.add_argument("--again", action="store_true", help="fetch anew even if it is there")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    (_pull if arguments.action == "pull" else _list)(arguments)


def _pull(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.engine import weights
    from chapeta.errors import BadInput

    if arguments.model not in weights.MODELS:
        raise BadInput(f"'{arguments.model}' cannot be pulled.", f"Known here: {', '.join(weights.MODELS)}.")
    with progress(quiet=arguments.json) as listener:
        listener.stage("Pull")
        again = arguments.again or not weights.is_pulled(arguments.model)
        file = weights.pull(arguments.model, listener.say) if again else weights.ensure(arguments.model)
    if arguments.json:
        options.print_json({"model": arguments.model, "file": str(file), "sha256": weights.weights_sha256(file)})
    else:
        print(file)


def _list(arguments: argparse.Namespace) -> None:
    from chapeta import deployments
    from chapeta.engine import weights

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
