"""Opens the app in the browser, at an address of this machine that nobody else can reach. Ctrl-C ends it.

chapeta                       the same without the word
chapeta app --native          in a window of its own (with Chrome, Chromium, Edge or Brave)
chapeta app --no-browser      only says the address
"""

from __future__ import annotations

import argparse
import sys
import threading

from chapeta.cli import options
from chapeta.errors import BadInput

PORT = 8485


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT, help=f"0 takes any free one ({PORT})")
    parser.add_argument("--native", action="store_true", help="open a window of its own instead of a tab")
    parser.add_argument("--no-browser", action="store_true", help="open nothing, only say the address")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    from chapeta.app import Opening, is_running, serve

    how = Opening(port=arguments.port)

    def started(address: str) -> None:
        if arguments.json:
            options.print_json({"address": address})
            sys.stdout.flush()
        else:
            print(f"{address}  (Ctrl-C stops)", flush=True)
        if not arguments.no_browser:
            threading.Thread(target=_show, args=(address, arguments.native), daemon=True).start()

    def warn(line: str) -> None:
        print(f"chapeta: {line}", file=sys.stderr)

    if arguments.native:
        from chapeta.cli.window import browser

        browser()  # says now, not later, if there is none

    def is_open() -> bool:
        if not how.port or not is_running(how):
            return False
        address = f"http://{how.host}:{how.port}"
        print(f"The app is open already: {address}")
        if not arguments.no_browser:
            _show(address, arguments.native)
        return True

    if is_open():
        return
    try:
        serve(how, started, warn)
    except BadInput:
        if not is_open():  # two that were started at once, of which the other has got the port
            raise


def _show(address: str, native: bool) -> None:
    if native:
        from chapeta.cli.window import open_window

        open_window(address)
        return
    import webbrowser

    webbrowser.open(address)
