"""What pruning promises on every database: whole runs go, what they answered stays as long as any run has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from haetae.core.generation import Usage
from haetae.core.ledger import Annotation
from haetae.core.run import GenerationRow, RunStatus, ScoreRow
from haetae.core.score import Score
from haetae.errors import StoreError
from haetae.store.database import Database
from haetae.store.pruning import prune
from haetae.store.sizes import Held, Saved
from haetae.store.sql import SqlLedger
from haetae.store.tables import GENERATION, METADATA, SAMPLE, SCORE

Reopen = Callable[[], SqlLedger]
COUNTED = (SAMPLE, GENERATION, SCORE)


def _finished(ledger: SqlLedger, given: Any, samples: Sequence[Any], *, reused: bool = False, **where: Any) -> str:
    """A finished run with an answer and a judgement for each sample, called for or copied."""
    run = given.start(ledger, given.manifest("exact", "polite"), **where)
    usage = Usage(input=10, output=5)
    answers = [given.answer(s, usage=usage, cost_usd=0.5, reused=reused) for s in samples]
    judged = [given.score(s, Score(1.0, usage=usage, calls=2, cost_usd=0.25), "polite") for s in samples]
    judged = [ScoreRow(row.sample_id, 0, row.metric, row.key, row.score, reused) for row in judged]
    ledger.record(run.id, samples, answers, [*judged, *(given.score(s, 1.0) for s in samples)], given.at)
    return ledger.finish(run.id, RunStatus.FINISHED, given.later(1)).id


def _keys(samples: Sequence[Any]) -> list[str]:
    return [f"g-{sample.id}-0" for sample in samples]


def _counts(ledger: SqlLedger) -> list[int]:
    counts = [sa.select(sa.func.count()).select_from(table) for table in COUNTED]
    return ledger._database.read("counting", lambda c: [c.execute(count).scalar_one() for count in counts])


def _dangling(ledger: SqlLedger) -> int:
    """Rows whose parent is not there, by every foreign key."""

    def count(connection: sa.Connection) -> int:
        found = 0
        for table in METADATA.tables.values():
            for key in table.foreign_key_constraints:
                parent = key.referred_table.alias("parent")
                pairs = [parent.c[element.column.name] == element.parent for element in key.elements]
                lost = sa.select(sa.func.count()).select_from(table).where(~sa.exists().where(*pairs))
                found += connection.execute(lost).scalar_one()
        return found

    return ledger._database.read("looking for rows without a parent", count)


def test_a_run_goes_with_all_its_rows_and_the_samples_that_only_it_had(ledger: SqlLedger, given: Any) -> None:
    ours, theirs = [given.sample(f"a{n}") for n in range(7)], [given.sample(f"b{n}") for n in range(3)]
    old, new = _finished(ledger, given, [*ours, *theirs]), _finished(ledger, given, theirs)
    deleted = ledger.prune([old])
    assert deleted == {"run": 1, "generation": 10, "score": 20, "sample": 7}
    assert [run.id for run in ledger.runs()] == [new]
    assert _counts(ledger) == [3, 3, 6]
    assert _dangling(ledger) == 0
    with pytest.raises(StoreError, match=r"no run 'support\.1'; the newest are: support\.2"):
        ledger.run(old)
    assert len(ledger.results(new)) == 3
    assert given.start(ledger).id == "support.3"


def test_a_run_is_deleted_in_parts_of_any_size(ledger: SqlLedger, given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "_FIRST", 2)
    monkeypatch.setattr(prune, "_FEWEST", 1)
    samples = [given.sample(f"s{n}") for n in range(23)]
    old = _finished(ledger, given, samples)
    _finished(ledger, given, samples[:1])
    assert ledger.prune([old]) == {"run": 1, "generation": 23, "score": 46, "sample": 22}


def test_a_reader_never_sees_half_of_a_run(
    ledger: SqlLedger, reopen: Reopen, given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # STO-20
    """Between any two transactions of a prune another connection reads what the dashboard shows."""
    samples = [given.sample(f"s{n:02}") for n in range(20)]
    runs = [_finished(ledger, given, samples) for _ in range(4)]
    reader, seen = reopen(), []

    def look(_: float) -> None:
        shown = [run.id for run in reader.runs()]
        for run_id in shown:
            assert len(reader.results(run_id)) == 20
            assert [(a.metric, a.scored) for a in reader.accounting(run_id)] == [("exact", 20), ("polite", 20)]
            assert (reader.spent(run_id).calls, reader.table(run_id, "polite").values.sum()) == (60, 20)
        seen.append(shown)

    monkeypatch.setattr("haetae.store.pruning.breathing.sleep", look)
    monkeypatch.setattr(prune, "_FIRST", 3)
    monkeypatch.setattr(prune, "_MOST", 3)
    ledger.prune(runs[:3])
    assert len(seen) > 3 * 20 // 4
    assert all(shown == runs[3:] for shown in seen)  # hidden together, before the first row goes


def test_a_copy_is_found_in_place_of_the_answer_that_was_pruned(ledger: SqlLedger, given: Any) -> None:
    samples = [given.sample(f"s{n}") for n in range(5)]
    first = _finished(ledger, given, samples)
    copies = [_finished(ledger, given, samples[:4], reused=True) for _ in range(3)]
    judgements = [f"s-{sample.id}-polite-0" for sample in samples]
    before = ledger.find_generations(_keys(samples)), ledger.find_scores(judgements)
    ledger.prune([first])
    for lost in copies[:2]:
        found, scores = ledger.find_generations(_keys(samples)), ledger.find_scores(judgements)
        assert set(found) == set(_keys(samples[:4]))
        assert all(row.result == before[0][key].result for key, row in found.items())
        assert {key: row.score for key, row in scores.items()} == {key: before[1][key].score for key in judgements[:4]}
        ledger.prune([lost])  # the heir itself
    assert set(ledger.find_generations(_keys(samples))) == set(_keys(samples[:4]))
    assert ledger.spent(copies[2]).calls == 0  # inheriting is not spending
    assert ledger.spent(copies[2]).reused == 4


def test_where_the_original_stays_no_copy_takes_its_place(ledger: SqlLedger, given: Any) -> None:
    samples = [given.sample("a")]
    _finished(ledger, given, samples)
    copy = _finished(ledger, given, samples, reused=True)
    _finished(ledger, given, samples, reused=True)
    ledger.prune([copy])
    heirs = sa.select(sa.func.count()).select_from(GENERATION).where(GENERATION.c.heir)
    assert ledger._database.read("counting", lambda c: c.execute(heirs).scalar_one()) == 0


def test_failures_and_what_was_never_called_for_have_no_heirs(ledger: SqlLedger, given: Any) -> None:
    sample = given.sample()
    first, second = (given.start(ledger) for _ in range(2))
    for run in (first, second):
        row = given.failure(sample, "empty_answer")
        copied = GenerationRow(row.sample_id, 0, row.key, row.sample_digest, row.result, run is second)
        ledger.record(run.id, [sample], [copied], [], given.at)
        ledger.finish(run.id, RunStatus.FINISHED, given.at)
    ledger.prune([first.id])
    assert ledger.find_generations(_keys([sample])) == {}


def test_what_keeps_a_run_is_said_and_it_stays(ledger: SqlLedger, reopen: Reopen, given: Any) -> None:
    samples = [given.sample("a")]
    names = ("baseline", "former", "waiting", "labelled", "plain", "last")
    run = {name: _finished(ledger, given, samples) for name in names}
    for name in ("former", "baseline"):
        ledger.promote("support", "production", run[name], given.at)
    ledger.enqueue("mlflow", run["waiting"], "k", given.at)
    ledger.annotate(run["labelled"], [Annotation("a", "polite", "mina", 1.0)], given.at)
    worked_on = given.start(reopen()).id
    interrupted = given.start(ledger).id
    ledger.finish(interrupted, RunStatus.INTERRUPTED, given.at)
    every = [*run.values(), worked_on, interrupted]
    kept = dict(ledger.kept(every))
    assert "works on it" in kept.pop(worked_on)
    assert kept == {
        run["baseline"]: "it is the baseline 'production'",
        run["waiting"]: "mlflow has yet to be told of it (haetae sync)",
        run["labelled"]: "it has 1 label of people (--annotated gives them up)",
        run["last"]: "it is the last finished run of its suite",
        interrupted: "it is the newest run of its suite, whose number is not given again",
    }
    ledger.prune(every)
    stayed = {row.id for row in ledger.runs()}
    assert stayed == {*every} - {run["former"], run["plain"]}
    assert ledger.baseline("support", "production").id == run["baseline"]  # type: ignore[union-attr]  # it is there


def test_labels_go_only_with_the_last_run_that_has_their_answer(ledger: SqlLedger, given: Any) -> None:
    a, b = given.sample("a"), given.sample("b")
    first, second, _ = (_finished(ledger, given, s) for s in ([a, b], [a], [given.sample("c")]))
    labels = [Annotation("a", "polite", "mina", 0.5), Annotation("b", "polite", "mina", 1.0)]
    ledger.annotate(first, labels, given.at)
    ledger.prune([first])
    assert len(ledger.ratings(first, "polite")) == 2  # nobody said that they may go
    deleted = ledger.prune([first], annotated=True)
    assert (deleted["run"], deleted["sample"]) == (1, 1)
    assert ledger.ratings(second, "polite") == labels[:1]
    assert _dangling(ledger) == 0


def test_a_run_that_is_being_pruned_is_shown_to_nobody_and_the_next_prune_ends_it(
    ledger: SqlLedger, reopen: Reopen, given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [given.sample(f"s{n}") for n in range(9)]
    old, new = _finished(ledger, given, samples), _finished(ledger, given, samples[:2], reused=True)
    monkeypatch.setattr(prune, "_FIRST", 3)

    def cut(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("haetae.store.pruning.breathing.sleep", cut)
    with pytest.raises(KeyboardInterrupt):
        ledger.prune([old])
    later = reopen()
    assert later.pruned() == [old]
    assert [run.id for run in later.runs()] == [new]
    assert later.suites() == ["support"]
    with pytest.raises(StoreError, match="no run"):
        later.results(old)
    with pytest.raises(StoreError, match="no run"):
        later.promote("support", "production", old, given.at)
    assert later.unfinished("support", later.run(new).manifest.digest) is None
    assert _dangling(later) == 0
    assert set(_keys(samples[:2])) <= set(later.find_generations(_keys(samples)))
    monkeypatch.undo()
    deleted = later.prune([])
    assert (deleted["run"], deleted["sample"]) == (1, 7)
    assert _counts(later) == [2, 2, 4]
    assert later.pruned() == []


def test_a_sample_that_is_referred_to_meanwhile_stays(
    ledger: SqlLedger, reopen: Reopen, given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look for orphans and their deletion another process records an answer to one of them."""
    samples = [given.sample("a"), given.sample("b")]
    old = _finished(ledger, given, samples)
    _finished(ledger, given, [given.sample("c")])
    other = reopen()
    raced: list[str] = []
    write = Database.write

    def racing(self: Database, what: str, work: Any) -> Any:
        if "nobody refers" in what and not raced:
            raced.append("")
            raced[0] = _finished(other, given, samples[:1])
        return write(self, what, work)

    monkeypatch.setattr(Database, "write", racing)
    ledger.prune([old])
    assert raced
    assert _dangling(ledger) == 0
    assert len(ledger.results(raced[0])) == 1


def test_what_a_ledger_holds_and_has_saved_is_told(ledger: SqlLedger, given: Any) -> None:
    samples = [given.sample(f"s{n}") for n in range(4)]
    for _ in range(2):
        _finished(ledger, given, samples[:3])
    _finished(ledger, given, samples[:2], reused=True)
    _finished(ledger, given, samples[:1], reused=True, suite="다른")
    assert ledger.held() == Held(runs=4, samples=3, answers=9, scores=18, reusable_answers=3, reusable_judgements=3)
    assert ledger.saved() == [
        Saved("support", "2026-03", answers=2, judgements=2, calls=6, tokens=60, cost_usd=1.5),
        Saved("다른", "2026-03", answers=1, judgements=1, calls=3, tokens=30, cost_usd=0.75),
    ]
    assert ledger.disk() > 0


@pytest.mark.parametrize("when", ["after the prune", "while a killed prune is not ended"])
def test_a_copy_that_is_recorded_after_its_source_was_pruned_is_found(
    ledger: SqlLedger, reopen: Reopen, given: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """A run looks up an answer and holds it in memory; what it was copied from is gone when it records it."""
    samples, others = [given.sample(f"s{n}") for n in range(3)], [given.sample("another")]
    old, _, held = _finished(ledger, given, samples), _finished(ledger, given, others), reopen()
    copying = given.start(held).id
    answers = [row._replace(reused=True) for row in held.find_generations(_keys(samples)).values()]
    judgements = [row._replace(reused=True) for row in held.find_scores(_judgements(samples)).values()]
    if when == "after the prune":
        ledger.prune([old])
    else:
        monkeypatch.setattr(prune.Pruning, "_delete_rows", _killed)
        with pytest.raises(KeyboardInterrupt):
            ledger.prune([old])
    held.record(copying, samples, answers, judgements, given.at)
    if when != "after the prune":
        monkeypatch.undo()
        monkeypatch.setattr(prune, "drop_orphans", _killed)  # before heirs are named once more
        with pytest.raises(KeyboardInterrupt):
            ledger.prune([])
    assert set(held.find_generations(_keys(samples))) == set(_keys(samples))
    assert set(held.find_scores(_judgements(samples))) == set(_judgements(samples))


def _judgements(samples: Sequence[Any]) -> list[str]:
    return [f"s-{sample.id}-polite-0" for sample in samples]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
