"""A prompt template reaches plain values, and cannot run for ever or fill the memory."""

from __future__ import annotations

import tracemalloc

import pytest

from haetae.core.template import Prompt, check_variables
from haetae.errors import ConfigError

VALUES = {"input": "hello", "metadata": {"language": "ko"}, "contexts": ["a", "b"]}


def _render(template: str) -> str:
    return Prompt.of("p", template).render(VALUES, "s1")[0].content


def test_a_template_fills_in_plain_values() -> None:
    assert _render("{{ input }} ({{ metadata.language }}): {{ contexts | join(', ') }}") == "hello (ko): a, b"
    assert _render("{% for c in contexts %}{{ loop.index }}{{ c }}{% endfor %}") == "1a2b"
    assert _render("{{ contexts | tojson }} {{ 2 * 3 }} {{ 2 ** 3 }} {{ 7 % 4 }}") == '["a","b"] 6 8 3'


@pytest.mark.parametrize(
    "template",
    [
        "{{ input.__class__ }}",
        "{{ input.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ input | attr('__class__') }}",
        "{{ '{0.__class__}'.format(input) }}",
        "{{ '{x.__init__.__globals__}'.format_map({'x': input}) }}",
        "{{ '%s' % input }}",
        "{{ contexts.append('x') }}",
        "{{ metadata.update({'x': 1}) }}",
        "{{ self.__init__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ missing }}",
        "{{ metadata.topic }}",
        "{{ 1 / 0 }}",
    ],
)
def test_what_a_template_may_not_reach_is_refused(template: str) -> None:  # REG-05, REG-06
    with pytest.raises(ConfigError, match=r"^p: sample 's1': |No filter named"):
        _render(template)


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 10**9 }}",
        "{{ ['a'] * 10**9 }}",
        "{{ 10**9 ** 9 }}",
        "{{ 2 ** 100 }}",
        "{{ 'a'.ljust(10**9) }}",
        "{{ 'a'.zfill(10**9) }}",
        "{{ 'a' | center(10**9) }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
    ],
)
def test_no_short_template_makes_a_long_text(template: str) -> None:  # REG-07
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError):
            _render(template)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


@pytest.mark.parametrize(
    "template",
    [
        "{% set a = 'xx' %}" + "{% set a = a ~ a %}" * 60,
        "{% set a0 = [1, 2] %}" + "".join(f"{{% set a{n + 1} = [a{n}, a{n}] %}}" for n in range(60)) + "{{ a60 }}",
        "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(99) }}",
        "{% for a in [1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
        "{% with a = 'x' %}{% with b = a ~ a %}{{ b }}{% endwith %}{% endwith %}",
        "{% set a %}{{ input }}{% endset %}{{ a }}",
        "{% filter upper %}{{ input }}{% endfilter %}",
        "{{ 'x' | replace('x', long) | replace('x', long) }}",
        "{{ long.replace('x', long) }}",
        "{{ range(9999) | join(long) }}",
        "{{ long.join(long) }}",
        "{{ [[long, long], [long, long]] | join | length }}",
        "{{ (long ~ long ~ long) | length }}",
        "{{ (long + long + long) | length }}",
        "{{ [long, long, long] | tojson | length }}",
        "{{ [long, long, long] }}",
        "{{ " + " * ".join(["999"] * 90) + " * 10 ** 60" * 40 + " }}",
        "{{ (5).to_bytes(10 ** 9, 'big') }}",
        "{{ input | wordwrap(1, wrapstring=long) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "1 + " * 30_000 + "1 }}",
        "{{ " + "not " * 300 + "1 }}",
        "{% if input %}" * 3000 + "{% endif %}" * 3000,
        "{{ input | truncate(1, true, 'much longer than that') }}",
        "{{ contexts | map(attribute='__class__') | list }}",
        "{{ contexts | map(attribute='x') | list | tojson }}",
    ],
)
def test_no_short_template_runs_for_long_or_fills_the_memory(template: str) -> None:  # REG-07
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=r"^p(:1)?: "):
            Prompt.of("p", template).render({**VALUES, "long": "x" * 700_000}, "s1")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


def test_what_prompts_are_written_with_is_there() -> None:
    assert _render("{% set name = metadata.language | upper %}{{ name ~ '-' ~ 1 }}") == "KO-1"
    assert _render("{% for c in contexts if c != 'a' %}{{ loop.index }}{{ c }}{% else %}none{% endfor %}") == "1b"
    assert _render(
        "{% for k, v in metadata.items() %}{{ k }}={{ v }}{% if not loop.last %}, {% endif %}{% endfor %}"
    ) == ("language=ko")
    assert _render("{{ metadata.topic | default('none') }} {{ metadata.get('topic', 'x') }} {{ input.strip() }}") == (
        "none x hello"
    )
    assert _render("{{ contexts | map('upper') | join('; ') }} {{ contexts | length }} {{ contexts[0] }}") == "A; B 2 a"
    assert _render("{{ input | replace('l', 'L') | truncate(99) }} {{ 1 + 2 }} {{ -7 // 2 }} {{ 2 * 3.5 }}") == (
        "heLLo 3 -4 7.0"
    )
    assert _render("{{ 'yes' if 'h' in input and contexts is iterable else 'no' }}") == "yes"


def test_three_nested_loops_and_huge_templates_are_refused() -> None:  # REG-07
    loops = "{% for i in contexts %}" * 3 + "{{ input }}" + "{% endfor %}" * 3
    with pytest.raises(ConfigError, match="more than two deep"):
        Prompt.of("p", loops)
    with pytest.raises(ConfigError, match="a template may have"):
        Prompt.of("p", "x" * 200_001)


def test_a_syntax_error_names_the_line_and_a_wrong_role_the_role() -> None:
    with pytest.raises(ConfigError, match="p:2: template: "):
        Prompt.of("p", "fine\n{{ input")
    with pytest.raises(ConfigError, match="role 'boss' is none of"):
        Prompt.of("p", [{"role": "boss", "content": "x"}])


def test_variables_that_nobody_offers_are_named() -> None:  # REG-05
    prompt = Prompt.of("p", "{{ input }} {{ question }} {{ range(3) | list }}")
    assert prompt.variables == {"input", "question"}
    with pytest.raises(ConfigError, match="p: line 1: variable 'question' is not offered; there are input"):
        check_variables(prompt, frozenset({"input"}), frozenset())
    with pytest.raises(ConfigError, match="uses none of output"):
        check_variables(prompt, frozenset({"input", "question"}), frozenset({"output"}))


def test_a_variable_is_named_with_its_file_and_line_and_the_nearest_that_is_offered() -> None:
    offered, text = frozenset({"output", "reference"}), "Is it right?\n\n{{ refrence }} {{ output }} {{ refrence }}"
    with pytest.raises(ConfigError) as caught:
        check_variables(Prompt.of("typo", text, "rubrics/typo.md"), offered, frozenset({"output"}))
    (problem,) = caught.value.problems
    wish = "variable 'refrence' is not offered; did you mean reference?; there are output, reference"
    assert (problem.field, problem.message) == ("prompt", f"rubrics/typo.md: line 3: {wish}")
    chat = Prompt.of("chat", [{"role": "system", "content": "s"}, {"role": "user", "content": "\n{{ answers }}"}])
    with pytest.raises(
        ConfigError, match=r"chat: message 2, line 2: .*; expected one with .. output .., such as a.md$"
    ):
        check_variables(chat, offered, frozenset({"output"}), "a.md")


def test_a_prompts_digest_is_of_its_content() -> None:
    assert Prompt.of("a", "{{ input }}").digest == Prompt.of("b", "{{ input }}").digest
    assert Prompt.of("a", "{{ input }}").digest != Prompt.of("a", "{{ input }} ").digest
