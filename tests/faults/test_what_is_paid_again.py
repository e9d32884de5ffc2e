"""What changed → what is asked and judged again: the table in ARCHITECTURE.md row by row, against a counting server."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from haetae.core.metric import MetricFacts
from haetae.metrics.reference import chrf
from haetae.workbench.bench import Workbench

SUITE = """\
suite: bot
dataset: samples.jsonl
target: { model: llm, prompt: ask.md }
metrics:
  chrf: chrf
  near: { function: MODULE:near }
  polite: { judge: polite.md, model: grader, scale: [0, 1] }
  right: { judge: right.md, model: referee, scale: [0, 1] }
slices: [topic]
gate:
  metrics:
    chrf: { max_drop: 0.05 }
limits: { in_flight: 4, timeout_s: 5, tries: 2 }
"""
MODEL = 'base_url: "${MODEL_URL}"\nmodel: NAME\napi_key: "${MODEL_KEY}"\nparameters: { temperature: 0 }\n'
NEAR = "import haetae\n\n@haetae.metric(high=1.0)\ndef near(output: str) -> float:\n    return 1.0\n"
SAMPLES = 4
JUDGED = ("polite", "right")
METRICS = ("chrf", "near", *JUDGED)


@dataclass(frozen=True)
class Paid:
    """What one run cost: calls to the target and to judges, and of which samples each metric has another address."""

    target: int
    judge: int
    recomputed: Mapping[str, int]


class Place:
    """A project that can be changed in one thing, and run."""

    def __init__(self, project: Any, server: Any, png: Any, module: str) -> None:
        self.project, self.server, self.png, self.module = project, server, png, module
        self.folder: Path = project.folder
        self.fresh = False
        self.rows = [
            {"id": f"s{n}", "input": f"question {n}", "reference": f"answer {n}", "contexts": [f"passage {n}"]}
            for n in range(SAMPLES)
        ]
        self.rows[0]["input"] = [{"role": "user", "content": "question 0", "images": ["zero.png"]}]
        (self.folder / "zero.png").write_bytes(png(1))
        (self.folder / "ask.md").write_text("q {{ input }}{% for passage in contexts %} {{ passage }}{% endfor %}")
        for name in JUDGED:
            (self.folder / f"{name}.md").write_text(f"Is this {name}? {{{{ output }}}}")
        (self.folder / f"{module}.py").write_text(NEAR)
        self.suite = SUITE.replace("MODULE", module)
        self.models = {"llm": MODEL, "grader": MODEL, "referee": MODEL}
        self.write()

    def write(self) -> None:
        self.project.suite.write_text(self.suite)
        (self.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        with self.project.bench() as bench:
            for name, text in self.models.items():
                (self.folder / f"{name}.yaml").write_text(text.replace("NAME", "m" if name == "llm" else "judge"))
                bench.register("model", self.folder / f"{name}.yaml")

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def run(self, suite: Path | None = None) -> str:
        sys.modules.pop(self.module, None)
        with self.project.bench() as bench:
            report = bench.run(suite or self.project.suite, fresh=self.fresh, track=False)
        assert report.run.status.value == "finished"
        return report.run.id

    def addresses(self, run_id: str) -> dict[str, dict[str, str]]:
        """The key of every sample's answer (under "") and of each of its scores."""
        found: dict[str, dict[str, str]] = {}
        with self.project.bench() as bench:
            for (sample, repeat), (answer, scores) in bench.ledger.done(run_id).items():
                found.setdefault("", {})[f"{sample} {repeat}"] = answer.key
                for metric, row in scores.items():
                    found.setdefault(metric, {})[f"{sample} {repeat}"] = row.key
        return found

    def paid_for(self, change: Callable[[Place], object]) -> Paid:
        """What a second run costs after one change."""
        before = self.addresses(self.run())
        asked = Counter(body["model"] for body in self.server.bodies)
        assert asked == {"m": SAMPLES, "judge": SAMPLES * len(JUDGED)}
        self.server.bodies.clear()
        change(self)
        self.write()
        after = self.addresses(self.run())
        asked = Counter(body["model"] for body in self.server.bodies)
        judged = sum(asked.pop(model) for model in list(asked) if model.startswith("judge"))
        changed = {
            metric: sum(key != before.get(metric, {}).get(sample) for sample, key in keys.items())
            for metric, keys in after.items()
        }
        assert changed.pop("") == asked.total()  # what has another address is asked, and nothing else
        return Paid(asked.total(), judged, {metric: count for metric, count in changed.items() if count})


def _said(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def _shown(body: dict[str, Any]) -> bool:
    """Whether the target is another than at first: in its name, its prompt or its decoding."""
    return body["model"] != "m" or "please" in _said(body) or body.get("temperature") != 0


@pytest.fixture
def place(project: Any, server: Any, replies: Any, png: Any, request: pytest.FixtureRequest) -> Place:
    """A target that, when it is another, answers question 0 otherwise and all else the same."""

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        if body["model"].startswith("judge"):
            return replies.graded()  # type: ignore[no-any-return]  # a bag of names
        number = re.search(r"question (\d+)", _said(body))[1]  # type: ignore[index]  # every question has one
        return replies.completed(f"{'another ' if _shown(body) and number == '0' else ''}answer {number}")  # type: ignore[no-any-return]

    server.answer = answer
    module = "near_" + re.sub(r"\W", "_", request.node.name)
    return Place(project, server, png, module)


def _model(place: Place) -> None:
    place.models["llm"] = MODEL.replace("NAME", "m2")


def _prompt(place: Place) -> None:
    place.edit("ask.md", "q ", "please ")


def _decoding(place: Place) -> None:
    place.models["llm"] = MODEL.replace("temperature: 0", "temperature: 1")


def _input(place: Place) -> None:
    place.rows[1]["input"] = "question 1, in short"


def _picture(place: Place) -> None:
    (place.folder / "zero.png").write_bytes(place.png(2))


def _contexts(place: Place) -> None:
    place.rows[1]["contexts"] = ["another passage"]


def _reference(place: Place) -> None:
    place.rows[1]["reference"] = "another answer"


def _metadata(place: Place) -> None:
    place.rows[1]["metadata"] = {"topic": "refunds"}


def _judges_model(place: Place) -> str:
    place.models["grader"] = MODEL.replace("NAME", "judge2")
    return "polite"


def _judges_prompt(place: Place) -> str:
    place.edit("polite.md", "Is this polite?", "How polite is this?")
    return "polite"


def _judges_temperature(place: Place) -> str:
    place.models["grader"] = MODEL.replace("temperature: 0", "temperature: 1")
    return "polite"


def _judges_scale(place: Place) -> str:
    place.suite = place.suite.replace("model: grader, scale: [0, 1]", "model: grader, scale: [0, 2]")
    return "polite"


def _metrics_parameter(place: Place) -> str:
    place.suite = place.suite.replace("  chrf: chrf\n", "  chrf: { chrf: true, word_order: 2 }\n")
    return "chrf"


def _metrics_function(place: Place) -> str:
    place.edit(f"{place.module}.py", "return 1.0", "return 0.5")
    return "near"


def _fresh(place: Place) -> None:
    place.fresh = True


def _in_suite(old: str, new: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        assert old in place.suite
        place.suite = place.suite.replace(old, new)

    return change


def _in_model(new: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        place.models = {name: text + new for name, text in place.models.items()}

    return change


def _reordered(place: Place) -> None:
    place.rows.reverse()


def _elsewhere(place: Place) -> None:
    """The same server under another variable's value and another name of the key."""
    env = dict(place.project.settings.env)
    env |= {"MODEL_URL": env["MODEL_URL"].replace("127.0.0.1", "localhost"), "OTHER_KEY": "another-key-0123456789"}
    place.project.settings = replace(place.project.settings, env=env)
    place.models = {name: text.replace("MODEL_KEY", "OTHER_KEY") for name, text in place.models.items()}


BY_ROW: Mapping[str, Mapping[str, Callable[[Place], object]]] = {
    "model, prompt, decoding, code of a function": {"model": _model, "prompt": _prompt, "decoding": _decoding},
    "a sample's input (its pictures too) or contexts": {"input": _input, "picture": _picture, "contexts": _contexts},
    "a reference, or metadata": {"reference": _reference, "metadata": _metadata},
    "a judge's model, prompt or parameters; a metric's version or function": {
        "a judge's model": _judges_model,
        "a judge's prompt": _judges_prompt,
        "a judge's temperature": _judges_temperature,
        "a judge's scale": _judges_scale,
        "a metric's parameter": _metrics_parameter,
        "a metric's function": _metrics_function,
    },
    "the epoch (`--fresh`, a scheduled run)": {"fresh": _fresh},
    "gate, slices, tolerance, trackers": {
        "gate": _in_suite("gate:\n", "gate:\n  alpha: 0.01\n"),
        "slices": _in_suite("slices: [topic]", "slices: []"),
        "tolerance": _in_suite("max_drop: 0.05", "max_drop: 0.2"),
        "trackers": _in_suite("slices:", "track: [mlflow]\nslices:"),
    },
    "price, rate, header, key, limits, budget, schedule, order of samples": {
        "a price": _in_model("price: { input: 1, output: 2 }\n"),
        "a header": _in_model("headers: { X-Team: blue }\n"),
        "requests per minute": _in_model("requests_per_minute: 6000\n"),
        "where the address points, and the key": _elsewhere,
        "limits": _in_suite("in_flight: 4, timeout_s: 5, tries: 2", "in_flight: 2, timeout_s: 9, tries: 3"),
        "a budget": _in_suite("slices:", "budget: { calls: 1000 }\nslices:"),
        "a schedule": _in_suite("slices:", 'schedule: { cron: "0 6 * * *" }\nslices:'),
        "the order of the samples": _reordered,
    },
}
"""Of each row of the table the changes that it speaks of. `code of a function` has a test of its own."""

ASKED = {"the target": SAMPLES, "everything": SAMPLES, "that sample": 1, "nothing": 0}


def recomputed(cell: str, metric: object) -> dict[str, int]:
    """What a cell of the last column promises: of each metric how many scores."""
    return {
        "what its new answers change": dict.fromkeys(METRICS, 1),
        "that sample": dict.fromkeys(METRICS, 1),
        "that metric": {str(metric): SAMPLES},
        "every judged metric": dict.fromkeys(JUDGED, SAMPLES),
        "nothing": {},
    }[cell]


def table() -> dict[str, tuple[str, str]]:
    """The rows of "What addresses what", as they stand in ARCHITECTURE.md."""
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text("utf-8")
    section = text.partition("\n## What addresses what\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return {changed: (asked, judged) for changed, asked, judged in lines[2:]}


def test_every_row_of_the_table_has_its_changes() -> None:
    assert table().keys() == BY_ROW.keys()


@pytest.mark.parametrize(("row", "name"), [(row, name) for row, changes in BY_ROW.items() for name in changes])
def test_a_change_costs_what_the_table_says(place: Place, row: str, name: str) -> None:
    asked, judged = table()[row]
    touched: list[object] = []
    paid = place.paid_for(lambda there: touched.append(BY_ROW[row][name](there)))
    expected = recomputed(judged, touched[0])
    calls = sum(expected.get(metric, 0) for metric in JUDGED)
    assert paid == Paid(ASKED[asked], calls, expected)


def test_the_code_of_a_function_is_in_its_address_and_a_function_is_asked_in_every_run(place: Place) -> None:
    """What else a function's answers rest on is not known; a judgement of the same answer is still not paid twice."""
    code = "def answer(input: str) -> str:\n    return input.replace('question', 'answer')\n"
    (place.folder / f"{place.module}.py").write_text(NEAR + "\n" + code)
    place.suite = re.sub("target: .*", f"target: {{ function: '{place.module}:answer' }}", place.suite)
    place.write()
    first, second = place.addresses(place.run()), place.addresses(place.run())
    assert first == second
    assert len(place.server.bodies) == SAMPLES * len(JUDGED)
    place.server.bodies.clear()
    changed = code.replace("return ", "return 'well, ' * input.endswith('0') + ")
    (place.folder / f"{place.module}.py").write_text(NEAR + "\n" + changed)
    third = place.addresses(place.run())
    assert not set(first[""].values()) & set(third[""].values())
    assert len(place.server.bodies) == len(JUDGED)  # what its one new answer changes


def test_a_new_version_of_a_metric_changes_that_metric_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(_: Place) -> None:
        monkeypatch.setattr(chrf, "MetricFacts", lambda **facts: MetricFacts(**{**facts, "version": "next"}))

    assert place.paid_for(change) == Paid(0, 0, {"chrf": SAMPLES})


def _removed(place: Place) -> None:
    place.rows.pop(2)


def _by_number(place: Place) -> None:
    place.suite = place.suite.replace("model: llm,", "model: llm@1,").replace("model: grader,", "model: grader@first,")
    with place.project.bench() as bench:
        bench.alias("model", "grader@1", "first")


FREE: Mapping[str, Callable[[Place], object]] = {
    "nothing": lambda place: None,
    "a sample less": _removed,
    "references that name the same content": _by_number,
    "a metric less": _in_suite("  right: { judge: right.md, model: referee, scale: [0, 1] }\n", ""),
}


@pytest.mark.parametrize("name", FREE)
def test_what_is_not_in_an_address_costs_nothing(place: Place, name: str) -> None:
    assert place.paid_for(FREE[name]) == Paid(0, 0, {})


def test_a_new_sample_alone_is_asked_and_judged(place: Place) -> None:
    def change(there: Place) -> None:
        there.rows.insert(1, {"id": "new", "input": "question 9", "reference": "answer 9"})

    assert place.paid_for(change) == Paid(1, len(JUDGED), dict.fromkeys(METRICS, 1))


def test_a_metric_under_another_name_keeps_its_judgements(place: Place) -> None:
    paid = place.paid_for(_in_suite("  polite: {", "  courteous: {"))
    assert (paid.target, paid.judge) == (0, 0)


def test_a_literal_address_is_part_of_what_a_model_is(place: Place) -> None:
    url = place.server.url
    paid = place.paid_for(lambda there: there.models.update(llm=MODEL.replace("${MODEL_URL}", url)))
    assert paid == Paid(SAMPLES, 0, {})  # asked again; equal answers keep their judgements


def test_two_repeats_more_are_two_calls_more_of_each_sample(place: Place) -> None:
    paid = place.paid_for(_in_suite("prompt: ask.md }", "prompt: ask.md, repeats: 3 }"))
    assert (paid.target, paid.judge) == (2 * SAMPLES, 0)  # the new answers are the old ones: their judgements stand


def test_another_suite_with_the_same_content_takes_the_answers_of_the_first(place: Place) -> None:
    place.run()
    place.server.bodies.clear()
    other = place.folder / "other.yaml"
    other.write_text(place.suite.replace("suite: bot", "suite: another"))
    run_id = place.run(other)
    assert place.server.bodies == []
    with place.project.bench() as bench:
        report = bench.report(run_id)
    spent = report.spent
    assert (spent.calls, spent.reused, spent.reused_judgements) == (0, SAMPLES, SAMPLES * len(JUDGED))
    assert report.spent_line == "no calls, nothing spent; 4 answers and 8 judgements reused"
    assert report.as_json()["spent"]["reused_judgements"] == SAMPLES * len(JUDGED)


def test_two_suites_that_ask_the_same_at_once_pay_at_most_twice_and_never_again(place: Place) -> None:
    other = place.folder / "other.yaml"
    other.write_text(place.suite.replace("suite: bot", "suite: another"))
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda suite: _run_apart(place, suite), (place.project.suite, other)))
    asked = Counter(body["model"] for body in place.server.bodies)
    assert SAMPLES <= asked["m"] <= 2 * SAMPLES
    assert len(JUDGED) * SAMPLES <= asked["judge"] <= 2 * len(JUDGED) * SAMPLES
    assert place.addresses(runs[0]) == place.addresses(runs[1])
    place.server.bodies.clear()
    place.run()
    place.run(other)
    assert place.server.bodies == []


def _run_apart(place: Place, suite: Path) -> str:
    with Workbench(place.project.settings) as bench:
        return bench.run(suite, track=False).run.id


def test_a_fresh_run_is_taken_from_by_none_and_takes_from_none(place: Place) -> None:
    place.run()
    place.fresh = True
    place.run()
    place.server.bodies.clear()
    place.run()
    assert len(place.server.bodies) == SAMPLES * (1 + len(JUDGED))
    place.server.bodies.clear()
    place.fresh = False
    place.run()
    assert place.server.bodies == []


OUTCOMES = {
    "0": ({"message": {"content": ""}, "finish_reason": "stop"}, "empty_answer"),
    "1": ({"message": {"content": ""}, "finish_reason": "content_filter"}, "content_filter"),
    "2": ({"message": {"content": "cut off"}, "finish_reason": "length"}, "truncated"),
}


def test_no_answer_is_a_reason_of_its_own_and_is_asked_again_by_the_next_run(
    place: Place, replies: Any
) -> None:  # END-08
    answers = place.server.answer

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        number = re.search(r"question (\d+)", _said(body))
        if body["model"].startswith("judge") or number is None or number[1] not in OUTCOMES:
            return answers(body, headers)  # type: ignore[no-any-return]
        return 200, json.dumps({"choices": [OUTCOMES[number[1]][0]], "usage": {}, "model": "m"})

    place.server.answer = answer
    with place.project.bench() as bench:
        for _ in range(2):
            place.server.bodies.clear()
            run_id = place.run()
            asked = Counter(body["model"] for body in place.server.bodies)
            rows = bench.ledger.done(run_id)
            assert {rows[f"s{n}", 0][0].result.reason for n in OUTCOMES} == {why for _, why in OUTCOMES.values()}
            assert [account.scored for account in bench.ledger.accounting(run_id)] == [1] * len(METRICS)
            assert all(rows[f"s{n}", 0][1]["polite"].score.value is None for n in OUTCOMES)
        assert asked == {"m": len(OUTCOMES)}
    place.server.answer = answers
    place.server.bodies.clear()
    place.run()
    asked = Counter(body["model"] for body in place.server.bodies)
    assert asked == {"m": len(OUTCOMES), "judge": len(OUTCOMES) * len(JUDGED)}


def test_a_judgement_that_failed_is_asked_again_by_the_next_run(place: Place, replies: Any) -> None:
    answers = place.server.answer
    place.server.answer = lambda body, headers: (
        replies.completed("no verdict at all") if "Is this polite" in json.dumps(body) else answers(body, headers)
    )
    place.run()
    place.server.answer = answers
    place.server.bodies.clear()
    place.run()
    asked = Counter(body["model"] for body in place.server.bodies)
    assert asked == {"judge": SAMPLES}
