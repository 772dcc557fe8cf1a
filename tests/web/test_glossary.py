"""The glossary is true of this Chapeta: its links lead somewhere, its commands are understood, its copy is current."""

from __future__ import annotations

import argparse
import importlib
import re
import runpy
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapeta.cli.main import VERBS
from chapeta.engine.llama import Engine
from chapeta.errors import Corrupt, Missing
from chapeta.web import glossary
from chapeta.web.glossary import PAGE_LINK, TERM_LINK, Term, search, term, terms
from chapeta.web.pages import PAGES

ROOT = Path(__file__).parents[2]
ASKED_FOR = (
    "fine-tuning", "openrouter", "byok", "llm", "ai-agent", "api-key", "context-window", "prompt-engineering", "token",
    "skill",
)  # fmt: skip
BESIDE = (
    "example", "dataset", "candidate", "bench", "verdict", "flexibility", "receipt", "deployment", "provider", "access-key",
    "embedded-model", "lora-adapter", "few-shot", "held-out-test-set", "confidence-interval", "non-inferiority",
    "preference-pair", "compaction", "streaming", "temperature", "latency", "pareto-front",
)  # fmt: skip
APP = {
    "/": "Chat",
    "/examples": "Examples",
    "/specialise": "Specialise",
    "/skills": "Skills",
    "/models": "Models and keys",
    "/usage": "Usage",
}
COMMAND = re.compile(r"`(chapeta [^`]+)`")
MARKUP = re.compile(r"\]\([^)]*\)|[*`\[]")
MOST_WORDS = 200
each_term = pytest.mark.parametrize("each", terms(), ids=[each.slug for each in terms()])


def test_no_term_is_missing() -> None:
    assert {*ASKED_FOR, *BESIDE} <= {each.slug for each in terms()}


@each_term
def test_the_short_text_is_one_plain_sentence(each: Term) -> None:
    assert 20 < len(each.short) < 160
    assert re.fullmatch(r"[^.!?`*\[\n]+\.", each.short)
    assert each.short not in each.body


@each_term
def test_the_text_says_how_it_works_and_what_it_is_in_chapeta_in_few_words(each: Term) -> None:
    assert each.body.count("**How it works.**") == each.body.count("**In Chapeta.**") == 1
    words = len(MARKUP.sub("", f"{each.short} {each.body}").split())
    assert 50 <= words <= MOST_WORDS
    assert "<" not in each.body, "what looks like HTML is not shown by the pages"


@each_term
def test_a_term_is_found_on_the_docs_page_under_its_slug(each: Term) -> None:
    assert re.sub(r"[^\w\- ]", "", each.title.lower()).replace(" ", "-") == each.slug


@each_term
def test_related_terms_exist_and_are_called_by_their_titles(each: Term) -> None:
    titles = {other.slug: other.title for other in terms()}
    assert each.related
    assert len(set(each.related)) == len(each.related)
    assert each.slug not in each.related
    assert set(each.related) <= titles.keys()
    file = (glossary.FOLDER / f"{each.slug}.md").read_text(encoding="utf-8")
    named = TERM_LINK.findall(" ".join(file.rpartition("Related: ")[2].split()))
    assert named == [(titles[slug], slug) for slug in each.related]


@each_term
def test_all_links_of_the_text_lead_to_terms_and_pages(each: Term) -> None:
    slugs = {other.slug for other in terms()}
    linked = {slug for _, slug in TERM_LINK.findall(each.body)}
    assert linked <= slugs - {each.slug}
    assert len(re.findall(r"\]\(", each.body)) == len(TERM_LINK.findall(each.body)) + len(PAGE_LINK.findall(each.body))
    assert each.links, "each term leads to a page of the app"
    for link in each.links:
        assert link.title.lower() == APP[link.path].lower()


def test_pages_that_exist_have_the_names_by_which_the_texts_call_them() -> None:
    for page in PAGES:
        if page.path in APP:
            assert APP[page.path] == page.title


@each_term
def test_commands_of_the_text_are_understood(each: Term) -> None:
    for command in COMMAND.findall(" ".join(each.body.split())):
        verb, *options = shlex.split(command)[1:]
        assert verb in VERBS, command
        module = importlib.import_module(f"chapeta.cli.{verb}")
        parser = argparse.ArgumentParser(exit_on_error=True)
        module.add_arguments(parser)
        if options:  # a bare verb is spoken of, not typed
            parser.parse_args(options)


def test_figures_of_tokens_are_those_of_the_embedded_model(embedded_model: Path) -> None:
    told = re.findall(r'"([^"]+\?)"[^"]*? is (\d+)', " ".join(term("token").body.split()))
    assert len(told) == 2
    engine = Engine(embedded_model, slots=1, context_tokens=128)
    try:
        assert [engine.count_tokens(text) for text, _ in told] == [int(count) for _, count in told]
    finally:
        engine.close()


def test_the_docs_page_is_what_the_script_writes() -> None:
    rendered = runpy.run_path(str(ROOT / "scripts/write_glossary.py"))["rendered"]
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    assert page == rendered(), "run: python scripts/write_glossary.py"


def test_a_term_that_is_not_there_is_answered_with_those_near_it() -> None:
    assert term("token").title == "Token"
    with pytest.raises(Missing, match="fine-tuning"):
        term("finetuning")
    with pytest.raises(Missing, match="Look through"):
        term("q" * 10_000)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "token.md"
    damaged.write_text("# Token\n\nA piece of text.\n", encoding="utf-8")
    with pytest.raises(Corrupt, match=re.escape(str(damaged))):
        glossary.read(damaged)


def test_search_puts_titles_before_texts() -> None:
    assert [found.slug for found in search("prompt")][:2] == ["prompt-engineering", "system-prompt"]
    assert [found.slug for found in search("  BRING key ")] == ["byok"]
    assert search("openrouter")[0].slug == "openrouter"
    assert search("") == list(terms())
    assert search("token xylophone") == []


@given(st.text(max_size=60))
def test_search_takes_any_text_and_finds_what_has_all_its_words(words: str) -> None:
    found = search(words)
    assert len(set(found)) == len(found)
    for each in found:
        text = f"{each.title}\n{each.short}\n{each.body}".casefold()
        assert all(word in text for word in words.casefold().split())


@each_term
def test_every_title_finds_its_term_first(each: Term) -> None:
    assert search(each.title)[0] == each
