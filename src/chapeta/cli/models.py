"""chapeta models list                      local models and deployments; how many more are known
chapeta models list claude sonnet        search all providers: every word in id or name
chapeta models list --provider google --modality image --max-usd 5 --sort price
chapeta models show ID                   everything that is known of one
chapeta models refresh [PROVIDER...]     fetch the providers' own lists (OpenRouter's needs no key)
chapeta models pull                      fetch the embedded model (done by itself when it is first needed)
chapeta models remove NAME               remove a deployment, or the weights of a model that was pulled
"""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from chapeta import config
from chapeta.cli import options
from chapeta.cli.list_models import MOST_ROWS, ORDERS, list_models, one, providers, show_model
from chapeta.errors import BadInput, ModelFailed

if TYPE_CHECKING:
    from chapeta.gateway.catalog import RefreshResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTIONS, help="what to do, see below")
    about = f"list: words to search; show, remove: which one; refresh: providers (all); pull: {config.DEFAULT_MODEL}"
    parser.add_argument("words", nargs="*", metavar="WORD", help=about)
    parser.add_argument("--again", action="store_true", help="pull: fetch anew even if it is there")
    group = parser.add_argument_group("list")
    group.add_argument("--provider", metavar="NAME", default="", help="models of this provider only")
    group.add_argument(
        "--modality", metavar="KIND", default="", help="takes or gives it: text, image, audio, embeddings …"
    )
    group.add_argument(
        "--parameter", metavar="NAME", default="", help="takes this request field: tools, response_format …"
    )
    group.add_argument("--free", action="store_true", help="costs nothing")
    group.add_argument("--max-usd", metavar="X", type=float, help="at most X USD per million tokens of output")
    group.add_argument(
        "--min-context", metavar="N", type=_tokens, default=0, help="at least N tokens of context; 200k, 1M"
    )
    group.add_argument("--sort", choices=ORDERS, help="order (name)")
    group.add_argument("--limit", metavar="N", type=int, help=f"rows to print ({MOST_ROWS}; with --json all)")
    group.add_argument("--all", action="store_true", help="every row, retired models too")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int | None:
    code: int | None = ACTIONS[arguments.action](arguments)
    return code


def _pull(arguments: argparse.Namespace) -> None:
    from chapeta.cli.draw import progress
    from chapeta.engine import weights

    model = one(arguments.words) or config.DEFAULT_MODEL
    if model not in weights.MODELS:
        raise BadInput(f"'{model}' cannot be pulled.", f"Known here: {', '.join(weights.MODELS)}.")
    with progress(quiet=arguments.json) as listener:
        listener.stage("Pull")
        again = arguments.again or not weights.is_pulled(model)

        def fetched(done: int, total: int) -> None:
            listener.advance(done, total, f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")

        file = weights.pull(model, listener.say, fetched) if again else weights.ensure(model)
    if arguments.json:
        options.print_json({"model": model, "file": str(file), "sha256": weights.weights_sha256(file)})
    else:
        print(file)


def _refresh(arguments: argparse.Namespace) -> int:
    """Exit code 6 where a provider that was named brings nothing new, or none at all does."""
    from chapeta.cli.draw import progress
    from chapeta.cli.show_models import show_refreshed
    from chapeta.gateway import keys
    from chapeta.gateway.catalog import refresh
    from chapeta.gateway.http.fetch import get_json

    remotes = providers(arguments.words)
    heard: list[str] = []
    with progress(quiet=arguments.json) as listener:
        listener.stage("Refresh")

        def tell(result: RefreshResult) -> None:
            heard.append(result.provider)
            listener.advance(len(heard), len(remotes), f"{result.provider}: {result.models:,} models")

        results = refresh(remotes, keys, get_json, tell)
    if arguments.json:
        rows = [
            {"provider": r.provider, "models": r.models, "fetched_at": r.fetched_at or None, "reason": r.reason}
            for r in results
        ]
        options.print_json({"providers": rows})
    else:
        show_refreshed(results)
    failed = [result for result in results if result.reason]
    return ModelFailed.exit_code if failed and (arguments.words or len(failed) == len(results)) else 0


def _remove(arguments: argparse.Namespace) -> None:
    from chapeta import deployments
    from chapeta.engine import weights

    name = one(arguments.words)
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


def _tokens(text: str) -> int:
    """A number of tokens: 200000, 200k or 1.5M."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)([km]?)", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of tokens, such as 200000, 200k or 1M")
    return int(float(match[1]) * {"": 1, "k": 1000, "m": 1_000_000}[match[2]])


ACTIONS = {"list": list_models, "show": show_model, "refresh": _refresh, "pull": _pull, "remove": _remove}
