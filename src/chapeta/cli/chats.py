"""chapeta chats import FILE               chats of a ChatGPT or Claude export (ZIP, folder, JSON), or of our own
chapeta chats export [ID...]               as Markdown; several chats are a ZIP (--out chats.zip)
chapeta chats export --format json         everything, with branches and attachments; it can be imported again
chapeta chats export --format jsonl        rows of messages to fine-tune with
chapeta chats list                         the newest chats; --folder, --limit
chapeta chats search WORDS                 in titles and in all that was said
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from chapeta.chat.types import Chat
from chapeta.cli import options
from chapeta.errors import BadInput

if TYPE_CHECKING:
    from chapeta.chat.export import Format
    from chapeta.chat.imports import Report

FORMATS = ("md", "json", "jsonl")
MOST_ROWS = 20
MOST_SKIPPED = 10
ACTION_OPTIONS = {
    "import": ("folder",),
    "export": ("folder", "format", "out"),
    "list": ("folder", "limit"),
    "search": ("limit",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=ACTION_OPTIONS, help="what to do")
    parser.add_argument(
        "words", nargs="*", metavar="WORD", help="import: the file; export: ids of chats; search: words"
    )
    parser.add_argument("--folder", metavar="NAME", help="import: where chats go; list, export: those of this folder")
    parser.add_argument("--format", choices=FORMATS, help="export: Markdown (md), everything (json), rows to tune with")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="export: the file to write (chats.zip, .md, .json, .jsonl)"
    )
    parser.add_argument("--limit", metavar="N", type=int, help=f"list, search: rows to print ({MOST_ROWS})")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    _only_own_options(arguments)
    actions = {"import": _import, "export": _export, "list": _list, "search": _search}
    actions[arguments.action](arguments)


def _only_own_options(arguments: argparse.Namespace) -> None:
    """Refuses options of another action, rather than leave them without effect."""
    for name in sorted({name for names in ACTION_OPTIONS.values() for name in names}):
        if getattr(arguments, name) is not None and name not in ACTION_OPTIONS[arguments.action]:
            raise BadInput(f"`chats {arguments.action}` has no --{name}.", "See `chapeta chats --help`.")
    if arguments.limit is not None and arguments.limit < 1:
        raise BadInput(f"--limit {arguments.limit} shows nothing.", "Give a number from 1.")


def _import(arguments: argparse.Namespace) -> None:
    from chapeta.chat.imports import import_chats
    from chapeta.cli.draw import progress
    from chapeta.storage.database import open_database

    if len(arguments.words) != 1:
        raise BadInput("`chats import` takes one file or folder.", "Put a path with spaces in quotes.")
    path = Path(arguments.words[0]).expanduser()
    with open_database() as database, progress(quiet=arguments.json) as listener:
        listener.stage("Import")
        report = import_chats(path, database, folder=arguments.folder or "", listener=listener)
    if arguments.json:
        options.print_json(_report_json(report))
    else:
        _show_report(report)


def _report_json(report: Report) -> dict[str, object]:
    counts = ("chats", "turns", "attachments", "grown", "already_there")
    skipped = [{"what": item.what, "why": item.why} for item in report.skipped]
    return {name: getattr(report, name) for name in counts} | {"reasons": report.reasons, "skipped": skipped}


def _show_report(report: Report) -> None:
    print(f"{report.chats:,} chats with {report.turns:,} turns and {report.attachments:,} attachments came over")
    if report.grown:
        print(f"{report.grown:,} of the chats that were there have grown")
    if report.already_there:
        print(f"{report.already_there:,} chats were there already")
    if report.reasons:
        print("left out:")
        for why, count in sorted(report.reasons.items(), key=lambda item: -item[1]):
            print(f"  {count:>6,}  {why}")
            for item in [item for item in report.skipped if item.why == why][:MOST_SKIPPED]:
                print(f"          {item.what}")


def _export(arguments: argparse.Namespace) -> None:
    from chapeta.chat.export import export
    from chapeta.chat.trees import stored_data, stored_trees
    from chapeta.cli.draw import progress
    from chapeta.storage.database import open_database

    form: Format = arguments.format or "md"
    one = len(arguments.words) == 1
    out = arguments.out or Path("chat.md" if one and form == "md" else f"chats.{'zip' if form == 'md' else form}")
    with open_database() as database, progress(quiet=arguments.json) as listener:
        listener.stage("Export")
        found = stored_trees(database, arguments.words or None, arguments.folder)
        done = export(found, form, out, lambda key: stored_data(database, key), listener)
    if arguments.json:
        options.print_json(
            {
                "file": str(done.path),
                "chats": done.chats,
                "turns": done.turns,
                "left_out": done.left_out,
                "bytes": done.size,
            }
        )
        return
    left_out = f"; {done.left_out:,} without an answer left out" if done.left_out else ""
    print(f"{done.path}: {done.chats:,} chats, {done.size:,} bytes{left_out}")


def _list(arguments: argparse.Namespace) -> None:
    from chapeta.chat.store import Chats
    from chapeta.storage.database import open_database

    if arguments.words:
        raise BadInput("`chats list` takes no words.", "To find chats: chapeta chats search WORDS.")
    with open_database() as database:
        found = Chats(database).page(folder=arguments.folder, limit=arguments.limit or MOST_ROWS)
    if arguments.json:
        options.print_json({"chats": [_chat_json(chat) for chat in found]})
    elif not found:
        print("no chats yet: chapeta chats import FILE, or chapeta app")
    for chat in found if not arguments.json else ():
        pin = "*" if chat.pinned else " "
        folder = f"  ({_shown(chat.folder)})" if chat.folder else ""
        print(f"{_day(chat.updated_at)} {pin} {chat.id}  {_shown(chat.title) or '(no title)'}{folder}")


def _search(arguments: argparse.Namespace) -> None:
    from chapeta.chat.search import END, MARK, search
    from chapeta.storage.database import open_database

    words = " ".join(arguments.words)
    if not words.strip():
        raise BadInput("`chats search` needs words.", "For all chats: chapeta chats list.")
    with open_database() as database:
        hits = search(database, words, limit=arguments.limit or MOST_ROWS)
    if arguments.json:
        rows = [
            {"chat": hit.chat_id, "turn": hit.turn_id, "title": hit.title, "role": hit.role, "at": _iso(hit.created_at),
             "snippet": hit.snippet.replace(MARK, "").replace(END, "")}
            for hit in hits
        ]  # fmt: skip
        options.print_json({"hits": rows})
        return
    if not hits:
        print("nothing found")
    for hit in hits:
        print(f"{_day(hit.created_at)}  {hit.chat_id}  {_shown(hit.title) or '(no title)'}")
        if hit.turn_id:
            print(f"{'':<12}{_marked(hit.snippet, MARK, END)}")


def _chat_json(chat: Chat) -> dict[str, object]:
    return {
        "id": chat.id, "title": chat.title, "folder": chat.folder, "pinned": chat.pinned, "tags": list(chat.tags),
        "created": _iso(chat.created_at), "updated": _iso(chat.updated_at), "model": chat.model, "skill": chat.skill,
    }  # fmt: skip


def _marked(snippet: str, begin: str, end: str) -> str:
    """What was found is bold on a terminal, and as it is elsewhere."""
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stdout.isatty() else ("", "")
    parts = [_shown(part) for part in snippet.replace(end, begin).split(begin)]
    return "".join(f"{bold}{part}{plain}" if place % 2 else part for place, part in enumerate(parts))


def _shown(text: str) -> str:
    """Text that anybody may have written, without what moves a terminal's cursor or rings its bell."""
    return "".join(c if c.isprintable() else " " for c in text)


def _day(moment: float) -> str:
    return _iso(moment)[:10]


def _iso(moment: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
