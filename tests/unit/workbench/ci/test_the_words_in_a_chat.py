"""Text for chats: what others wrote is plain words there, and what people copy is still what it was."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from haetae.workbench.ci.escaping import in_chat, one_line

RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARKUP = [
    *("*bold*", "**bold**", "_i_", "__b__", "***", "_", "`c`", "```", "~s~", "~~s~~", "||spoiler||", "|a|b|"),
    *("[click](evil.example)", "![i](evil.example)", "[x][y]", "[y]: evil.example", "<@U1>", "<!channel>", "<b>"),
    *(
        "evil.example",
        "a.b.evil.example/x",
        "https://evil.example",
        "mailto:me@evil.example",
        "//evil.example",
        "www.evil.example",
    ),
    *("@everyone", "#general", ":skull:", "&ast;b&ast;", "&#42;b&#42;", "$$x$$", "$x$", "# h", "한글", " ", "\n", "x"),
]
TEXTS = st.lists(st.one_of(st.text(max_size=6), st.sampled_from(MARKUP)), max_size=6).map("".join)
SLACK = (r"\*\S.*?\*", r"(?<!\w)_\S.*?_(?!\w)", r"~\S.*?~", r"`.+?`", r"<[@#!h].*?>", r":[a-z][\w+-]*:")
DISCORD = (r"\*\S", r"(?<!\w)_\S.*?_(?!\w)", r"~~", r"`", r"\|\|", r"\]\(", r"@everyone", r"<[@#:t]")
BARE = r"[^\W_]\.(?:com|example|example/x|한국)\b"


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_no_text_is_markup_in_a_chat(text: str) -> None:
    shown = in_chat(text)
    page = RENDER.render(f"x{shown}")
    assert set(re.findall(r"<(/?\w+)", page)) <= {"p", "/p"}
    for pattern in (*SLACK, *DISCORD, BARE, "//", "mailto:", r"@\w", r"\$\$"):
        assert not re.search(pattern, shown), (pattern, shown)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_every_sign_is_still_there_or_one_that_looks_like_it(text: str) -> None:
    alike = str.maketrans("‹›∗ˋ∼∣ˍ", "<>*`~|_")
    assert in_chat(text).replace("\u200b", "").translate(alike) == one_line(text).translate(alike)


@pytest.mark.parametrize(
    "text",
    [
        "haetae show bot.12",
        "haetae show rag_v1.ko.12",
        "haetae resume 번역-ko-en.4",
        "monitor: rouge of bot fell by 5.0 points since bot.2; changed there: target",
        "−5.0 points (−7.1 to −2.9), p (adj.) 0.002",
        "  ✗  rouge_l language=ko  -10.0 points  -15.0 to -5.0 points  2 points  0.002  100",
        "✗ Regression: bot: rouge_l [language=ko], judge(polite)",
        "400 calls, 51,000 tokens, $0.2500; 100 answers reused (they had cost $0.1000)",
        "suites/night/suite.yaml:14:3, ../answers.jsonl, /srv/.haetae/ledger.db and .haetae/x.csv.",
        "Raise budget.usd; 12:30:45 UTC, 2026-03-01T06:00:00+00:00",
        "환불은 영업일 기준 3일 안에 처리됩니다. 네, 그렇습니다...",
        "HAETAE_DASHBOARD_LOGIN, max_drop, a__b, gpt-4.1-mini, sha256:ab12",
    ],
)
def test_what_people_copy_is_what_it_was(text: str) -> None:
    assert in_chat(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("*bold* `c` ~~s~~ ||x||", "∗bold∗ ˋcˋ ∼∼s∼∼ ∣∣x∣∣"),
        ("_i_ __init__ rouge_l_", "ˍiˍ ˍˍinitˍˍ rouge_lˍ"),
        ("[click](evil.example)", "[click]|(evil.|example)"),
        ("a.json.evil.example", "a.|json.|evil.|example"),
        ("evil.한국 :skull: $$x", "evil.|한국 :|skull: $|$x"),
    ],
)
def test_signs_are_kept_apart_or_replaced(text: str, shown: str) -> None:
    assert in_chat(text).replace("\u200b", "|") == shown


@pytest.mark.parametrize("text", ["aa." * 400, "1." * 600, "_" * 1000, ":a" * 500, "aa.1" * 300, "&a" * 500])
def test_it_takes_no_time_whatever_the_text_is(text: str) -> None:
    began = time.perf_counter()
    in_chat(text)
    assert time.perf_counter() - began < 0.5
