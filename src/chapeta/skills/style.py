"""How answers look, in sentences a writer can follow: length, form, case, language, openings; open JSON fields too."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence

NEARLY_ALL = 0.9
MOSTLY = 0.75
OFTEN = 0.3
MAX_CLOSING_CHARS = 80
MAX_LOOKED_AT = 5000

_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Markdown headings", re.compile(r"^#{1,6} ", re.MULTILINE)),
    ("a bulleted list", re.compile(r"^\s*[-*•] ", re.MULTILINE)),
    ("a numbered list", re.compile(r"^\s*\d+[.)] ", re.MULTILINE)),
    ("a code block", re.compile(r"^```", re.MULTILINE)),
    ("several paragraphs", re.compile(r"\S\n\s*\n\S")),
    ("emoji", re.compile(r"[\U0001F300-\U0001FAFF\u2600-\u27BF]")),
)
# The ten or so commonest little words tell these languages apart well enough on a dozen answers together.
_LITTLE_WORDS = {
    "English": "the and to of is you your for it that we are",
    "German": "der die das und ist nicht sie ich wir ein zu für",
    "French": "le les des et est vous une nous pour dans je votre",
    "Spanish": "el los las y es que por para una su del con",
    "Italian": "il di che e per non una sono gli della è con",
    "Portuguese": "o os que e não uma para com do da em você",
    "Dutch": "de het een en van is niet je dat ik voor we",
    "Polish": "i w na nie się że do jest z to po dla",
}
_CODES = dict(zip(("en", "de", "fr", "es", "it", "pt", "nl", "pl"), _LITTLE_WORDS, strict=True))
_LANGUAGE_WORDS = {language: frozenset(words.split()) for language, words in _LITTLE_WORDS.items()}


def answer_style(questions: Sequence[str], answers: Sequence[str]) -> list[str]:
    """Sentences about free-text answers, the most useful first; each holds for nearly all answers or says how often."""
    questions, answers = questions[:MAX_LOOKED_AT], answers[:MAX_LOOKED_AT]
    if not answers:
        return []
    facts = [
        _length(answers),
        _language(questions, answers),
        *_forms(answers),
        _case(answers),
        _opening(answers),
        _ending(answers),
        _source(questions, answers),
    ]
    return [fact for fact in facts if fact]


def value_style(questions: Sequence[str], values: Sequence[object]) -> str:
    """One line about an open field of a JSON answer: where its value comes from, its shape, when it is null."""
    given = [(q, v) for q, v in zip(questions, values, strict=True) if v is not None][:MAX_LOOKED_AT]
    nothing = len(values) - len(given)
    facts = []
    texts = [(q, v) for q, v in given if isinstance(v, str)]
    if texts and len(texts) == len(given):
        facts += _text_value(texts)
    elif given and all(isinstance(v, list) for _, v in given):
        sizes = [len(v) for _, v in given if isinstance(v, list)]
        facts.append(f"a list of {_between(min(sizes), max(sizes))} item{_s(max(sizes))}")
    elif given and all(isinstance(v, int | float) for _, v in given):
        whole = all(isinstance(v, int) for _, v in given)
        numbers = [v for _, v in given if isinstance(v, int | float)]
        facts.append(f"a {'whole ' if whole else ''}number, {_between(min(numbers), max(numbers))} so far")
    if nothing:
        facts.append("null if the message does not say")
    return "; ".join(facts)


def message_languages(questions: Sequence[str], values: Sequence[str], allowed: Sequence[str]) -> dict[str, str]:
    """The English name of each allowed value if they are languages and match the messages; else {}."""
    names = {value: _CODES.get(value.lower()[:2]) if len(value) in (2, 5) else value.capitalize() for value in allowed}
    known = {value: name for value, name in names.items() if name in _LANGUAGE_WORDS}
    if len(known) < len(allowed) or len(allowed) < 2:
        return {}
    guesses = [(_guess(question), known.get(value)) for question, value in zip(questions, values, strict=True)]
    sure = [guess == said for guess, said in guesses if guess and said]
    return known if sure and sum(sure) >= MOSTLY * len(sure) else {}


def _length(answers: Sequence[str]) -> str:
    words = sorted(len(answer.split()) for answer in answers)
    low, high = words[len(words) // 10], words[-1 - len(words) // 10]
    middle = round(statistics.median(words))
    usual = f"about {middle}" if high - low <= max(2, middle // 4) else f"{low} to {high} (typically {middle})"
    one_line = sum("\n" not in answer.strip() for answer in answers) >= NEARLY_ALL * len(answers)
    return f"Write {usual} word{_s(high)}{' on one line' if one_line else ''}."


def _forms(answers: Sequence[str]) -> list[str]:
    always, often = [], []
    for name, pattern in _FORMS:
        share = sum(bool(pattern.search(answer)) for answer in answers) / len(answers)
        if share >= NEARLY_ALL:
            always.append(name)
        elif share >= OFTEN:
            often.append(f"{name} ({_share(share)})")
    facts = [f"Use {' and '.join(always)}."] if always else []
    return [*facts, f"Many answers have {', '.join(often)}."] if often else facts


def _case(answers: Sequence[str]) -> str:
    lettered = [answer for answer in answers if answer.lower() != answer.upper()]
    if lettered and sum(answer == answer.lower() for answer in lettered) >= NEARLY_ALL * len(lettered):
        return "Write in lower case throughout."
    if lettered and sum(answer == answer.upper() for answer in lettered) >= NEARLY_ALL * len(lettered):
        return "Write in capitals throughout."
    return ""


def _opening(answers: Sequence[str]) -> str:
    """The longest beginning, up to four words, that many answers share."""
    for n_words in (4, 3, 2, 1):
        starts = Counter(" ".join(answer.split()[:n_words]) for answer in answers if len(answer.split()) > n_words)
        for start, count in starts.most_common(1):
            if count >= max(3, OFTEN * len(answers)):
                return f'{_share_of(count / len(answers))} begin with "{start}".'
    return ""


def _ending(answers: Sequence[str]) -> str:
    """A closing paragraph that many answers share (a signature, say), else whether they go without a full stop."""
    closings = Counter(
        " ".join(answer.strip().rsplit("\n\n", 1)[-1].split()) for answer in answers if "\n" in answer.strip()
    )
    for closing, count in closings.most_common(1):
        if len(closing) <= MAX_CLOSING_CHARS and count >= max(3, OFTEN * len(answers)):
            return f'{_share_of(count / len(answers))} end with "{closing}".'
    one_line = [answer.strip() for answer in answers if "\n" not in answer.strip()]
    if len(one_line) == len(answers) and sum(a[-1:].isalnum() for a in one_line) >= NEARLY_ALL * len(answers):
        return "Put no full stop at the end."
    return ""


def _language(questions: Sequence[str], answers: Sequence[str]) -> str:
    """Which language, if the little words say it clearly; whether it follows the message's where there are several."""
    asked, said = [_guess(q) for q in questions], [_guess(a) for a in answers]
    known = Counter(language for language in said if language)
    if sum(known.values()) < max(3, OFTEN * len(answers)):
        return ""
    both = [(a, b) for a, b in zip(asked, said, strict=True) if a and b]
    if len({a for a, _ in both}) > 1 and sum(a == b for a, b in both) >= NEARLY_ALL * len(both):
        return "Answer in the language of the message."
    (language, count), *_ = known.most_common(1)
    return f"Write in {language}." if count >= NEARLY_ALL * sum(known.values()) else ""


def _guess(text: str) -> str:
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    scores = sorted(((sum(words[w] for w in known), name) for name, known in _LANGUAGE_WORDS.items()), reverse=True)
    return scores[0][1] if scores[0][0] >= 2 and scores[0][0] > scores[1][0] else ""


def _source(questions: Sequence[str], answers: Sequence[str]) -> str:
    """Whether answers take their words from the message, as summaries and rewritings do."""
    shares = []
    for question, answer in zip(questions, answers, strict=True):
        words = set(re.findall(r"\w+", answer.lower()))
        if words:
            shares.append(len(words & set(re.findall(r"\w+", question.lower()))) / len(words))
    if not shares or statistics.median(shares) < 0.6:
        return ""
    ratio = statistics.median(len(a.split()) / max(1, len(q.split())) for q, a in zip(questions, answers, strict=True))
    shorter = " and leave out the rest" if ratio < 0.6 else ""
    return f"Keep to the message's own words{shorter}."


def _text_value(texts: Sequence[tuple[str, str]]) -> list[str]:
    if len(texts) >= 3 and len({value for _, value in texts}) == 1:
        return [f'always "{texts[0][1]}"']
    facts = []
    copied = sum(value.strip().lower() in question.lower() for question, value in texts if value.strip())
    filled = sum(bool(value.strip()) for _, value in texts)
    if filled and copied >= NEARLY_ALL * filled:
        facts.append("copied from the message as it stands there")
    shapes = Counter(_shape(value) for _, value in texts if value.strip())
    for shape, count in shapes.most_common(1):
        if count >= NEARLY_ALL * filled and any(c in shape for c in "9") and len(shape) <= 30:
            facts.append(f"in the form {shape} (9 is a digit, A a capital)" if "A" in shape else f"in the form {shape}")
    lengths = sorted(len(value.split()) for _, value in texts if value.strip())
    if lengths and not facts:
        facts.append(
            f"text of {_between(lengths[len(lengths) // 10], lengths[-1 - len(lengths) // 10])} word{_s(lengths[-1])}"
        )
    if filled < len(texts):
        facts.append("empty if the message does not say")
    return facts


def _s(count: float) -> str:
    return "" if count == 1 else "s"


def _shape(value: str) -> str:
    shape = re.sub(r"\d", "9", value.strip())
    return re.sub(r"[A-Z]", "A", shape)


def _between(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _share(share: float) -> str:
    return f"{round(share * 10)} in 10"


def _share_of(share: float) -> str:
    return "Nearly all answers" if share >= NEARLY_ALL else f"About {round(share * 10)} in 10 answers"
