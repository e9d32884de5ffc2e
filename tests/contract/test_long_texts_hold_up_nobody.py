"""A metric that computes for long does not stop the loop: other samples' answers arrive meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import structs
from sacrebleu.metrics import TER

from haetae.core.generation import Generation, Stage
from haetae.core.metric import Metric, MetricFacts
from haetae.core.sample import Message, Sample, ToolCall
from haetae.core.score import Score
from haetae.engine.computing import is_long
from haetae.engine.scoring import addressed, score, score_key
from haetae.metrics.form.length import Length
from haetae.metrics.reference.bleu import Bleu
from haetae.metrics.reference.chrf import Chrf
from haetae.metrics.reference.rouge import Rouge
from haetae.metrics.reference.short_answers import TokenF1
from haetae.metrics.reference.ter import Ter

LONG = "오늘 학교에 갔습니다. The cat sat on the mat. " * 22_000  # a megabyte
SHORT = "오늘 회사에 갔습니다. A dog sat on the mat. " * 10


class Waiting:
    """A metric that ends only when it is let go; alone in its thread, if it has one."""

    def __init__(self) -> None:
        self.facts = MetricFacts("waiting", "1")
        self.let_go = threading.Event()
        self.threads: list[threading.Thread] = []
        self.at_once = self.most = 0

    def score(self, sample: Sample, generation: Generation) -> Score:
        self.threads.append(threading.current_thread())
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        done = self.let_go.wait(timeout=60)
        self.at_once -= 1
        return Score(float(done))


async def counted(metric: Metric, output: str, reference: str, turns: Callable[[int], Any]) -> tuple[Score, int]:
    """The score, and how often the loop turned before it was there."""
    task = asyncio.create_task(score(metric, Sample("s", "", (reference,)), Generation(output)))
    count = 0
    while not task.done():
        await asyncio.sleep(0)
        count += 1
        turns(count)
    return task.result(), count


def test_the_loop_turns_while_a_metric_computes_on_a_long_text() -> None:
    metric = Waiting()
    found, count = asyncio.run(counted(metric, LONG, SHORT, lambda count: count == 1000 and metric.let_go.set()))
    assert found.value == 1.0  # let go by a turn of the loop, which a metric on the loop would have waited for in vain
    assert count >= 1000
    assert metric.threads[0] is not threading.main_thread()


def test_a_short_text_is_scored_where_it_is() -> None:
    metric = Waiting()
    metric.let_go.set()
    found, count = asyncio.run(counted(metric, "a", "b", lambda count: None))
    assert (found.value, count) == (1.0, 1)
    assert metric.threads == [threading.main_thread()]


MANY = tuple("가" for _ in range(10_000))
CALL = ToolCall("look", {"cities": list(range(10_000))})


@pytest.mark.parametrize(
    ("sample", "answer"),
    [
        (Sample("s", "q", contexts=MANY), Generation("a")),
        (Sample("s", "q", relevant={f"{n}": 1 for n in range(10_000)}), Generation("a")),
        (Sample("s", "q", tool_calls=(CALL,)), Generation("a")),
        (Sample("s", (Message("user", "q" * 10_000),)), Generation("a")),
        (Sample("s", "q"), Generation("a", contexts=("",) * 10_000)),
        (Sample("s", "q"), Generation("a", tool_calls=(CALL,))),
        (Sample("s", "q"), Generation("a", stages=tuple(Stage(f"{n}") for n in range(10_000)))),
        (Sample("s", "q"), Generation("a", stages=(Stage("search", retrieved=MANY),))),
        (Sample("s", "q"), Generation("a", transcript=(Message("assistant", "a" * 10_000),))),
        (Sample("s", "q"), Generation("a", transcript=(Message("assistant", "", tool_calls=(CALL,)),))),
    ],
)
def test_all_that_a_metric_may_read_makes_a_long_text(sample: Sample, answer: Generation) -> None:
    metric = Waiting()
    metric.let_go.set()
    assert asyncio.run(score(metric, sample, answer)).value == 1.0
    assert metric.threads[0] is not threading.main_thread()


def test_what_is_long_is_counted_no_further_than_it_takes() -> None:
    read = 0

    class Counted(tuple[str, ...]):
        def __iter__(self) -> Iterator[str]:
            nonlocal read
            for text in super().__iter__():
                read += 1
                yield text

    assert is_long(Sample("s", "q", contexts=Counted(["a"] * 100_000)), Generation("a"))
    assert read == 2_499  # the answer and each passage count two


def test_the_key_of_a_long_answer_is_the_same_and_made_in_a_thread() -> None:
    facts, sample = MetricFacts("recall", "1"), Sample("s", "q", metadata={"kind": "x"})
    stages = tuple(Stage(f"{n}", retrieved=("a",), latency_s=1.0, cost_usd=0.5) for n in range(10_000))
    answer = Generation("a", stages=stages)

    async def work() -> tuple[str, int]:
        task = asyncio.create_task(addressed(facts, sample, "key", answer, ""))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        return task.result(), turns

    key, turns = asyncio.run(work())
    bare = structs.replace(
        answer, stages=tuple(structs.replace(stage, latency_s=None, cost_usd=None) for stage in stages)
    )
    assert key == score_key(facts, sample, "another key", bare, "")
    assert answer.stages[0].latency_s == 1.0
    assert turns > 1


def test_one_long_text_is_computed_on_at_a_time() -> None:
    metric = Waiting()

    async def both() -> list[tuple[Score, int]]:
        first = counted(metric, LONG, SHORT, lambda count: count == 1000 and metric.let_go.set())
        return await asyncio.gather(first, counted(metric, LONG, SHORT, lambda count: None))

    assert [found.value for found, _ in asyncio.run(both())] == [1.0, 1.0]
    assert (metric.most, len(metric.threads)) == (1, 2)


def test_what_is_raised_in_the_thread_is_the_metrics_own_failure() -> None:
    class Broken(Waiting):
        def score(self, sample: Sample, generation: Generation) -> Score:
            raise StopIteration("no more")  # what a future refuses to hold

    found, _ = asyncio.run(counted(Broken(), LONG, SHORT, lambda count: None))
    assert (found.value, found.reason) == (None, "metric_raised")
    assert "no more" in str(found.explanation)


def test_the_search_of_ter_goes_on_in_a_thread_for_a_paragraph_already() -> None:
    words = [f"w{n}" for n in range(40)]
    output, reference = " ".join(words[20:] + words[:20]), " ".join(words)
    found, count = asyncio.run(counted(Ter(), output, reference, lambda count: None))
    assert found.value == pytest.approx(100 * TER().sentence_score(output, [reference]).num_edits / 40)
    assert count > 1


@pytest.mark.parametrize(
    "metric",
    [Rouge("1"), Rouge("L"), Rouge("Lsum"), TokenF1(), Chrf(2), Bleu("13a"), Length(), Ter()],
    ids=lambda metric: metric.facts.text,
)
def test_a_megabyte_is_scored_while_the_loop_turns(metric: Metric) -> None:
    found, count = asyncio.run(counted(metric, LONG, SHORT, lambda count: None))
    assert found.value is not None or found.reason == "text_too_long"
    assert count > 1  # on the loop it would have been there after one turn
