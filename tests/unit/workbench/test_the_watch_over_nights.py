"""The watch over scheduled runs: which fell, since when, what changed there; and the plan of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from haetae.core.run import Manifest, Run
from haetae.store.sql import SqlLedger
from haetae.workbench.watch import watch

ARun = Callable[..., Run]
SUITE = {"suite": "bot", "slices": ["language"], "target": {"model": "llm", "prompt": "ask"}, "metrics": {}}
GATED = {**SUITE, "gate": {"metrics": {"good": {"max_drop": 0.05}}}}


def _nights(a_run: ARun, manifest: Callable[..., Manifest], nights: int, worse_from: int | None = None) -> list[Run]:
    random, runs = Random(3), []  # noqa: S311  # a test's noise, not a secret
    for night in range(nights):
        fallen = worse_from is not None and night >= worse_from
        target = {**manifest().target, "prompt": {"name": "ask", "digest": ("q" if fallen else "p") * 64}}
        asked = manifest(suite=GATED, target=target, epoch=f"night {night}")
        scores = [float(n < (150 if fallen else 180)) for n in range(200)]
        flipped = random.sample(range(200), 4)
        runs.append(a_run(asked, good=[1 - s if n in flipped else s for n, s in enumerate(scores)]))
    return runs


def test_quiet_nights_raise_no_alarm(ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]) -> None:
    _nights(a_run, manifest, 12)
    assert watch(ledger, budget=1) == []


def test_a_drop_is_named_with_its_night_and_with_what_changed_there(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    runs = _nights(a_run, manifest, 12, worse_from=8)
    (found,) = watch(ledger, budget=1)
    assert (found.suite, found.metric) == ("bot", "good")
    assert found.alarm.changed_at == runs[8].id
    assert found.alarm.delta < 0
    assert found.changed == (f"target.prompt.digest: {'p' * 64} → {'q' * 64}",)
    assert found.sentence.startswith("good of bot fell by 1")
    assert f"since {runs[8].id}" in found.sentence


def test_runs_that_reuse_answers_are_not_nights(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    for level in (190, 190, 190, 90):
        a_run(manifest(suite=GATED), good=[float(n < level) for n in range(200)])
    assert watch(ledger, budget=1) == []


def test_another_dataset_begins_another_history(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    _nights(a_run, manifest, 8)
    other = replace(manifest(suite=GATED), dataset={"name": "d", "version": "sha256:" + "e" * 64, "count": 200})
    for night in range(3):
        a_run(replace(other, epoch=f"later {night}"), good=[float(n < 90) for n in range(200)])
    assert watch(ledger, budget=1) == []


def test_a_suite_that_nobody_runs_has_no_alarm(ledger: SqlLedger) -> None:
    assert watch(ledger, budget=1, suites=["unknown"]) == []
