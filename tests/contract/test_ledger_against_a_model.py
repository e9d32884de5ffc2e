"""The ledger against plain dictionaries: runs, kills, resumes, changed prompts and judges, fresh runs and prunes, in
any order that Hypothesis thinks of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from haetae.core import reasons
from haetae.core.generation import Failure, Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from haetae.store.sql import open_ledger
from haetae.store.tables import GENERATION, METADATA, RUN, SCORE

AT = datetime(2026, 3, 1, tzinfo=UTC)
SAMPLES = {name: Sample(name, f"question {name}") for name in ("a", "나", "c")}
PAIRS = [(name, repeat) for name in SAMPLES for repeat in (0, 1)]
NOBODY = (1 << 22) + 1
"""A process number that no Linux gives."""

Pair = tuple[str, int]


@dataclass
class Known:
    """A run as the model has it: by (sample, repeat) the key of an answer and its text, None for a failure; and the
    same of scores, with the metric."""

    prompt: int
    judge: int
    epoch: str
    finished: bool = False
    answers: dict[Pair, tuple[str, str | None]] = field(default_factory=dict)
    scores: dict[tuple[str, int, str], tuple[str, float | None]] = field(default_factory=dict)

    @property
    def config(self) -> tuple[int, int, bool]:
        return self.prompt, self.judge, bool(self.epoch)


class LedgerMachine(RuleBasedStateMachine):
    """`url` is set by the test; every example starts with an empty ledger."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = open_ledger(self.url)
        self.runs: dict[str, Known] = {}
        self.prompt = self.judge = self.epochs = 0

    def teardown(self) -> None:
        self.ledger.close()

    # what people do

    @rule(
        pairs=st.lists(st.sampled_from(PAIRS), min_size=1, unique=True),
        fails=st.sets(st.sampled_from(PAIRS), max_size=3),
        judge_fails=st.sets(st.sampled_from(PAIRS), max_size=2),
        batch=st.integers(1, 4),
        fresh=st.booleans(),
        end=st.sampled_from(["finish", "interrupt", "close", "kill", "kill before the last commit"]),
    )
    def work(
        self,
        pairs: list[Pair],
        fails: set[Pair],
        judge_fails: set[Pair],
        batch: int,
        fresh: bool,
        end: str,
    ) -> None:
        """Start or continue a run, do some pairs, and end it in one of the ways in which runs end."""
        run, known = self._opened(fresh)
        parts = [pairs[start : start + batch] for start in range(0, len(pairs), batch)]
        for number, part in enumerate(parts):
            rows = [
                self._done(run, known, SAMPLES[name], repeat, (name, repeat) in fails, (name, repeat) in judge_fails)
                for name, repeat in part
            ]
            if end == "kill before the last commit" and number == len(parts) - 1:
                break  # what was paid for is not acknowledged
            answers = [answer for answer, _ in rows if answer is not None]
            scores = [score for _, some in rows for score in some]
            self.ledger.record(run.id, [SAMPLES[name] for name, _ in part], answers, scores, AT)
            self._acknowledge(known, answers, scores)
        if end.startswith("kill"):
            self._die()
        elif end == "close":
            self.ledger.close()
            self.ledger = open_ledger(self.url)
        else:
            status = RunStatus.FINISHED if end == "finish" else RunStatus.INTERRUPTED
            self.ledger.finish(run.id, status, AT)
            known.finished = end == "finish"

    @rule()
    def change_prompt(self) -> None:
        self.prompt += 1

    @rule()
    def change_judge(self) -> None:
        self.judge += 1

    @rule()
    def go_back_to_the_first_prompt_and_judge(self) -> None:
        self.prompt = self.judge = 0

    @rule(data=st.data())
    def prune(self, data: st.DataObject) -> None:
        if not self.runs:
            return
        wanted = data.draw(st.lists(st.sampled_from(sorted(self.runs)), unique=True))
        kept = self.ledger.kept(wanted)
        self.ledger.prune(wanted)
        for run_id in set(wanted) - set(kept):
            del self.runs[run_id]

    # as the engine does it

    def _manifest(self, epoch: str) -> Manifest:
        facts = {
            "exact": MetricFacts("exact", "1"),
            "polite": MetricFacts("polite", "1", judge={"model": f"judge {self.judge}"}),
        }
        return Manifest({"suite": "bot"}, {}, {"prompt": self.prompt}, facts, epoch=epoch)

    def _opened(self, fresh: bool) -> tuple[Run, Known]:
        found = self.ledger.unfinished("bot", self._manifest("").digest, fresh=fresh)
        config = (self.prompt, self.judge, fresh)
        free = [run_id for run_id, known in self.runs.items() if not known.finished and known.config == config]
        assert (found and found.id) == (max(free, key=_number) if free else None)
        if found is not None:
            return self.ledger.resume(found.id), self.runs[found.id]
        self.epochs += 1
        epoch = f"epoch {self.epochs}" if fresh else ""
        run = self.ledger.start("bot", self._manifest(epoch), len(PAIRS), AT, 7, {})
        assert run.id not in self.runs
        self.runs[run.id] = Known(self.prompt, self.judge, epoch)
        return run, self.runs[run.id]

    def _done(
        self, run: Run, known: Known, sample: Sample, repeat: int, fails: bool, judge_fails: bool
    ) -> tuple[GenerationRow | None, list[ScoreRow]]:
        """One pair: what the run lacks is taken from other runs, and paid for where none has it."""
        have = self.ledger.done(run.id, [sample.id]).get((sample.id, repeat))
        assert (have is not None) == ((sample.id, repeat) in known.answers)
        key = f"answer {known.prompt} {sample.id} {repeat} {known.epoch}"
        row, new = (None, None) if have is None or isinstance(have[0].result, Failure) else (have[0], None)
        if row is None:
            row = new = self._answer(key, sample, repeat, fails)
        settled = {} if have is None or new is not None else have[1]
        scores = []
        for metric, score_key in (("exact", f"exact {key}"), ("polite", f"polite {known.judge} {key}")):
            if metric in settled and settled[metric].score.reason not in reasons.RETRIED:
                continue
            scores.append(self._score(metric, score_key, row, judge_fails))
        return new, scores

    def _answer(self, key: str, sample: Sample, repeat: int, fails: bool) -> GenerationRow:
        found = self.ledger.find_generations([key]).get(key)
        if found is not None:
            return GenerationRow(sample.id, repeat, key, sample.digest, found.result, reused=True)
        assert key not in self._answers(), "an answer that a run has was not found: it would be paid twice"
        result = Failure(reasons.TIMEOUT, "slow", 1) if fails else Generation(f"{key} for {len(self.runs)}")
        return GenerationRow(sample.id, repeat, key, sample.digest, result)

    def _score(self, metric: str, key: str, row: GenerationRow, judge_fails: bool) -> ScoreRow:
        if isinstance(row.result, Failure):
            return ScoreRow(row.sample_id, row.repeat, metric, key, Score.unscored(reasons.NOT_GENERATED))
        if metric == "exact":
            return ScoreRow(row.sample_id, row.repeat, metric, key, Score(0.5))
        found = self.ledger.find_scores([key]).get(key)
        if found is not None:
            return ScoreRow(row.sample_id, row.repeat, metric, key, found.score, reused=True)
        assert key not in self._judgements(), "a judgement that a run has was not found: it would be paid twice"
        score = Score(None, reason=reasons.JUDGE_FAILED, calls=1) if judge_fails else Score(1.0, calls=1)
        return ScoreRow(row.sample_id, row.repeat, metric, key, score)

    def _acknowledge(self, known: Known, answers: list[GenerationRow], scores: list[ScoreRow]) -> None:
        for row in answers:
            text = row.result.output if isinstance(row.result, Generation) else None
            known.answers[row.sample_id, row.repeat] = (row.key, text)
        for score in scores:
            known.scores[score.sample_id, score.repeat, score.metric] = (score.key, score.score.value)

    def _die(self) -> None:
        """The process is no more: its leases are nobody's, and nothing gave them back."""
        self.ledger._leased.clear()
        self.ledger.close()
        self.ledger = open_ledger(self.url)
        mine = RUN.update().where(RUN.c.owner_token.is_not(None)).values(owner_pid=NOBODY, owner_started="")
        self.ledger._database.write("dying", lambda connection: connection.execute(mine))

    def _answers(self) -> dict[str, str]:
        return {key: text for run in self.runs.values() for key, text in run.answers.values() if text is not None}

    def _judgements(self) -> dict[str, float]:
        found = [
            pair for run in self.runs.values() for (_, _, metric), pair in run.scores.items() if metric == "polite"
        ]
        return {key: value for key, value in found if value is not None}

    # what holds at any time

    @invariant()
    def what_was_acknowledged_is_there_once_and_nothing_else_is(self) -> None:
        assert {run.id for run in self.ledger.runs()} == set(self.runs)
        for run_id, known in self.runs.items():
            done = self.ledger.done(run_id)
            answers = {pair: (row.key, getattr(row.result, "output", None)) for pair, (row, _) in done.items()}
            scores = {
                (*pair, name): (row.key, row.score.value)
                for pair, (_, some) in done.items()
                for name, row in some.items()
            }
            assert answers == known.answers
            assert scores == known.scores

        def counted(connection: sa.Connection) -> list[int]:
            tables = (GENERATION, SCORE)
            return [connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in tables]

        expected = [sum(len(run.answers) for run in self.runs.values()), sum(len(r.scores) for r in self.runs.values())]
        assert self.ledger._database.read("counting", counted) == expected

    @invariant()
    def the_accounts_add_up(self) -> None:
        for run_id, known in self.runs.items():
            for account in self.ledger.accounting(run_id):
                values = [value for (_, _, metric), (_, value) in known.scores.items() if metric == account.metric]
                assert account.scored == sum(value is not None for value in values)
                assert account.scored + sum(account.unscored.values()) + account.not_run == account.total == len(PAIRS)
                assert account.not_run == len(PAIRS) - len(known.answers)

    @invariant()
    def every_answer_and_judgement_that_a_run_has_is_found_by_its_key(self) -> None:
        answers, judgements = self._answers(), self._judgements()
        found = self.ledger.find_generations(list(answers))
        assert set(found) == set(answers)
        assert set(self.ledger.find_scores(list(judgements))) == set(judgements)


def _number(run_id: str) -> int:
    return int(run_id.rpartition(".")[2])


@contextmanager
def _empty(url: str) -> Iterator[type[LedgerMachine]]:
    """A machine whose every example starts with an empty ledger at this URL."""
    pattern = open_ledger(url)

    class Machine(LedgerMachine):
        def __init__(self) -> None:
            for table in reversed(METADATA.sorted_tables):
                pattern._database.write("emptying", lambda c, table=table: c.execute(table.delete()))
            super().__init__()

    Machine.url = url
    yield Machine
    pattern.close()


def _held_to(machine: type[LedgerMachine], examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks
        ),
    )


def test_a_ledger_on_sqlite_is_what_the_model_says() -> None:
    shared = Path("/dev/shm")  # in memory, where a commit costs no disk
    with (
        TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder,
        _empty(f"sqlite:///{folder}/ledger.db") as machine,
    ):
        _held_to(machine, examples=25, steps=15)


@pytest.mark.real
def test_a_ledger_on_postgres_is_what_the_model_says(postgres_url: str) -> None:
    with _empty(postgres_url) as machine:
        _held_to(machine, examples=6, steps=10)
