"""One run with everything awkward in it, an outbox in memory, and MLflow databases that are quick to make."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from haetae.core.generation import Failure, Generation
from haetae.core.ledger import Delivery, SampleResult
from haetae.core.metric import MetricFacts
from haetae.core.registry import Version
from haetae.core.run import Accounting, GenerationRow, Manifest, Run, RunStatus, ScoreRow, Spent
from haetae.core.sample import Message, Sample
from haetae.core.score import Score
from haetae.core.tracker import RunRecord
from haetae.core.verdict import Comparison, Estimate, Verdict

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECRET = "sk-live-0123456789abcdefghij"


def make_version(kind: str, name: str, content: object, number: int = 1, aliases: tuple[str, ...] = ()) -> Version:
    from haetae.core.canonical import digest

    return Version(kind, name, number, digest(content), content, START, aliases)  # type: ignore[arg-type]  # plain text in tests


def make_record(run_id: str = "support-bot.7", estimates: tuple[Estimate, ...] | None = None) -> RunRecord:
    model = {"base_url": "http://127.0.0.1:9/v1", "model": "qwen", "temperature": 0.2}
    manifest = Manifest(
        suite={"suite": "support-bot", "metrics": {"rouge": "rouge(L)"}, "limit": 3, "api_key": SECRET},
        dataset={"name": "support", "version": "a" * 64, "samples": 3},
        target={"model": model, "headers": f"Authorization: Bearer {SECRET}", "system": "길다" * 50_000},
        metrics={"rouge": MetricFacts("rouge(L)", "1"), "polite": MetricFacts("judge(polite)", "1")},
    )
    run = Run(
        run_id, "support-bot", 7, RunStatus.FINISHED, manifest, 3, START, START + timedelta(seconds=90), seed=5,
        tags={"commit": "abc123", "note": f"key={SECRET}"},
    )  # fmt: skip
    return RunRecord(
        run=run,
        estimates=estimates if estimates is not None else ESTIMATES,
        comparison=Comparison(
            "support-bot", run_id, ("support-bot.6",), Verdict.REGRESSION, "rouge fell", moved=("prompt",)
        ),
        accounting=[Accounting("rouge", 3, 1, {"timeout": 1}), Accounting("polite", 3, 1, {"judge_parse_failure": 1})],
        spent=Spent(calls=4, tokens=1234, cost_usd=0.0125, reused=1, retried=2),
        results=_results(),
        versions=[
            make_version("model", "support-llm", model, 3, ("production",)),
            make_version(
                "prompt", "support-answer", [{"role": "user", "content": "답: {{ input }}"}], 4, ("candidate",)
            ),
            make_version("dataset", "support", {"path": "support.jsonl"}, 2),
        ],
        suite_text=f"suite: support-bot\n# token={SECRET}\n",
    )


ESTIMATES = (
    Estimate("rouge", "", 0.4375, 0.40, 0.47, 120, 120, 3),
    Estimate("rouge", "language=ko", 0.390625, 0.35, 0.44, 60, 60, 2),
    Estimate("rouge", "topic=환불/배송?", 0.25, None, None, 4, 4, 1),
    Estimate("polite", "", None, None, None, 0, 0, 3),
)


def _results() -> list[SampleResult]:
    asked = Sample("s1", "어디에 있나요?", ("여기",), metadata={"language": "ko"})
    chat = Sample("s2", (Message("system", "be kind"), Message("user", f"my key is {SECRET}")), ("a", "b"))
    never = Sample("s3", "\ud800 alone")
    answer = Generation("=HYPERLINK(1)", latency_s=0.5)
    return [
        SampleResult(
            asked, 0, GenerationRow("s1", 0, "k1", asked.digest, answer),
            {
                "rouge": ScoreRow("s1", 0, "rouge", "r1", Score(0.4375)),
                "polite": ScoreRow("s1", 0, "polite", "p1", Score.unscored("judge_parse_failure", "said 'maybe'")),
            },
        ),
        SampleResult(chat, 0, GenerationRow("s2", 0, "k2", chat.digest, Failure("timeout", "60 s")), {}),
        SampleResult(never, 0, None, {}),
    ]  # fmt: skip


@dataclass
class MemoryOutbox:
    """The ledger's outbox: what a tracker has not taken is pending."""

    open: dict[int, Delivery] = field(default_factory=dict)
    taken: dict[int, str | None] = field(default_factory=dict)

    def enqueue(self, tracker: str, run_id: str, key: str) -> None:
        number = len(self.open) + len(self.taken) + 1
        self.open[number] = Delivery(number, tracker, run_id, key, 0, None)

    def pending(self, tracker: str | None = None) -> list[Delivery]:
        return [one for one in self.open.values() if tracker in (None, one.tracker)]

    def delivered(self, delivery_id: int, at: datetime, receipt: str | None = None) -> None:
        del self.open[delivery_id]
        self.taken[delivery_id] = receipt

    def undelivered(self, delivery_id: int, error: str, at: datetime) -> None:
        one = self.open[delivery_id]
        self.open[delivery_id] = Delivery(one.id, one.tracker, one.run_id, one.key, one.tries + 1, error)


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
def record() -> RunRecord:
    return make_record()


@pytest.fixture
def record_with() -> Callable[..., RunRecord]:
    return make_record


@pytest.fixture
def version() -> Callable[..., Version]:
    return make_version


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its schema: migrating a fresh one takes seconds, copying it none."""
    from haetae.trackers.mlflow import MlflowTracker

    database = tmp_path_factory.mktemp("mlflow") / "template.db"
    MlflowTracker(f"sqlite:///{database}")._client.search_experiments()
    return database


@pytest.fixture
def mlflow_uri(mlflow_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of its own; the working folder is another, so that a stray default store would show."""
    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


@pytest.fixture
def wandb_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for everything that wandb writes, and no account."""
    for name in ("DATA", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name.lower()))
    for name in [name for name in os.environ if name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL")]:
        monkeypatch.delenv(name)
    return tmp_path / "told"
