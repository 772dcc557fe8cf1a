from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chapeta.web.markdown import render
from chapeta.web.stream_blocks import HARD, TABLE, Block, Splitter, split

LINES = st.sampled_from([
    "", "", "", "Some *words* and `code`.", "More words", "# Head", "Under", "===", "---", "-", "- item", "  - inner",
    "  go on", "1. one", "2) two", "   text in it", "10. ten", "    deep", "```", "```python", "   ```", "  ```", "````",
    "~~~", "x = 1", "> quote", "> - list in it", "> ```", "| a | b |", "|---|---|", "| 1 | 2 |", "a | b", "$$", "a = b",
    "+ c", r"\[", r"\]", "$$ x $$", "* star", "- [ ] to do", "[^1]: note", "\ttab", "<div>", "***", "text\\",
    "é\u4e2d\u2028\u6587", "***bold", "+", "```js `x",
])  # fmt: skip
DOCUMENTS = st.lists(LINES, max_size=40).map("\n".join)


def stream(text: str, cuts: list[int]) -> list[Block]:
    splitter = Splitter()
    out: list[Block] = []
    places = sorted({min(cut, len(text)) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        out += splitter.feed(text[start:end])
    return out + splitter.finish()


def joined(blocks: list[Block]) -> str:
    """What a page shows of blocks: the later part's children behind the earlier's."""
    out = ""
    for block in blocks:
        html = render(block.text)
        if block.join:
            first = "" if block.join == "pre" else "\n?"
            inner = re.match(rf".*?<{block.join}[^>]*>{first}", html, re.S)
            assert inner, html
            place = out.rindex(f"</{block.join}>")
            glue = "\n" if block.join == "p" else ""
            stop = html.rindex(f"</{block.join}>")
            out = out[:place] + glue + html[inner.end() : stop] + out[place:]
        else:
            out += html
    return out


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS, st.lists(st.integers(0, 800), max_size=30))
def test_blocks_do_not_depend_on_how_the_text_came(text: str, cuts: list[int]) -> None:
    assert stream(text, cuts) == split(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="\r\n `~-*#>|$[]\\1.ab\0\t", max_size=200), st.lists(st.integers(0, 200), max_size=30))
def test_ends_of_lines_do_not_depend_on_it_either(text: str, cuts: list[int]) -> None:
    assert stream(text, cuts) == split(text)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(LINES, st.sampled_from([1, 1, 3, 30, 900])), max_size=8),
    st.lists(st.integers(0, 30_000), max_size=20),
)
def test_long_blocks_are_cut_at_the_same_places(lines: list[tuple[str, int]], cuts: list[int]) -> None:
    text = "".join((line + "\n") * times if line.strip("`~") else line + "\n" for line, times in lines)
    assert stream(text, cuts) == split(text)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_blocks_together_are_the_whole(text: str) -> None:
    assert joined(split(text)) == render(text)


def test_every_character_at_a_time() -> None:
    text = "# Title\n\nA paragraph\nof two lines.\n\n```py\nx = 1\n\ny\n```\n\n1. a\n\n   b\n2. c\n\n| a |\n|---|\n| 1 |\n\n"
    assert stream(text, list(range(len(text)))) == split(text)
    assert joined(split(text)) == render(text)


def test_a_finished_block_comes_as_soon_as_the_next_begins() -> None:
    splitter = Splitter()
    assert splitter.feed("One.\n\nTw") == []
    assert splitter.feed("o.\n") == [Block("One.\n\n")]
    assert splitter.tail == "Two.\n"
    assert splitter.feed("```py\nx =") == [Block("Two.\n")]
    code = splitter.code
    assert code is not None and (code.info, code.text, code.joins) == ("py", "x =", False)
    assert splitter.feed(" 1\n``") == []
    assert splitter.code is not None and splitter.code.text == "x = 1\n"
    assert splitter.feed("`\n") == [Block("```py\nx = 1\n")]
    assert splitter.code is None and splitter.tail == ""


LONG = {
    "list": "".join(f"{number}. Item *{number}* of a list that goes on\n" for number in range(1, 600)),
    "ones": "".join(f"1. Item {number} whose author never counts\n" for number in range(600)),
    "nested": "".join(f"- Item {number}\n  - inner one\n  - inner two\n" for number in range(400)),
    "loose": "".join(f"- Item {number}\n\n  Its second paragraph\n\n" for number in range(400)),
    "table": "| a | b |\n|--:|---|\n" + "".join(f"| {number} | *cell* |\n" for number in range(2000)),
    "code": "```\n" + "".join(f"line {number}\n\n" for number in range(4000)) + "```\n",
    "code with no end": "~~~text\n" + "".join(f"line {number}\n" for number in range(4000)),
    "paragraph": "".join(f"Line {number} of it\n" for number in range(2000)),
    "quote": "".join(f"> Line {number}  \n" for number in range(2000)),
}


@pytest.mark.parametrize("name", LONG)
def test_long_blocks_joined_are_the_whole(name: str) -> None:
    text = LONG[name]
    blocks = split(text)
    assert len(blocks) >= 2 and max(len(block.text) for block in blocks) <= HARD + 2_000
    if name == "quote":
        assert all(block.join == "blockquote" for block in blocks[1:])
    else:
        assert joined(blocks).replace("</code><code>", "") == render(text)


@pytest.mark.parametrize(
    "text", ["word " * 20_000, "a" * 100_000, "| a " * 20_000, "```\n" + "a" * 100_000, "[" * 50_000]
)
def test_a_line_without_end_is_cut(text: str) -> None:
    splitter = Splitter()
    blocks: list[Block] = []
    for start in range(0, len(text), 50):
        blocks += splitter.feed(text[start : start + 50])
        assert len(splitter.tail) <= HARD + TABLE
    blocks += splitter.finish()
    assert blocks == split(text)
    shown = re.sub(r"\s|`", "", "".join(block.text for block in blocks))
    assert shown == re.sub(r"\s|`", "", text)


def test_a_picture_in_a_line_is_not_cut() -> None:
    text = "Look: ![it](data:image/png;base64," + "A" * 90_000 + ")\n\nEnd."
    assert [len(block.text) > 90_000 for block in stream(text, list(range(0, len(text), 5000)))] == [True, False]
    assert split("Look: ![it](data:image/png;base64," + "A" * 300_000)[0].text.startswith("Look")
