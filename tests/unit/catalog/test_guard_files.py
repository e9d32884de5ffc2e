"""A guard file: strict, every mistake at its line, at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from haetae.catalog.guard_file import load_guard
from haetae.errors import ConfigError

RIGHT = """\
stages:
  - name: rules
    rules: { words: words.txt, patterns: ['(?i)ignore'], normalise: NFC }
  - name: classifier
    function: app:toxic
    block_from: 0.8
    pass_below: 0.2
    cost_usd: 0.0001
  - name: near
    similarity: attacks.txt
    model: embedder@production
    block_from: 0.85
  - name: judge
    judge: block.md
    model: judge@2
"""


def test_a_guard_file_is_a_list_of_stages_and_a_default(write: Callable[..., Path], project: Path) -> None:
    spec = load_guard(write("guards.yaml", RIGHT), project).spec
    assert spec.default == "pass"
    assert [(stage.name, stage.kind) for stage in spec.stages] == [
        ("rules", "rules"),
        ("classifier", "function"),
        ("near", "similarity"),
        ("judge", "judge"),
    ]
    assert spec.stages[0].rules is not None
    assert spec.stages[0].rules.decides == "block"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("stages: []\n", 1, "stages"),
        ("default: maybe\nstages:\n  - { name: a, function: 'm:f' }\n", 1, "default"),
        ("stages:\n  - { name: a }\n", 2, "exactly one of rules, function, similarity, judge, nemo; found none"),
        ("stages:\n  - { name: a, function: 'm:f', judge: x.md }\n", 2, "found function and judge"),
        ("stages:\n  - { name: a, function: 'm:f', model: judge }\n", 2, "model goes with similarity or judge"),
        ("stages:\n  - name: a\n    rules: { patterns: [x] }\n    block_from: 0.5\n", 2, "not with rules"),
        ("stages:\n  - { name: a, judge: x.md }\n", 2, "judge asks a model: name one with model:"),
        ("stages:\n  - { name: a, similarity: x.txt, model: m }\n", 2, "similarity needs block_from"),
        ("stages:\n  - { name: a, function: 'm:f', block_from: 0.2, pass_below: 0.8 }\n", 2, "would both pass and be"),
        ("stages:\n  - { name: a, function: 'm:f', cost_usd: -1 }\n", 2, "cost_usd"),
        ("stages:\n  - { name: a, function: mf }\n", 2, "module:function"),
        ("stages:\n  - { name: a, rules: {} }\n", 2, "name words, patterns or both"),
        ("stages:\n  - { name: a, rules: { words: w.txt, form: NFC } }\n", 2, "form"),
        ("stages:\n  - { name: a, function: 'm:f' }\n  - { name: a, function: 'm:g' }\n", 1, "two stages are called a"),
        ("stages:\n  - { name: a, function: 'm:f', block_form: 0.5 }\n", 2, "did you mean block_from?"),
    ],
)
def test_a_mistake_is_named_at_its_line(
    text: str, line: int, said: str, write: Callable[..., Path], project: Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_guard(write("guards.yaml", text), project)
    problem = raised.value.problems[0]
    assert problem.line == line
    assert said in str(problem)


def test_two_mistakes_are_told_at_once(write: Callable[..., Path], project: Path) -> None:
    text = "default: maybe\nstages:\n  - { name: a }\n  - { name: '', function: 'm:f' }\n"
    with pytest.raises(ConfigError) as raised:
        load_guard(write("guards.yaml", text), project)
    assert [problem.line for problem in raised.value.problems] == [1, 3, 4]


def test_the_lines_of_a_word_list_are_trimmed_and_remarks_left_out(write: Callable[..., Path], project: Path) -> None:
    write("deep/words.txt", "\ufeff# remark\n\n  폭탄 \npoison gas\n")
    loaded = load_guard(write("deep/guards.yaml", RIGHT), project)
    assert loaded.lines("words.txt") == ("폭탄", "poison gas")


@pytest.mark.parametrize("name", ["../../outside.txt", "missing.txt", "empty.txt"])
def test_a_list_outside_the_project_or_without_words_is_refused(
    name: str, write: Callable[..., Path], project: Path
) -> None:
    write("empty.txt", "# nothing\n")
    (project.parent / "outside.txt").write_text("secret")
    loaded = load_guard(write("guards.yaml", RIGHT), project)
    with pytest.raises(ConfigError):
        loaded.lines(name)
