"""Cuts Markdown that is still growing into blocks that will not change any more, and what is still open.

A block is finished when a later line begins the next one; it is then rendered once. Where the cuts fall depends on the
text alone, never on how it arrived, and no line is read again more than a bounded number of times: a block that does not
end (a list, a table, code, a line) is cut as well, and its later part is marked to be joined to the earlier, so that the
reader sees one. Against rendering the whole at once, such a cut can change only this: colours behind a cut in a multi-line
string of code, the space between items of a list that is loose in one part only, emphasis or a link across a cut in a
paragraph, and, in a single item or quotation of more than HARD characters, its nesting.
"""

from __future__ import annotations

import itertools
import re
import threading
from dataclasses import dataclass, field

SOFT = 4_000  # characters, past which an open block is cut where that does not show
TABLE = 8_000  # the same for tables
HARD = 16_000  # where it is cut anyway, as a line is
PICTURE_LINE = 110_000  # a line with a picture in it may be longer
FENCE = re.compile(r"( {0,3})(`{3,}|~{3,})([^\n]*)")
ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
LETTER = re.compile(r"[^\W\d_]")
JOINED = {
    "paragraph_open": "p", "bullet_list_open": "ul", "ordered_list_open": "ol", "table_open": "tbody",
    "blockquote_open": "blockquote", "fence": "pre",
}  # fmt: skip
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Block:
    """Markdown that stands for itself.

    join: the element whose children continue those of the same element in the block before; "" for a block of its own.
    """

    text: str
    join: str = ""


@dataclass(frozen=True, slots=True)
class OpenCode:
    """Code whose end has not come. `text` grows until the block is finished. `joins`: it continues the block before."""

    info: str
    text: str
    joins: bool


@dataclass(frozen=True, slots=True)
class _Top:
    """A top-level block by its first line, its kind, and the lines where its later items or rows begin."""

    kind: str
    start: int
    parts: tuple[int, ...]


@dataclass(slots=True)
class Splitter:
    """Takes text in any pieces. Not for several threads at once."""

    _lines: list[str] = field(default_factory=list)  # complete lines of what is open
    _size: int = 0
    _check: int = SOFT
    _join: str = ""  # what the next block continues, if it is of that kind
    _fence: str = ""  # the line that opened the code we are in
    _pieces: list[str] = field(default_factory=list)  # of the line that is not complete
    _length: int = 0
    _held: str = ""  # a carriage return that may be half a line's end

    def feed(self, delta: str) -> list[Block]:
        """The blocks that this text finishes."""
        delta = self._held + delta
        self._held = "\r" if delta.endswith("\r") else ""
        delta = delta[: len(delta) - len(self._held)].replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
        if not delta:
            return []
        out: list[Block] = []
        first, *others = delta.split("\n")
        self._pieces.append(first)
        self._length += len(first)
        for piece in others:
            line = self._shorter("".join(self._pieces), out)
            self._take(line + "\n", out)
            self._pieces, self._length = [piece], len(piece)
        if self._length > HARD:
            rest = self._shorter("".join(self._pieces), out)
            self._pieces, self._length = [rest], len(rest)
        return out

    def finish(self) -> list[Block]:
        """The blocks of what is open; nothing comes any more."""
        out = self.feed("\n") if self._held else []
        if last := "".join(self._pieces):
            self._take(last, out)
        if self._fence:
            self._end_code(out)
        self._emit(len(self._lines), out)
        self._pieces, self._length = [], 0
        return out

    @property
    def tail(self) -> str:
        """What is open, as Markdown."""
        body = "".join(self._lines) + "".join(self._pieces)
        return self._fence + body if self._fence else body

    @property
    def tail_join(self) -> str:
        """The element that the open part continues, or ""."""
        return self._join

    @property
    def code(self) -> OpenCode | None:
        """The open part if it is code."""
        if not self._fence:
            return None
        found = FENCE.match(self._fence)
        assert found is not None
        text = "".join(self._lines) + "".join(self._pieces)
        # a line that may become the closing fence is not shown yet
        last = text.rpartition("\n")[2]
        if not last.strip().strip(found[2][0]):
            text = text[: len(text) - len(last)]
        return OpenCode(found[3].strip(), text, self._join == "pre")

    def _take(self, line: str, out: list[Block]) -> None:
        """A complete line."""
        if self._fence:
            self._take_code(line, out)
            return
        fence = FENCE.match(line)
        after_blank = bool(self._lines) and not self._lines[-1].strip()
        self._lines.append(line)
        self._size += len(line)
        if fence or (after_blank and line[0] not in " \t\n" and not self._goes_on(line)):
            top = self._settle(out)
            if fence and top is not None and top.kind == "fence" and top.start == len(self._lines) - 1:
                self._emit(top.start, out)
                self._fence, self._lines, self._size = line if line.endswith("\n") else line + "\n", [], 0
                return
        if self._size > self._check:
            self._shorten(out)

    def _goes_on(self, line: str) -> bool:
        """Whether a line is probably the next item of the open list: not worth reading the list again."""
        first, this = ITEM.match(self._lines[0]), ITEM.match(line)
        return bool(first and this and first[0][-2] == this[0][-2])

    def _take_code(self, line: str, out: list[Block]) -> None:
        opening = FENCE.match(self._fence)
        assert opening is not None
        closing = FENCE.match(line)
        if closing and closing[2].startswith(opening[2]) and not closing[3].strip():
            self._end_code(out)
            return
        self._lines.append(line)
        self._size += len(line)
        if self._size > SOFT:
            self._end_code(out, goes_on=True)

    def _end_code(self, out: list[Block], goes_on: bool = False) -> None:
        body = "".join(self._lines)
        if body or not self._join:
            out.append(Block(self._fence + body, self._join))  # code goes to the end of a text: it needs no closing
        self._join = "pre" if goes_on else ""
        self._lines, self._size = [], 0
        if not goes_on:
            self._fence, self._check = "", SOFT

    def _settle(self, out: list[Block]) -> _Top | None:
        """Emits all blocks but the last, which is returned with lines counted anew."""
        tops = _tops("".join(self._lines))
        if not tops:
            return None
        last = tops[-1]
        if len(tops) > 1:
            self._emit(last.start, out, tops)
            last = _Top(last.kind, 0, tuple(part - last.start for part in last.parts))
        return last

    def _emit(self, end: int, out: list[Block], tops: list[_Top] | None = None) -> None:
        """The lines before `end` as blocks, each top-level one by itself."""
        lines, self._lines = self._lines[:end], self._lines[end:]
        if tops is None:
            tops = _tops("".join(lines))
        starts = [0, *(top.start for top in tops[1:] if top.start < end), end]
        for place, (start, stop) in enumerate(itertools.pairwise(starts)):
            text = "".join(lines[start:stop])
            if text.strip():
                joins = bool(self._join) and place < len(tops) and JOINED.get(tops[place].kind) == self._join
                out.append(Block(text, self._join if joins else ""))
                self._join = ""
        self._size = sum(map(len, self._lines))
        self._check = SOFT

    def _shorten(self, out: list[Block]) -> None:
        """Cuts an open block that has grown long, if it can be cut here."""
        last = self._settle(out)
        if last is None:
            self._emit(len(self._lines), out)  # definitions of links only
            return
        if self._size <= SOFT:
            return
        cut = self._cut(last)
        if cut <= last.start:
            self._check = min(self._size + self._size // 2, max(HARD, self._size + SOFT))
            return
        head = self._lines[last.start : last.start + 2] if last.kind == "table_open" else []
        self._emit(cut, out)
        self._lines = head + self._lines
        self._size += sum(map(len, head))
        self._join = JOINED.get(last.kind, "")

    def _cut(self, last: _Top) -> int:
        """The line before which the open block may be cut; 0 for none."""
        end = len(self._lines) - 1
        if last.kind in ("bullet_list_open", "ordered_list_open") and last.parts:
            return last.parts[-1]
        if last.kind == "table_open" and self._size > TABLE and last.parts:
            return last.parts[-1]
        if last.kind == "paragraph_open":
            for place in range(end, last.start, -1):
                if LETTER.match(self._lines[place]):
                    return place
        return end if self._size > HARD and last.kind != "table_open" else 0

    def _shorter(self, line: str, out: list[Block]) -> str:
        """What is left of a line without an end, after what is too long has been cut off."""
        while len(line) > (limit := self._limit(line)):
            cut = limit
            if self._fence:
                self._lines.append(line[:cut])
                self._end_code(out, goes_on=True)
            else:
                space = line.rfind(" ", limit // 2, limit)
                while space > 0 and not LETTER.match(line, space + 1):
                    space = line.rfind(" ", limit // 2, space)
                cut = space + 1 if space > 0 else limit
                self._lines.append(line[:cut] + "\n")
                tops = _tops("".join(self._lines))
                self._emit(len(self._lines), out, tops)
                self._join = "p" if tops and tops[-1].kind == "paragraph_open" else ""
            line = line[cut:]
        return line

    def _limit(self, line: str) -> int:
        return PICTURE_LINE if not self._fence and "](data:image/" in line[:HARD] else HARD


def split(text: str) -> list[Block]:
    """The blocks of a whole text, the same that come out of a stream of it."""
    splitter = Splitter()
    return splitter.feed(text) + splitter.finish()


def _tops(text: str) -> list[_Top]:
    parser = getattr(_local, "parser", None)
    if parser is None:
        from chapeta.web.markdown import make_parser

        parser = _local.parser = make_parser(linked=False)
        parser.core.ruler.enableOnly(["normalize", "block"])
    found: list[_Top] = []
    for token in parser.parse(text):
        if token.map is None:
            continue
        start, end = token.map
        if token.level == 0 and token.nesting >= 0:
            rows = tuple(range(start + 3, end)) if token.type == "table_open" else ()
            found.append(_Top(token.type, start, rows))
        elif token.type == "list_item_open" and token.level == 1 and start > found[-1].start:
            found[-1] = _Top(found[-1].kind, found[-1].start, (*found[-1].parts, start))
    return found
