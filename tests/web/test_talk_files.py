"""What is added to the composer becomes an attachment with its price, or is refused in words that help."""

from __future__ import annotations

import pytest

from chapeta.chat.types import Attachment
from chapeta.errors import BadInput
from chapeta.types import Price
from chapeta.web.talk.files import attach, sizes
from chat.document_files import pdf, png


def test_a_picture_has_its_tokens() -> None:
    taken = attach("shots/a.png", png(280, 56))
    assert taken.attachment == Attachment(
        "", "", "a.png", "image/png", len(png(280, 56)), "image", 20, "", png(280, 56)
    )


def test_a_document_is_read_and_begins_with_its_parts_where_the_whole_takes_too_much() -> None:
    taken = attach("a.txt", b"word " * 1000, 10_000)
    assert (taken.attachment.mode, taken.attachment.text[:9]) == ("whole", "word word")
    assert attach("a.txt", b"word " * 1000, 1000).attachment.mode == "relevant"
    assert attach("a.txt", b"word " * 1000).attachment.mode == "whole"


def test_what_was_guessed_is_said() -> None:
    assert "Windows-1252" in attach("a.txt", b"caf\xe9 " * 50).warnings[0]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", b"<svg>", "name of a picture"), ("a.png", b"", "empty"), ("a.png", png(9, 9)[:17], "damaged"),
        ("a.jpg", png(9, 9) + b"x" * 20_000_001, "20 MB are the most"), ("a.pdf", pdf(["x"], encrypted=True), "encrypted"),
        ("a.txt", bytes(range(256)), "not text"), ("a.txt", b"", "empty"), ("a.zip", b"PK\x03\x04", "damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named(name: str, data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said) as error:
        attach(name, data)
    assert error.value.message.startswith(name) and error.value.remedy


def test_the_sizes_are_priced_where_the_price_is_known() -> None:
    document = Attachment("", "", "a.md", "text/markdown", 9, "whole", 12_345, "text")
    assert sizes(document, Price(2.0, 8.0)) == {
        "whole": "whole text, about 12.3k tokens · $0.025",
        "relevant": "relevant parts, at most 2k tokens · $0.004",
    }
    assert sizes(document, None)["whole"] == "whole text, about 12.3k tokens"
    assert sizes(document, Price(0.0, 0.0))["whole"] == "whole text, about 12.3k tokens · free"
    picture = Attachment("", "", "a.png", "image/png", 9, "image", 500)
    assert sizes(picture, Price(2.0, 8.0)) == {"image": "about 500 tokens · $0.001"}
