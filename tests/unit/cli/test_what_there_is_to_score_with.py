"""haetae metrics: the list, one metric, the reference."""

from __future__ import annotations

import json
from typing import Any


def test_the_list_is_a_line_for_each_metric(shop: Any) -> None:
    said = shop.call("metrics")
    assert said.code == 0
    lines = dict(line.split(maxsplit=1) for line in said.out.splitlines()[1:])
    assert lines["exact_match"] == "1 where the output is one of the references, else 0; higher is better"
    assert {"chrf", "judge", "faithfulness", "function", "evaluate"} <= lines.keys()
    assert json.loads(shop.call("metrics", "--json").out)[0].keys() == {"name", "summary"}


def test_one_metric_is_described_with_its_line_in_a_suite(shop: Any) -> None:
    said = shop.call("metrics", "rouge")
    assert said.code == 0
    assert "In a suite\n  rouge: { rouge: L, tokenizer: korean }\n" in said.out
    assert "Known as\n  rouge(L, tokenizer=korean): 0 to 1, higher is better, needs reference\n" in said.out
    assert "tokenizer  text                  default unicode\n" in said.out
    found = json.loads(shop.call("metrics", "rouge", "--json").out)
    assert (found["name"], found["example"]) == ("rouge", {"rouge": "L", "tokenizer": "korean"})
    assert found["facts"]["low"] == 0.0


def test_a_wrong_name_and_wrong_options_are_refused(shop: Any) -> None:
    said = shop.call("metrics", "rogue")
    assert said.code == 2
    assert "no metric is called rogue; did you mean rouge?" in said.err
    for arguments in (["rouge", "--markdown"], ["--json", "--markdown"]):
        said = shop.call("metrics", *arguments)
        assert said.code == 2
        assert "--markdown prints all metrics" in said.err
