"""An answer on a page while it comes: finished blocks are sent once, the open end at most ten times a second.

The work for a token does not grow with the answer: see stream_blocks for how text is cut. What is finished is kept with
the element, so that a page that is built or joined later gets it at once; blocks are numbered, so that what comes twice is
shown once and what was missed is asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from functools import cache
from typing import Any

from nicegui.element import Element
from starlette.responses import PlainTextResponse, Response

from chapeta.web import markdown
from chapeta.web.code_blocks import language
from chapeta.web.stream_blocks import Block, Splitter, split

EVERY_S = 0.1
SHARE = 0.1  # of the time, at most, goes into drawing the open end
KEPT = 64  # texts whose HTML is kept
MAX_KEPT = 200_000  # characters of such a text
# what may still become a heading's underline, a list, a fence or a formula would flicker if it were drawn
MARKS = re.compile(r"(?:^|(?<=\n))[ >]*[-=#*+|`~$\\_\[]{1,4}\Z|!?\[[^\]\n]*\]\(data:[^)]*\Z|(?<!`)[*_~]{1,3}\Z")

Shown = tuple[str, str]  # a block's HTML, and what it joins
Rendered = tuple[tuple[Shown, ...], dict[str, Any]]  # of a whole text, with its link definitions


class Answer(Element, component="answer.js", default_classes="answer"):
    """Shows Markdown that grows. Belongs to the event loop, as every element does.

    local_links: links to the app's own pages work too, for texts that are ours.
    """

    def __init__(self, text: str = "", *, local_links: bool = False) -> None:
        super().__init__()
        self._local_links = local_links
        outer, inner = _sheets()
        self.add_dynamic_resource(outer, lambda: _sheet(0))
        self.add_dynamic_resource(inner, lambda: _sheet(1))
        self._source: list[str] = []
        self._splitter: Splitter | None = None  # None: what is shown is complete
        self._env: markdown.Env = {}
        self._sent = 0  # blocks that the page has been told of
        self._code_sent = (0, 0)  # of the open code: blocks before it, characters of it
        self._due: asyncio.TimerHandle | None = None
        self._drawn_at = 0.0
        self._wait_s = EVERY_S
        self._props |= {"outer": outer, "inner": inner, "version": 0, "blocks": [], "tail": {}}
        self.on("missed", lambda: self.update())
        if text:
            self.set(text)

    def append(self, delta: str) -> None:
        """More of the answer."""
        if self._splitter is None:
            self._reopen()
        assert self._splitter is not None
        self._source.append(delta)
        self._keep(self._splitter.feed(delta))
        if self._due is None:
            wait_s = max(0.0, self._drawn_at + self._wait_s - time.monotonic())
            self._due = asyncio.get_running_loop().call_later(wait_s, self._draw)

    def finish(self) -> None:
        """The answer is complete. A reference whose definition came behind its use is a link from now on."""
        if self._splitter is None:
            return
        if self._env.get("references"):
            self.set("".join(self._source))
            return
        self._cancel()
        self._keep(self._splitter.finish())
        self._splitter = None
        _remember(
            ("".join(self._source), self._local_links),
            (tuple((html, join) for html, join in self._props["blocks"]), {}),
        )
        self._send({})

    def set(self, text: str) -> None:
        """This text instead of what was shown, complete. More may be appended all the same."""
        self._cancel()
        self._source = [text]
        self._splitter = None
        blocks, references = html_of(text, self._local_links)
        self._env = {"references": dict(references)} if references else {}
        self._show_anew(list(blocks), {})

    def _reopen(self) -> None:
        """Makes the end of what was complete open again."""
        text = "".join(self._source)
        self._splitter = Splitter()
        firm = len(self._splitter.feed(text))
        if text:
            self._show_anew(list(html_of(text, self._local_links)[0][:firm]), self._tail(0))

    def _show_anew(self, blocks: list[Shown], tail: dict[str, Any]) -> None:
        with self._props.suspend_updates():
            self._props |= {"version": self._props["version"] + 1, "blocks": blocks, "tail": tail}
        self._sent = len(blocks)
        self._code_sent = (self._sent, len(tail.get("code", "")))
        self.update()

    def _keep(self, blocks: list[Block]) -> None:
        """Renders finished blocks, for this page and for those that come later."""
        with self._props.suspend_updates():
            for block in blocks:
                self._props["blocks"].append((self._render(block.text, self._env), block.join))

    def _draw(self) -> None:
        self._due = None
        if self._splitter is None or self.is_deleted:
            return
        begun = time.monotonic()
        count = len(self._props["blocks"])
        start = self._code_sent[1] if self._code_sent[0] == count else 0
        tail = self._tail(start)
        self._code_sent = (count, start + len(tail["code"])) if "code" in tail else (count, 0)
        self._send(tail)
        self._drawn_at = time.monotonic()
        self._wait_s = max(EVERY_S, (self._drawn_at - begun) / SHARE)

    def _tail(self, start: int) -> dict[str, Any]:
        """The open end: HTML, or code from a place on."""
        assert self._splitter is not None
        code = self._splitter.code
        if code is not None:
            return {"name": language(code.info), "code": code.text[start:], "start": start, "joins": code.joins}
        text = MARKS.sub("", self._splitter.tail)
        references = self._env.get("references")
        env = {"references": dict(references)} if references else {}  # a definition may not be complete yet
        return {"html": self._render(text, env)} if text.strip() else {}

    def _send(self, tail: dict[str, Any]) -> None:
        blocks = self._props["blocks"]
        with self._props.suspend_updates():
            whole = self._tail(0) if tail.get("start") else tail
            self._props["tail"] = whole
        self.run_method("grow", self._props["version"], self._sent, list(blocks[self._sent :]), tail)
        self._sent = len(blocks)

    def _render(self, text: str, env: markdown.Env) -> str:
        return markdown.render(text, env, local_links=self._local_links)

    def _cancel(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _handle_delete(self) -> None:
        self._cancel()
        super()._handle_delete()


def html_of(text: str, local_links: bool = False) -> Rendered:
    """The blocks of a complete text, and the link definitions in it. Some 100 KB/s, and kept for the last texts: call it in
    a thread before a page shows long ones, and showing them takes no time.
    """
    found = _kept.get((text, local_links))
    if found is None:
        env: markdown.Env = {}
        blocks = split(text)
        for _ in range(2):
            shown = tuple((markdown.render(one.text, env, local_links=local_links), one.join) for one in blocks)
            if not env.get("references"):
                break  # else once more, now that all are known
        found = shown, env.get("references", {})
    _remember((text, local_links), found)
    return found


def _remember(key: tuple[str, bool], rendered: Rendered) -> None:
    """For the next page that shows it, which is often this one, drawn anew after the answer's end."""
    if len(key[0]) <= MAX_KEPT:
        _kept[key] = rendered
        while len(_kept) > KEPT:
            _kept.pop(next(iter(_kept)), None)


_kept: dict[tuple[str, bool], Rendered] = {}


@cache
def _sheets() -> tuple[str, str]:
    """The names of the two style sheets: other ones when they change, so that browsers may keep them."""
    outer, inner = (hashlib.sha256(sheet.encode()).hexdigest()[:16] for sheet in markdown.css())
    return f"answer_{outer}.css", f"answer_{inner}.css"


def _sheet(which: int) -> Response:
    return PlainTextResponse(
        markdown.css()[which], media_type="text/css", headers={"Cache-Control": "max-age=31536000"}
    )
