"""A Python function, a model with a prompt, and recorded outputs as the target."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from haetae.core.clock import SystemClock
from haetae.core.generation import Failure, Generation, Stage, Usage
from haetae.core.sample import Message, Sample
from haetae.core.suite import BudgetSpec
from haetae.core.template import Prompt
from haetae.engine.budget import BudgetExhausted, Meter
from haetae.engine.functions import load_function
from haetae.errors import ConfigError
from haetae.targets.function import ARGUMENTS, FunctionTarget
from haetae.targets.guards.function import TEXT
from haetae.targets.prompted import Prompted
from haetae.targets.recorded import Recorded

SAMPLE = Sample("s1", "hello", ("the key",), ("passage",), reference_contexts=("gold",), metadata={"language": "ko"})


def _ask(function: Callable[..., Any], timeout_s: float = 5.0, meter: Meter | None = None) -> Any:
    target = FunctionTarget(function, "app:answer", SystemClock(), timeout_s, meter or Meter())

    async def work() -> Any:
        try:
            return await target.generate(SAMPLE, target.request(SAMPLE), 0)
        finally:
            await target.aclose()

    return asyncio.run(work())


def test_a_function_is_called_by_the_names_of_its_parameters() -> None:
    seen: dict[str, Any] = {}

    def answer(input: str, contexts: list[str], metadata: dict[str, Any], messages: Any, sample: Sample) -> str:  # noqa: A002  # the offered name
        seen.update(input=input, contexts=contexts, metadata=metadata, messages=messages, sample=sample)
        return "hi"

    found = _ask(answer)
    assert found.output == "hi"
    assert found.latency_s >= 0
    assert seen["input"] == "hello"
    assert seen["contexts"] == ["passage"]
    assert seen["metadata"] == {"language": "ko"}
    assert seen["messages"] == [{"role": "user", "content": "hello"}]
    assert seen["sample"].references == ()
    assert seen["sample"].reference_contexts is None


def test_a_lone_parameter_of_any_name_is_the_input() -> None:
    assert _ask(lambda question: question.upper()).output == "HELLO"


def test_an_async_function_and_one_that_returns_an_awaitable_are_awaited() -> None:
    async def answer(text: str) -> str:
        return text + "!"

    assert _ask(answer).output == "hello!"
    assert _ask(lambda text: answer(text)).output == "hello!"


def test_a_mapping_may_bring_contexts_calls_usage_and_cost() -> None:
    found = _ask(
        lambda q: {
            "answer": "x",
            "contexts": ["a", "b"],
            "tool_calls": [{"name": "search", "arguments": {"q": 1}}],
            "usage": {"input": 3, "output": 4},
            "cost_usd": 0.5,
        }
    )
    assert (found.contexts, found.usage, found.cost_usd) == (("a", "b"), Usage(3, 0, 4), 0.5)
    assert found.tool_calls[0].name == "search"


def test_a_pair_is_the_answer_and_the_contexts_it_rests_on() -> None:
    found = _ask(lambda q: ("x", ["a", "b"]))
    assert (found.output, found.contexts) == ("x", ("a", "b"))
    assert _ask(lambda q: ("x", None)).contexts is None


def test_a_generation_is_taken_as_it_is_and_timed_when_it_is_not() -> None:
    assert _ask(lambda q: Generation("x", latency_s=9.0)).latency_s == 9.0
    assert _ask(lambda q: Generation("x")).latency_s is not None
    assert _ask(lambda q: Failure("timeout", "upstream")).message == "upstream"
    assert _ask(lambda q: Failure("timeout", "x", stages=(Stage("judge"),))).stages == (Stage("judge"),)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        7,
        ["x"],
        ("x", "one text"),
        ("x", [1]),
        (1, ["a"]),
        ("x", ["a"], 0.5),
        {},
        {"output": 7},
        {"output": "x", "contexts": "one text"},
        {"output": "x", "usage": {"tokens": 1}},
        {"output": "x", "usage": {"input": "1"}},
        {"output": "x", "usage": {"input": -1}},
        {"output": "x", "cost_usd": float("nan")},
        {"output": "x", "tool_calls": [{"arguments": {}}]},
        Generation(None),  # type: ignore[arg-type]  # what an application may do
        Generation("x", logprobs=(float("-inf"),)),
    ],
)
def test_a_wrong_answer_fails_its_sample_only(answer: Any) -> None:
    assert _ask(lambda q: answer).reason == "target_raised"


def test_an_empty_answer_is_empty() -> None:
    assert _ask(lambda q: "").reason == "empty_answer"


@pytest.mark.parametrize("error", [ValueError, KeyError, SystemExit, TimeoutError, RecursionError])
def test_what_a_function_raises_is_kept_with_its_place_and_without_secrets(error: type[BaseException]) -> None:
    def answer(q: str) -> str:
        raise error("https://x/?api_key=verysecretvalue")

    async def later(q: str) -> str:
        raise error("https://x/?api_key=verysecretvalue")

    for function in (answer, later):
        found = _ask(function)
        assert found.reason == "target_raised"
        assert error.__name__ in found.message
        assert "verysecretvalue" not in found.message


def test_a_function_that_never_returns_is_left_behind() -> None:  # END-06
    never = threading.Event()
    assert _ask(lambda q: never.wait(), timeout_s=0.05).reason == "timeout"

    async def hang(q: str) -> str:
        await asyncio.Event().wait()
        return ""

    assert _ask(hang, timeout_s=0.05).reason == "timeout"
    never.set()


def test_hung_calls_do_not_take_the_threads_of_others() -> None:
    never = threading.Event()
    target = FunctionTarget(lambda q: never.wait(), "app:answer", SystemClock(), 0.2, Meter())

    async def work() -> Any:
        hung = [asyncio.create_task(target.generate(SAMPLE, None, 0)) for _ in range(64)]
        await asyncio.sleep(0)
        alive = await asyncio.to_thread(lambda: "the ledger can still be written")
        return alive, await asyncio.gather(*hung)

    alive, found = asyncio.run(work())
    never.set()
    assert alive
    assert {failure.reason for failure in found} == {"timeout"}


def test_calls_of_a_function_count_against_the_budget() -> None:
    meter = Meter(BudgetSpec(calls=1))
    _ask(lambda q: {"output": "x", "cost_usd": 0.25}, meter=meter)
    assert (meter.calls, meter.usd) == (1, 0.25)
    with pytest.raises(BudgetExhausted, match=r"the budget of 1 call is used up"):
        _ask(lambda q: "x", meter=meter)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda a, b: "", "asks for a, b"),
        (lambda: "", "takes no parameter by name"),
        (lambda x, /: "", "takes no parameter by name"),
        (lambda contexts, metadata: "", "neither input, messages nor sample"),
        (min, "signature"),
    ],
)
def test_a_function_that_cannot_be_asked_is_refused(function: Callable[..., Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        FunctionTarget(function, "app:answer", SystemClock(), 1.0, Meter())


def test_the_code_is_part_of_the_fingerprint_and_the_key_of_the_test_is_not_asked() -> None:
    target = FunctionTarget(lambda q: "", "app:answer", SystemClock(), 1.0, Meter())
    assert len(str(target.fingerprint["code"])) == 64
    assert target.request(SAMPLE) == {"input": "hello", "contexts": ["passage"], "metadata": {"language": "ko"}}
    assert not target.reusable

    class Callable_:  # noqa: N801  # no source file of its own
        def __call__(self, q: str) -> str:
            return ""

    assert FunctionTarget(Callable_(), "app:x", SystemClock(), 1.0, Meter()).fingerprint["code"] is None


def test_functions_are_found_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    (tmp_path / "shop_app.py").write_text("class A:\n    @staticmethod\n    def f(q):\n        return q\nN = 3\n")
    (tmp_path / "broken_app.py").write_text("raise RuntimeError('password=hunter2hunter2')\n")
    (tmp_path / "leaving_app.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "unfinished_app.py").write_text("def f(:\n")
    assert load_function("shop_app:A.f", tmp_path, tmp_path)("x") == "x"
    for path, said in [
        ("shop_app:N", "is a int, not a callable"),
        ("shop_app:missing", "AttributeError"),
        ("nowhere_app:f", "No module named"),
        ("broken_app:f", "RuntimeError"),
        ("leaving_app:f", "SystemExit"),
        ("unfinished_app:f", "SyntaxError"),
        (":f", "Empty module name"),
    ]:
        with pytest.raises(ConfigError, match=said) as caught:
            load_function(path, tmp_path, tmp_path)
        assert "hunter2" not in str(caught.value)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a virtual environment in it, where a library is installed."""
    project = tmp_path / "project"
    packages = project / ".venv" / "lib" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "far_lib.py").write_text(
        "def load(path):\n    raise AssertionError('was called')\n"
        "def look(path, text=''):\n    return path\n"
        "def answer(input, metadata, model='m', **rest):\n    return input\n"
        "def check(text):\n    return 0.0\n"
        "class Model:\n    def __call__(self, question):\n        return question\n"
        "    def predict(self, question):\n        return question\n"
    )
    (project / "near_app.py").write_text(
        "import far_lib\nfrom far_lib import load\nmade = far_lib.Model()\ndef mine(question):\n    return question\n"
    )
    monkeypatch.setattr("sys.path", [*sys.path, str(packages)])
    monkeypatch.setattr(
        sysconfig, "get_paths", lambda: {"purelib": str(packages), "stdlib": os.path.dirname(os.__file__)}
    )
    yield project
    for name in ("far_lib", "near_app"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", ["far_lib:load", "near_app:load", "near_app:far_lib.load", "far_lib:look"])
@pytest.mark.parametrize("takes", [ARGUMENTS, TEXT])
def test_a_function_outside_the_project_is_asked_only_where_it_is_made_for_it(
    path: str, takes: tuple[str, ...], installed: Path
) -> None:  # SEC-21
    """`joblib:load` and `pandas:read_pickle` would run the file that a sample of the dataset names."""
    with pytest.raises(ConfigError, match=r"outside the project .* call it from a function of the project"):
        load_function(path, installed, installed, takes)


@pytest.mark.parametrize("path", ["near_app:mine", "near_app:made", "far_lib:answer"])
def test_what_the_project_made_and_what_asks_by_the_offered_names_is_taken(path: str, installed: Path) -> None:
    assert callable(load_function(path, installed, installed, ARGUMENTS))


def test_a_stage_of_a_library_that_calls_its_parameter_text_is_taken(installed: Path) -> None:
    assert load_function("far_lib:check", installed, installed, TEXT)("x") == 0.0
    with pytest.raises(ConfigError, match="asks for question"):
        load_function("near_app:made.predict", installed, installed, TEXT)


def test_pickles_that_a_dataset_names_are_not_read_by_a_guard(tmp_path: Path) -> None:  # SEC-21
    for path in ("numpy:load", "yaml:unsafe_load"):
        with pytest.raises(ConfigError, match="lies outside the project"):
            load_function(path, tmp_path, tmp_path, TEXT)


def test_a_module_of_the_suites_folder_comes_before_one_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    suites = tmp_path / "suites"
    suites.mkdir()
    for folder, names in ((tmp_path, ("both_app", "project_app")), (suites, ("both_app", "suites_app"))):
        for name in names:
            (folder / f"{name}.py").write_text(f"def f(x):\n    return {folder.name!r}\n")
    found = {
        name: load_function(f"{name}:f", suites, tmp_path)("x") for name in ("both_app", "project_app", "suites_app")
    }
    assert found == {"both_app": "suites", "project_app": tmp_path.name, "suites_app": "suites"}


def test_two_projects_in_one_process_each_have_their_own_functions(tmp_path: Path) -> None:
    for project in ("one", "two", "one"):
        (folder := tmp_path / project / "namesakes").mkdir(parents=True, exist_ok=True)
        (folder / "words.py").write_text(f"WORD = {project!r}\n")
        (folder.parent / "twin_app.py").write_text("from namesakes.words import WORD\ndef f(): return WORD\n")
        assert load_function("twin_app:f", folder.parent, folder.parent)() == project
        assert load_function("namesakes.words:WORD.upper", folder.parent, folder.parent)() == project.upper()


def test_what_two_suites_of_a_project_share_is_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "shared_app.py").write_text("import random\nMADE = random.random()\n")
    made = set()
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_app.py").write_text("import shared_app\ndef f(): return shared_app.MADE\n")
        made.add(load_function(f"{name}_app:f", tmp_path / name, tmp_path)())
    assert len(made) == 1


@pytest.mark.parametrize("order", [("root", "below"), ("below", "root")])
def test_a_suite_in_the_root_and_one_below_it_each_have_their_own_functions(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    folders = {"root": tmp_path, "below": tmp_path / "below"}
    (tmp_path / "below").mkdir()
    for name, folder in folders.items():
        (folder / "level_app.py").write_text(f"def f(): return {name!r}\n")
    for name in (*order, *order):
        assert load_function("level_app:f", folders[name], tmp_path)() == name


def test_a_module_that_another_suite_has_is_not_found(tmp_path: Path) -> None:
    for name in ("has_it", "has_not"):
        (tmp_path / name).mkdir()
    (tmp_path / "has_it" / "single_app.py").write_text("def f():\n    import late_app\n    return late_app.WORD\n")
    (tmp_path / "has_it" / "late_app.py").write_text("WORD = 'late'\n")
    function = load_function("single_app:f", tmp_path / "has_it", tmp_path)
    with pytest.raises(ConfigError, match="No module named 'single_app'"):
        load_function("single_app:f", tmp_path / "has_not", tmp_path)
    assert function() == "late"  # it imports when it is called, and finds what is its own


def test_what_two_suites_share_has_the_namesake_of_each(tmp_path: Path) -> None:
    (tmp_path / "common_app.py").write_text("import near_words\ndef f(): return near_words.WORD\n")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "near_words.py").write_text(f"WORD = {name!r}\n")
    assert [load_function("common_app:f", tmp_path / name, tmp_path)() for name in ("one", "two")] == ["one", "two"]


def test_a_name_that_the_process_has_taken_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (elsewhere / "taken_app.py").write_text("def f(): return 'not this'\n")
    monkeypatch.syspath_prepend(elsewhere)
    importlib.import_module("taken_app")
    (project := tmp_path / "project").mkdir()
    (project / "taken_app.py").write_text("def f(): return 'this'\n")
    with pytest.raises(ConfigError, match=r"in this process it is \S+elsewhere/taken_app.py, and not \S+project"):
        load_function("taken_app:f", project, project)


class _Model:
    def __init__(self, **parameters: Any) -> None:
        self.fingerprint: Mapping[str, Any] = {"model": "m", "parameters": parameters}
        self.chats: list[tuple[list[Message], dict[str, Any]]] = []
        self.closed = False

    async def chat(self, messages: Sequence[Message], *, schema: Any = None, **overrides: Any) -> Generation:
        self.chats.append((list(messages), overrides))
        return Generation("ok")

    async def embed(self, texts: Sequence[str]) -> Failure:
        return Failure("rejected", "no")

    async def aclose(self) -> None:
        self.closed = True


def test_without_a_prompt_the_sample_is_the_chat() -> None:
    target = Prompted(_Model(), None)
    chat = (Message("system", "Be short."), Message("user", "hi"))
    assert target.request(Sample("s", chat)) == [message.as_json() for message in chat]
    assert target.fingerprint["prompt"] is None


def test_a_prompt_is_rendered_with_the_samples_own_values() -> None:
    prompt = Prompt.of("p", "{{ metadata.language }}: {{ contexts | join('; ') }} {{ input }}")
    assert Prompted(_Model(), prompt).request(SAMPLE) == [{"role": "user", "content": "ko: passage hello"}]


def test_repeats_differ_by_the_seed_where_there_is_one() -> None:
    seeded, free = _Model(seed=40), _Model(temperature=1)
    for model in (seeded, free):
        target = Prompted(model, None)

        async def work(target: Prompted = target) -> None:
            for repeat in range(3):
                await target.generate(SAMPLE, target.request(SAMPLE), repeat)
            await target.aclose()

        asyncio.run(work())
        assert model.closed
    assert [overrides for _, overrides in seeded.chats] == [{}, {"seed": 41}, {"seed": 42}]
    assert [overrides for _, overrides in free.chats] == [{}, {}, {}]


def test_a_variable_that_nobody_offers_or_a_sample_lacks_is_named() -> None:  # REG-05
    with pytest.raises(ConfigError, match="variable 'question' is not offered"):
        Prompted(_Model(), Prompt.of("p", "{{ question }}"))
    with pytest.raises(ConfigError, match="uses none of input, messages"):
        Prompted(_Model(), Prompt.of("p", "Say hello."))
    target = Prompted(_Model(), Prompt.of("p", "{{ input }} {{ metadata.topic }}"))
    with pytest.raises(ConfigError, match=r"p: sample 's1': .*topic"):
        target.request(SAMPLE)


def _recorded(*ids: str) -> Recorded:
    return Recorded(
        iter([(name, Generation(f"answer {name}", attempts=0)) for name in ids]), {"file": "o.jsonl", "digest": "d"}
    )


def test_recorded_outputs_join_by_id_in_any_order() -> None:
    target = _recorded("c", "a", "b")

    async def work() -> list[Any]:
        found = [await target.generate(Sample(name, "q"), name, 0) for name in ("a", "b", "c")]
        await target.aclose()
        return found

    found = asyncio.run(work())
    assert [answer.output for answer in found] == ["answer a", "answer b", "answer c"]
    assert {answer.attempts for answer in found} == {0}


def test_an_id_without_an_output_is_a_reason() -> None:
    target = _recorded("a")
    missing = target.answer("z")
    assert isinstance(missing, Failure)
    assert missing.reason == "no_recorded_output"
    assert isinstance(target.answer("a"), Generation)
    assert target.request(Sample("a", "q")) == "a"
    assert target.fingerprint == {"kind": "outputs", "file": "o.jsonl", "digest": "d"}
