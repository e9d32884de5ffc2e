"""Markdown: what a reviewer reads in ten seconds, and nothing that data can turn into markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from haetae.core.metric import MetricFacts
from haetae.core.verdict import Comparison, Difference, Mover, Verdict
from haetae.workbench.ci.escaping import in_markdown, one_line
from haetae.workbench.ci.markdown import MARKER, markdown
from haetae.workbench.ci.said import Said, said_of_error

Saying = Callable[..., Said]
Column = Callable[..., Difference]
COMMENT = 65_536
"""Characters that a comment of a pull request may have."""
RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NASTY = [
    *("|", "`", "``", "\\", "\\|", "<script>alert(1)</script>", "<!--", "-->", "&lt;", "&#124;", "</details>"),
    *(
        "@everyone",
        "#12",
        "!12",
        "a@b.com",
        "https://evil.example/x",
        "www.evil.example",
        "![i](https://e.example/i.png)",
    ),
    *("[x](javascript:alert(1))", "[^1]", "**b**", "__b__", "~~s~~", "$x$", "# h", "- l", "1. l", "> q", "```", "---"),
    *(
        "\n",
        "\r\n",
        "\u2028",
        "\t",
        "\x1b[31m",
        "\u202e",
        "\ud800",
        "한국어",
        "🙂",
        " ",
        "  ",
        "\u00a0",
        "{{x}}",
        "{+x+}",
    ),
]
TEXTS = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(NASTY)), max_size=6).map("".join)


class Page(HTMLParser):
    """The tags of rendered Markdown in order, and the text of each cell of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.text = ""
        self.feed(RENDER.render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells and "/table" not in self.tags[-1:]:
            self.cells[-1] += data


def test_verdict_sentence_and_table_come_first(said: Saying) -> None:
    assert markdown(said()).replace("\u00a0", " ").split("\n\n")[:5] == [
        MARKER,
        "### ✗ Regression: support",
        "**faithful fell by 4.1 points (95 % interval 1.9 to 6.3); this is not noise. Tolerance: 2 points.**",
        "<code>support.8</code> against <code>support.1</code>",
        "| | metric | baseline | candidate | difference | 95 % interval | tolerance | verdict |\n"
        "|---|---|--:|--:|--:|--:|--:|---|\n"
        "| ✗ | faithful | 0.9 | 0.859 | -4.1 points | -6.3 to -1.9 | 2 points | regression |\n"
        "| ✗ | faithful \\[language=ko\\] | 0.9 | 0.859 | -4.1 points | -6.3 to -1.9 | 2 points | regression |\n"
        "| ? | polite | 4.1 | 4 | -2.5 points | -0.2 to +0.2 | 0.5 points | inconclusive |\n"
        "| ✓ | faithful \\[language=en\\] | 0.9 | 0.9 | +0.0 points | -1.0 to +1.0 | 2 points | pass |\n"
        "| ✓ | cost | 0.004 | 0.004 | +0 | -0.01 to +0.01 | 0.02 | pass |",
    ]


def test_it_says_what_moved_who_moved_most_what_is_missing_and_what_it_cost(said: Saying) -> None:
    page = Page(markdown(said(note="decided at look 2 of 4, after 200 of 400 samples; about 200 calls were saved")))
    for part in (
        "about 200 calls were saved",
        "What moved: prompt",
        "What changed: prompt: ask@\u200b1 → ask@\u200b2",
        "Without a score: faithful: 398 of 400 scored; timeout 2",
        "Spent: 400 calls, 51000 tokens, $0.2500; 100 answers reused, 2 retried",
        "haetae gate suite.yaml",
    ):
        assert part in page.text
    movers = [cell.strip() for cell in page.cells[-15:]]
    assert movers[:3] == ["s0", "faithful", "1 → 0"]
    assert movers[-3] == "s4"


def test_many_passes_are_folded_and_a_gate_that_passes_shows_no_samples_at_once(said: Saying, column: Column) -> None:
    fallen = column("faithful", verdict=Verdict.REGRESSION)
    many = (*(column("cost", f"topic={n}") for n in range(9)), fallen)
    text = markdown(said(differences=many))
    table, folded = text.split("<details><summary>9 comparisons pass</summary>")
    assert "| ✗ | faithful |" in table
    assert folded.count("| ✓ | cost") == 9
    passing = markdown(said(verdict=Verdict.PASS, differences=(column("cost"),), moved=()))
    assert "What moved" not in passing
    assert passing.index("<details><summary>Samples that moved most") < passing.index(
        "| s0" if "| s0" in passing else "s0"
    )


def test_a_pass_says_why_an_unproven_slice_does_not_withhold_it(said: Saying, column: Column) -> None:
    open_ = column("faithful", "language=ko", Verdict.INCONCLUSIVE)
    text = markdown(said(verdict=Verdict.PASS, differences=(column("faithful"), open_)))
    assert "\n\nA pass rests on whole metrics: a slice can fail the gate" in text
    assert "A pass rests on" not in markdown(said(verdict=Verdict.PASS, differences=(column("faithful"),)))


def test_pooled_and_restricted_comparisons_say_so(said: Saying) -> None:
    text = markdown(said(baseline=("support.1", "support.2", "support.3"), restricted=True))
    assert "and 2 quiet runs like it" in text
    assert "only their common samples were compared" in text


def test_a_wrong_input_is_told_line_by_line() -> None:  # GAT-14
    text = markdown(said_of_error(ValueError("first\nsecond <b>"), "suite.yaml", "haetae gate suite.yaml"))
    assert text.startswith(f"{MARKER}\n\n### – No verdict: suite.yaml\n\n**ValueError: first**\\\n**second &lt;b&gt;**")
    assert "|" not in text


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_any_text_is_shown_as_it_is_and_nothing_else(text: str) -> None:
    page = Page(f"| a |\n|---|\n| x{in_markdown(text)}x |\n")
    assert page.tags == Page("| a |\n|---|\n| b |\n").tags
    assert page.cells[1].strip().replace("\u200b", "") == f"x{one_line(text)}x"
    assert not re.search(r"[@#!]\w|://|www\.", page.cells[1], re.IGNORECASE)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS)
def test_no_text_changes_what_the_report_is_made_of(text: str) -> None:  # SEC-19, SEC-24
    assert Page(markdown(hostile(text))).tags == Page(markdown(hostile("plain"))).tags


def hostile(text: str) -> Said:
    """The same text everywhere that a text of others can be."""
    columns = tuple(
        Difference(text, key, 50, 1.0, 0.5, -0.5, -0.6, -0.4, 0.1, 0, 0, 1, verdict, note=text or "x")
        for key in ("", f"k={text}")
        for verdict in Verdict
    )
    said = Comparison(
        text,
        text,
        (text, text),
        Verdict.REGRESSION,
        f"reason {' '.join(text.split())}",
        differences=columns,
        changed=(text, text),
        moved=(text,),
        movers=(Mover(text, text, 1.0, 0.0),),
        warnings=(text, text),
        note=text or "x",
    )
    facts: Mapping[str, MetricFacts] = {text: MetricFacts("m", "1")}
    return Said(text, said, facts, f"haetae gate {text}", text, {text: 3}, (text,), text or "x")


@pytest.mark.parametrize("letter", ["$", "|", "\x00", "\U0010ffff", "가", "["])
def test_it_fits_into_one_comment_whatever_the_names_are(letter: str, said: Saying, column: Column) -> None:
    name, long = letter * 500, letter * 5000
    facts = {f"{name}{n}": MetricFacts("m", "1") for n in range(200)}
    worst = said(
        facts,
        title=long,
        again="haetae gate suite.yaml",
        reason="\n".join([long] * 50),
        differences=[
            column(metric, verdict=v, note=long) for metric in facts for v in (Verdict.PASS, Verdict.REGRESSION)
        ],
        movers=[Mover(name, name, 1, 0)] * 10,
        changed=[long] * 100,
        warnings=[long] * 100,
        unscored=[long] * 100,
        moved=[long] * 3,
        note=long,
        cost=long,
    )
    assert len(markdown(worst)) < COMMENT
