"""Sentences about how answers look."""

from __future__ import annotations

from chapeta.skills.style import answer_style, message_languages, value_style

QUESTIONS = ["What is the state of my order?"] * 10


def said(*answers: str, questions: list[str] | None = None) -> str:
    return " ".join(answer_style(questions or QUESTIONS[: len(answers)], answers))


def test_length_is_told_as_one_figure_or_a_range() -> None:
    assert "Write about 3 words on one line." in said(*["a b c"] * 10)
    assert "Write 1 to 20 (typically 10) words" in said(
        *[" ".join("x" * n) for n in (1, 1, 5, 10, 10, 10, 10, 12, 20, 20)]
    )
    assert "Write about 1 word on one line." in said(*["Yes."] * 5)


def test_forms_and_case() -> None:
    bullets = [f"- item {i}\n- other thing {i * i}" for i in range(10)]
    assert "Use a bulleted list." in said(*bullets)
    assert "Write in lower case throughout." in said(*bullets)
    mixed = [*bullets[:5], *(f"Plain {i}" for i in range(5))]
    assert "Many answers have a bulleted list (5 in 10)." in said(*mixed)
    assert "Write in capitals throughout." in said("STOP NOW", "GO ON")
    assert "lower case" not in said("Stop now", "go on")


def test_openings_and_closings() -> None:
    letters = [f"Dear {name}, thank you for {name}'s note.\n\nYours\nAnn" for name in "abcdefghij"]
    assert 'Nearly all answers begin with "Dear".' in said(*letters)
    assert 'Nearly all answers end with "Yours Ann".' in said(*letters)
    assert "Put no full stop at the end." in said("yes", "no way", "perhaps")
    assert "full stop" not in said("Yes.", "No way.", "Perhaps.")


def test_language_is_fixed_or_follows_the_message() -> None:
    english, german = (
        "Thank you for the note, it is on the way to you",
        "Danke für die Nachricht, sie ist auf dem Weg und wir",
    )
    assert "Write in English." in said(*[english] * 10)
    asked = [
        "Where is the parcel that you sent to me?",
        "Wo ist das Paket, das ich für die Mutter und mich wollte?",
    ] * 5
    assert "Answer in the language of the message." in said(*[english, german] * 5, questions=asked)
    assert "language" not in said(*["ok"] * 10)


def test_summaries_keep_the_words_of_the_message() -> None:
    long = "My tent arrived with two broken poles on Monday and I would like new ones sent soon please"
    assert "Keep to the message's own words and leave out the rest." in said(
        *["tent two broken poles"] * 5, questions=[long] * 5
    )


def test_values_of_open_fields() -> None:
    asked = [f"Order {n} from Ann" for n in range(100, 110)]
    assert (
        value_style(asked, [str(n) for n in range(100, 110)])
        == "copied from the message as it stands there; in the form 999"
    )
    assert value_style(asked, ["Ann"] * 10) == 'always "Ann"'
    assert value_style(asked, list(range(10))) == "a whole number, 0 to 9 so far"
    assert value_style(asked, [0.5, *[2.0] * 9]) == "a number, 0.5 to 2 so far"
    assert value_style(asked, [["a"]] * 10) == "a list of 1 item"
    assert value_style(asked, [None] * 10) == "null if the message does not say"
    assert value_style(asked, ["x y", *["", "z z"] * 4, "q q"]) == "text of 2 words; empty if the message does not say"
    assert value_style([], []) == ""


def test_a_field_is_the_language_only_if_the_messages_bear_it_out() -> None:
    asked = [
        "Where is the parcel that you sent to me?",
        "Wo ist das Paket, das ich für die Mutter und mich wollte?",
    ] * 4
    assert message_languages(asked, ["en", "de"] * 4, ["en", "de"]) == {"en": "English", "de": "German"}
    assert message_languages(asked, ["English", "German"] * 4, ["English", "German"]) == {
        "English": "English",
        "German": "German",
    }
    assert (
        message_languages(asked, ["de", "en"] * 4, ["en", "de"]) == {}
    )  # the wrong way round: something else is meant
    assert message_languages(asked, ["en", "no"] * 4, ["en", "no"]) == {}
    assert message_languages(asked, ["en"] * 8, ["en"]) == {}
