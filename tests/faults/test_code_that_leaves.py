"""Code under test that ends programs, tasks or tests: it costs its sample, never the run, and no gate passes by it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from haetae.catalog import metric_kinds
from haetae.cli.main import main
from haetae.core.generation import Failure
from haetae.core.run import RunStatus
from haetae.settings import load_settings
from haetae.workbench.bench import Workbench

KEY = "sk-canary0123456789abcdef"
LEAVES = {
    "sys.exit(0)": "SystemExit",
    "raise SystemExit(1)": "SystemExit",
    "raise asyncio.CancelledError": "CancelledError",
    "raise GeneratorExit": "GeneratorExit",
    f"raise Own('password={KEY}')": "Own",
    "pytest.fail('no')": "Failed",
}
"""Ways to leave, and what is then told of them."""
HEAD = """\
import asyncio, sys
import pytest
import haetae
from haetae.core.metric import MetricFacts
from haetae.core.score import Score

class Own(BaseException):
    pass

def leave(text):
    if "leave" in text:
        LEAVE
"""
TARGET = "def answer(input):\n    leave(input)\n    return 'a'\n"
GUARD = "def check(text):\n    leave(text)\n    return 0.0\n"
METRIC = "@haetae.metric\ndef scored(output: str, input: str) -> bool:\n    leave(input)\n    return True\n"
CLASS = """\
class Loud:
    facts = MetricFacts(
        text="loud", version="1", low=0.0, high=1.0, higher_is_better=True, needs=frozenset(), signature={}
    )

    def score(self, sample, generation):
        leave(sample.text)
        return Score(1.0)
"""
MODULE = """\
import datasets, evaluate

class Loud(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        features = datasets.Features({"predictions": text, "sources": text})
        return evaluate.MetricInfo(description="d", citation="", inputs_description="", features=features)

    def _compute(self, predictions, sources):
        leave(sources[0])
        return {"loud": 1.0}
"""
RAILS = """\
models: []
rails:
  input:
    PARALLEL
    flows: [look, look again]
"""
FLOW = """\
define bot refuse to respond
  "no"

define subflow look
  $bad = execute look_at(text=$user_message)
  if $bad
    bot refuse to respond
    stop

define subflow look again
  $bad = execute look_at(text=$user_message)
  if $bad
    bot refuse to respond
    stop
"""
ACTION = """\
from nemoguardrails.actions import action

@action(name="look_at")
async def look_at(text: str) -> bool:
    leave(text)
    return False
"""


class Place:
    """A project of four samples; the code under test leaves at one of them."""

    def __init__(self, folder: Path, module: str, home: Path) -> None:
        self.folder, self.module, self.home = folder, module, home
        (folder / "pyproject.toml").touch()
        rows = [{"id": f"s{n}", "input": f"please {'leave' if n == 2 else 'stay'} {n}"} for n in range(4)]
        for name, more in (("rows", {}), ("outputs", {"output": "a"})):
            lines = [json.dumps({**row, **more} if name == "rows" else {"id": row["id"], **more}) for row in rows]
            (folder / f"{name}.jsonl").write_text("\n".join(lines))

    def write(self, name: str, text: str, leave: str) -> None:
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(HEAD.replace("LEAVE", leave) + text)

    def suite(self, target: str, metric: str) -> None:
        text = (
            f"suite: s\ndataset: rows.jsonl\ntarget: {target}\nmetrics: {{ m: {metric} }}\n"
            "gate: { metrics: { m: { max_drop: 0.1 } } }\nlimits: { in_flight: 1 }\n"
        )
        (self.folder / "suite.yaml").write_text(text.replace("MODULE", self.module))

    def gate(self) -> int:
        """The exit code of `haetae gate`."""
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    def told(self, part: str) -> list[str | None]:
        """What the finished run says of each sample: None, or why it has no answer or no score."""
        with Workbench(load_settings({"HAETAE_HOME": str(self.home)})) as bench:
            (run,) = bench.ledger.runs()
            assert run.status is RunStatus.FINISHED
            found: list[str | None] = []
            for row in bench.ledger.results(run.id, limit=9):
                answer = row.generation.result if row.generation else None
                if part == "answer":
                    found.append(f"{answer.reason}: {answer.message}" if isinstance(answer, Failure) else None)
                else:
                    score = row.scores["m"].score
                    found.append(None if score.reason is None else f"{score.reason}: {score.explanation}")
            return found


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Place]:
    folder = tmp_path / "loud"
    folder.mkdir()
    monkeypatch.setenv("HAETAE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HAETAE_EVALUATE_FOLDERS", str(folder))
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["haetae", "gate", "suite.yaml", "--quiet"])
    monkeypatch.chdir(folder)
    yield Place(folder, f"leaving_{abs(hash(request.node.nodeid))}", tmp_path / "home")
    metric_kinds.known_metrics.cache_clear()


def _function(place: Place, leave: str) -> str:
    place.write(f"{place.module}.py", TARGET, leave)
    place.suite("{ function: MODULE:answer }", "length")
    return "answer"


def _async_function(place: Place, leave: str) -> str:
    place.write(f"{place.module}.py", TARGET.replace("def", "async def"), leave)
    place.suite("{ function: MODULE:answer }", "length")
    return "answer"


def _guard(place: Place, leave: str) -> str:
    place.write(f"{place.module}.py", GUARD, leave)
    (place.folder / "guard.yaml").write_text(f"stages:\n  - {{ name: s, function: {place.module}:check }}\n")
    place.suite("{ guard: guard.yaml }", "length")
    return "answer"


def _function_metric(place: Place, leave: str) -> str:
    place.write(f"{place.module}.py", METRIC, leave)
    place.suite("{ outputs: outputs.jsonl }", "{ function: MODULE:scored }")
    return "score"


def _async_metric(place: Place, leave: str) -> str:
    place.write(f"{place.module}.py", METRIC.replace("def scored", "async def scored"), leave)
    place.suite("{ outputs: outputs.jsonl }", "{ function: MODULE:scored }")
    return "score"


def _class_metric(place: Place, leave: str, text: str = CLASS) -> str:
    """A class that another package registers as an entry point."""
    place.write(f"{place.module}.py", text, leave)
    place.write("loud-1.dist-info/METADATA", "", leave)
    (place.folder / "loud-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
    (place.folder / "loud-1.dist-info" / "entry_points.txt").write_text(
        f"[haetae.metrics]\nloud = {place.module}:Loud\n"
    )
    sys.path.insert(0, str(place.folder))
    metric_kinds.known_metrics.cache_clear()
    place.suite("{ outputs: outputs.jsonl }", "loud")
    return "score"


def _async_class_metric(place: Place, leave: str) -> str:
    return _class_metric(place, leave, CLASS.replace("def score", "async def score"))


def _evaluate_module(place: Place, leave: str) -> str:
    if find_spec("evaluate") is None:
        pytest.skip("evaluate is not installed")
    place.write("loud/loud.py", MODULE, leave)
    place.suite("{ outputs: outputs.jsonl }", "{ evaluate: loud }")
    return "score"


def _nemo(place: Place, leave: str, parallel: str = "") -> str:
    pytest.importorskip("nemoguardrails")
    place.write("rails/actions.py", ACTION, leave)
    (place.folder / "rails" / "config.yml").write_text(RAILS.replace("PARALLEL", parallel))
    (place.folder / "rails" / "rails.co").write_text(FLOW)
    (place.folder / "guard.yaml").write_text("stages:\n  - { name: s, nemo: rails }\n")
    place.suite("{ guard: guard.yaml }", "length")
    return "answer"


def _nemo_in_parallel(place: Place, leave: str) -> str:
    return _nemo(place, leave, "parallel: true")


KINDS = [
    _function,
    _async_function,
    _guard,
    _function_metric,
    _async_metric,
    _class_metric,
    _async_class_metric,
    _evaluate_module,
    _nemo,
    _nemo_in_parallel,
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leave", LEAVES)
def test_what_leaves_costs_its_sample_and_the_gate_comes_to_its_end(
    kind: Callable[[Place, str], str], leave: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    part = kind(place, leave)
    assert place.gate() == 3  # there is no baseline yet
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert "NO VERDICT" in said.out.upper()
    kept = place.told(part)
    assert [told is None for told in kept] == [True, True, False, True]
    reason = "target_raised" if part == "answer" else "metric_raised"
    assert str(kept[2]).startswith(reason)
    assert LEAVES[leave] in str(kept[2])
    assert KEY not in "".join((said.out, said.err, str(kept)))


@pytest.mark.parametrize("when", ["def answer", "class Loud"])
def test_what_leaves_while_it_is_imported_is_a_wrong_input(when: str, place: Place) -> None:
    kind = _function if when == "def answer" else _class_metric
    kind(place, "raise Own")
    file = place.folder / f"{place.module}.py"
    file.write_text(file.read_text().replace(when, f"leave('leave')\n{when}", 1))
    assert place.gate() == 2


def test_a_corpus_function_that_leaves_makes_no_verdict(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    text = CLASS.replace("signature={}", "signature={}, corpus=True").replace("Score(1.0)", "Score(1.0, stats=(1.0,))")
    _class_metric(place, "sys.exit(0)", text + "\n    def corpus(self, totals):\n        leave('leave')\n")
    file = place.folder / f"{place.module}.py"
    file.write_text(file.read_text().replace("leave(sample.text)", "pass"))
    assert place.gate() == 3
    assert "SystemExit: 0 was raised by code" in capsys.readouterr().err


def test_a_crash_nobody_foresaw_is_told_without_its_secrets_and_is_no_regression(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Own(BaseException):
        pass

    def crash(*arguments: object, **options: object) -> None:
        raise Own(f"password={KEY}")

    monkeypatch.setattr(Workbench, "gate", crash)
    _function(place, "pass")
    assert place.gate() == 3
    said = capsys.readouterr().err
    assert "Own: password=***" in said
    assert KEY not in said


def test_a_run_that_is_cancelled_is_cancelled_whatever_code_of_others_is_under_way() -> None:
    from haetae.engine.contained import Left, awaited

    async def others(*, cancels_itself: bool) -> None:
        if cancels_itself:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        await asyncio.Event().wait()

    async def ask() -> list[str]:
        with pytest.raises(Left, match="CancelledError"):
            await awaited(others(cancels_itself=True))
        ours = asyncio.create_task(awaited(others(cancels_itself=False)))
        await asyncio.sleep(0)
        ours.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ours
        return ["cancelled"]

    assert asyncio.run(ask()) == ["cancelled"]
