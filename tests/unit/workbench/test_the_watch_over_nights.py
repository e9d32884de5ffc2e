"""The watch over scheduled runs: which fell, since when, what changed there; and the plan of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from haetae.core.run import Manifest, Run
from haetae.errors import ConfigError
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
    assert watch(ledger, budget=1).alarms == ()


def test_a_drop_is_named_with_its_night_and_with_what_changed_there(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    runs = _nights(a_run, manifest, 12, worse_from=8)
    (found,) = watch(ledger, budget=1).alarms
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
    assert watch(ledger, budget=1).alarms == ()


def test_another_dataset_begins_another_history(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    _nights(a_run, manifest, 8)
    other = replace(manifest(suite=GATED), dataset={"name": "d", "version": "sha256:" + "e" * 64, "count": 200})
    for night in range(3):
        a_run(replace(other, epoch=f"later {night}"), good=[float(n < 90) for n in range(200)])
    assert watch(ledger, budget=1).alarms == ()


def test_a_suite_that_nobody_runs_is_told(ledger: SqlLedger, a_run: ARun) -> None:
    with pytest.raises(ConfigError, match=r"no suite 'bott' has a run in this ledger; there are none"):
        watch(ledger, budget=1, suites=["bott"])
    a_run(good=[1.0] * 3)
    with pytest.raises(ConfigError, match=r"did you mean bot\?"):
        watch(ledger, budget=1, suites=["bott"])


def test_an_alarm_stands_on_later_nights_until_the_metric_has_recovered(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    _nights(a_run, manifest, 9, worse_from=8)
    said = watch(ledger, budget=1)
    assert (said.exit_code, [found.newest for found in said.alarms]) == (1, [True])
    assert said.text.splitlines()[1].startswith("✗ good of bot fell by 1")
    again = manifest(suite=GATED, epoch="night 9")
    a_run(again, good=[float(n < 150) for n in range(200)])
    said = watch(ledger, budget=1)
    assert (said.exit_code, [found.newest for found in said.alarms]) == (1, [False])
    assert said.text.splitlines()[1].endswith("(still down)")
    (alarm,) = said.as_json()["alarms"]
    assert alarm["detected_at_run"] == alarm["changed_at_run"]
    assert (alarm["stands"], alarm["recovered_at_run"]) == (True, None)
    mended = a_run(replace(again, epoch="night 10"), good=[float(n < 180) for n in range(200)])
    said = watch(ledger, budget=1)
    assert (said.exit_code, [found.alarm.recovered_at for found in said.alarms]) == (0, [mended.id])
    assert said.text.splitlines()[1].startswith("· good of bot fell by 1")
    assert said.text.splitlines()[1].endswith(f"(recovered since {mended.id})")
    assert said.text.splitlines()[2] == "✓ No alarm stands."


def test_one_night_is_no_history_and_without_a_gate_nothing_is_watched(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:
    a_run(manifest(suite=GATED, epoch="one"), good=[1.0] * 30)
    said = watch(ledger, budget=1)
    assert said.exit_code == 3
    assert said.notes == ("bot: two scheduled runs (haetae run --fresh) on one dataset are the least to watch",)
    a_run(manifest(epoch="two"), good=[1.0] * 30)
    assert watch(ledger, budget=1).notes == (
        "bot: its newest run declares no gate, and only gated metrics are watched",
    )


def test_a_newest_night_with_too_few_scores_is_not_quiet(
    ledger: SqlLedger, a_run: ARun, manifest: Callable[..., Manifest]
) -> None:  # JDG-16
    for night in range(3):
        a_run(manifest(suite=GATED, epoch=f"night {night}"), good=[1.0] * 200)
    last = a_run(manifest(suite=GATED, epoch="last"), good=["judge_failed"] * 11 + [1.0] * 189)
    said = watch(ledger, budget=1)
    assert said.blind == (f"good of bot: {last.id} has 189 of 200 scores",)
    assert said.exit_code == 3
