"""Every model and deployment as OpenAI's API, on this machine alone unless access keys are issued.

chapeta serve                          http://127.0.0.1:8484/v1, no key needed
chapeta serve --host 0.0.0.0           for others too; needs `chapeta keys issue NAME` first
OPENAI_BASE_URL=http://127.0.0.1:8484/v1 OPENAI_API_KEY=any llm -m support-triage "where is my parcel?"
"""

from __future__ import annotations

import argparse
import math
import os
import sys

from chapeta import config
from chapeta.cli import options
from chapeta.errors import BadInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8484, help="port; 0: any free one (8484)")
    parser.add_argument("--require-key", action="store_true", help="ask for an access key on loopback too")
    parser.add_argument(
        "--keep-content",
        action="store_true",
        help=f"keep prompts and answers in the ledger (or {config.KEEP_CONTENT_VARIABLE}=1)",
    )
    parser.add_argument(
        "--answer-seconds", type=float, default=600.0, metavar="S", help="a provider silent for longer has failed (600)"
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.api.server import Serving, serve

    if not 0 < arguments.answer_seconds < math.inf:
        raise BadInput(f"--answer-seconds {arguments.answer_seconds} is not a time.", "Give a number above 0.")
    keep = arguments.keep_content or os.environ.get(config.KEEP_CONTENT_VARIABLE, "") not in ("", "0")
    how = Serving(arguments.host, arguments.port, arguments.require_key, keep, arguments.answer_seconds)

    def started(address: str) -> None:
        if arguments.json:
            options.print_json({"address": address, "pid": os.getpid()})
        else:
            print(f"{address}  (Ctrl-C stops)")
        sys.stdout.flush()

    serve(how, started, lambda line: print(f"chapeta: {line}", file=sys.stderr, flush=True))
