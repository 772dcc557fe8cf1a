"""The parts of a document that matter to a question: found, within the budget, in order, with their place."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from chapeta.chat.passages import PASSAGE_CHARS, Index, shown, split
from chapeta.chat.tokens import Estimate

COUNT = Estimate()
PAGES = "\n\n".join(
    f"[Page {n}]\nAbout animal{n}.\n\n" + "Nothing of interest is said here. " * 20 for n in range(1, 40)
)


def test_pages_and_headings_are_places() -> None:
    text = "Before\n\n[Page 1]\n# Start\n\nHello\n\n[Page 2]\nGoes on\n\n## End of it\nBye\n```\n# a comment\n```"
    found = [(passage.place, passage.text) for passage in split(text)]
    assert found == [
        ("Line 1", "Before"),
        ("Page 1, Start", "# Start\n\nHello"),
        ("Page 2, Start", "Goes on"),
        ("Page 2, End of it", "## End of it\nBye\n```\n# a comment\n```"),
    ]


def test_lines_are_places_where_there_is_nothing_else() -> None:
    code = "\n".join(f"value_{n} = {n}" for n in range(200))
    places = [passage.place for passage in split(code)]
    assert places[0] == "Line 1"
    starts = [int(place.removeprefix("Line ")) for place in places]
    assert [code.split("\n")[start - 1] for start in starts] == [p.text.split("\n")[0] for p in split(code)]


def test_the_best_passages_come_in_the_documents_order() -> None:
    found = Index(PAGES).pick("What of animal31 and animal7?", 600, COUNT)
    assert [passage.place for passage in found][:2] == ["Page 7", "Page 31"]
    assert shown(found).startswith("[Page 7]\nAbout animal7.")


def test_what_was_given_is_not_given_again() -> None:
    index = Index(PAGES)
    first = index.pick("animal7", 600, COUNT)
    assert index.pick("animal7", 600, COUNT, {passage.number for passage in first}) == ()


def test_the_beginning_stands_for_a_document_without_a_word_of_the_question() -> None:
    assert Index(PAGES).pick("Fasse zusammen!", 300, COUNT)[0].place == "Page 1"
    assert Index(PAGES).pick("", 300, COUNT)[0].place == "Page 1"


def test_scripts_without_spaces() -> None:
    text = "\n\n".join(f"第{n}章。" + "这里没有什么特别的内容。" * 30 for n in range(20)) + "\n\n熊猫喜欢吃竹子。"
    assert "熊猫喜欢吃竹子" in Index(text).pick("熊猫吃什么?", 700, COUNT)[-1].text


def test_nothing() -> None:
    assert Index("").pick("x", 100, COUNT) == ()
    assert Index("\n [Page 1]\n\n").pick("x", 1, COUNT) == ()
    assert Index("!!! ...").pick("x", 100, COUNT)[0].text == "!!! ..."


@given(st.text(st.sampled_from("ab# \n.`[]世。"), max_size=3000))
def test_no_text_is_lost_and_no_passage_is_long(text: str) -> None:
    found = list(split(text))
    assert re.sub(r"\s", "", "".join(p.text for p in found)) == re.sub(r"\s", "", text)
    assert all(len(passage.text) <= PASSAGE_CHARS + 1 for passage in found)
    assert [passage.number for passage in found] == list(range(len(found)))
    assert all(passage.place for passage in found)


@settings(deadline=None, max_examples=30)
@given(st.text(st.sampled_from("abc d\n世"), max_size=4000), st.text("abcd世", max_size=30), st.integers(0, 500))
def test_the_budget_holds(text: str, question: str, budget: int) -> None:
    found = Index(text).pick(question, budget, COUNT)
    assert COUNT(shown(found)) <= budget + 2 * len(found)  # the gaps between them
    numbers = [passage.number for passage in found]
    assert numbers == sorted(set(numbers))
