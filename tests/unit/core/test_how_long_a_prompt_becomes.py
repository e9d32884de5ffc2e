"""Where nothing in a template can fail, its longest text is known without a sample; elsewhere nothing is claimed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, nodes

from haetae.core.template import MAX_RENDERED, Prompt
from haetae.core.template_bound import longest

TOTAL = [
    "no variable at all",
    "{{ input }} {{ input }}",
    "{{ messages }}{{ metadata }}{{ contexts }}",
    "{% for c in contexts %}[{{ loop.index }}] {{ c }}\n{% endfor %}{{ input }}",
    "{% for c in contexts %}{{ c }}{% if not loop.last %}, {{ input }}{% endif %}{% endfor %}",
    "{{ contexts | join('\\n---\\n') }}",
    "{% if contexts %}{{ contexts }}{% elif metadata %}m{% else %}none{% endif %}{{ input }}",
]
TEXT = st.text() | st.text(st.sampled_from("\x7f\x85\u200b'\"\\\U000e0001"), max_size=20)


def _parsed(template: str) -> nodes.Template:
    return Environment().parse(template)  # noqa: S701  # parsed, never rendered


@pytest.mark.parametrize("template", TOTAL)
@settings(deadline=None)
@given(
    text=TEXT,
    contexts=st.lists(TEXT, max_size=9),
    metadata=st.dictionaries(TEXT, st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT),
)
def test_no_sample_makes_more_of_a_template_than_its_bound(
    template: str, text: str, contexts: list[str], metadata: dict[str, Any]
) -> None:
    row = {"input": text, "contexts": contexts, "metadata": metadata}
    size = len(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
    values = {**row, "messages": [{"role": "user", "content": text}]}
    (message,) = Prompt.of("p", template).render(values, "s1")
    bound = longest(_parsed(template), size)
    assert bound is not None
    assert len(message.content) <= bound


@pytest.mark.parametrize(
    "template",
    [
        "{{ metadata.topic }}",
        "{{ contexts[0] }}",
        "{{ input + 1 }}",
        "{{ input | upper }}",
        "{{ contexts | join(input) }}",
        "{{ input | join('x', attribute='a') }}",
        "{{ contexts | join('x', attribute='a') }}",
        "{% for c in metadata %}{{ c }}{% endfor %}",
        "{% for c in contexts if c.x %}{{ c }}{% endfor %}",
        "{% for c in contexts %}{% for d in contexts %}{{ d }}{% endfor %}{% endfor %}",
        "{% for c in contexts %}{{ c }}{% else %}{{ metadata.x }}{% endfor %}",
        "{% for c in contexts %}{{ c.x }}{{ loop.cycle() }}{% endfor %}",
        "{% for c in contexts %}{{ c }}{% endfor %}{{ c }}",
        "{% if metadata.x %}a{% endif %}",
        "{% set x = input %}{{ x }}",
        "{{ range(9) }}",
        "{{ loop.index }}",
    ],
)
def test_nothing_is_claimed_of_a_template_that_a_sample_may_break(template: str) -> None:
    assert longest(_parsed(template), 10) is None
    assert not Prompt.of("p", template).fits(10)


def test_a_prompt_fits_up_to_a_size_and_every_message_counts() -> None:
    prompt = Prompt.of("p", [{"role": "system", "content": "s"}, {"role": "user", "content": "{{ input }}"}])
    assert prompt.fits(10_000)
    assert not prompt.fits(MAX_RENDERED)
    assert not Prompt.of("p", [{"role": "system", "content": "{{ metadata.x }}"}]).fits(1)
