"""A ledger as a team would have it after some nights, written through the ledger itself."""

from __future__ import annotations

import html
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from haetae import Workbench, load_settings
from haetae.core import reasons
from haetae.core.canonical import digest
from haetae.core.generation import Failure, Generation, Usage
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, Run, RunStatus, ScoreRow
from haetae.core.sample import Sample
from haetae.core.score import Score
from tests.unit.stats.whole_tables import estimates

APP = Path(__file__).parents[2] / "dashboards" / "app.py"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
FIRST = datetime(2026, 3, 1, 21, 0, tzinfo=UTC)
HUGE = 20_000_000
"""Characters of one answer."""


@dataclass
class Canary:
    """A server that no page may ever ask; `asked` is what was asked all the same."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def canary() -> Iterator[Canary]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen = Canary(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield seen
    server.shutdown()
    server.server_close()


def hostile(url: str) -> list[str]:
    """Answers that would do something if they were anything but text."""
    return [
        f"<script>window.pwned=1; fetch('{url}/script')</script><img src=x onerror=\"window.pwned=1\">",
        f"![tracked]({url}/image.png) [press](javascript:window.pwned=1) <iframe src='{url}/frame'></iframe>",
        f'=HYPERLINK("{url}/sheet";"refund")',
        "مرحبا بالعالم: עברית וערבית معا 123 👩🏽‍🚀🇰🇷",
        "길" * 10_000,
        "가" * HUGE,
    ]


KOREAN = [
    ("환불은 며칠 걸리나요?", "환불은 영업일 기준 3일 안에 처리됩니다.", "refund"),
    ("배송지를 바꿀 수 있나요?", "출고 전이라면 주문 내역에서 배송지를 바꾸실 수 있습니다.", "delivery"),
    ("휴대폰 결제는 한 달에 얼마까지 가능해요?", "휴대폰 결제는 한 달에 50만 원까지 가능합니다.", "payment"),
    ("비밀번호를 잊어버렸어요.", "로그인 화면의 ‘비밀번호 찾기’에서 다시 정하실 수 있습니다.", "account"),
    ("쿠폰은 여러 장 함께 쓸 수 있나요?", "쿠폰은 주문 한 건에 한 장만 쓰실 수 있습니다.", "coupon"),
]
ENGLISH = [
    ("How do I resume an interrupted run?", "Run the same command again; finished samples are kept.", "runs"),
    ("Where is the ledger stored?", "In .haetae/ledger.db unless HAETAE_LEDGER says otherwise.", "ledger"),
    ("What does inconclusive mean?", "The data can neither prove nor exclude a drop.", "verdicts"),
]
RATE = MetricFacts("exact_match", "1")
ROUGE = MetricFacts("rouge(L)", "1")
FAITHFUL = MetricFacts("faithfulness", "1", judge={"model": "demo-judge-3b", "prompt": "9f2c"})
POLITE = MetricFacts("judge(polite)", "1", 1.0, 5.0, judge={"model": "demo-judge-3b", "prompt": "41aa"})
COST = MetricFacts("cost_usd", "1", 0.0, None, higher_is_better=False, needs=frozenset({"price"}))


@dataclass(frozen=True)
class Seeded:
    """The seeded ledger, and the runs that tests speak of."""

    url: str
    pass_: str = "support-ko.7"
    regression: str = "support-ko.8"
    judge_drift: str = "docs-en.5"
    hostile: str = "docs-en.5"
    inconclusive: str = "번역-ko-en.3"
    unfinished: str = "번역-ko-en.4"
    whole: str = "번역-ko-en.2"


@dataclass(frozen=True)
class Night:
    """One run: how far its answers fell (on the scale 0 to 1), and what else is different."""

    drop: float = 0.0
    prompt: str = "support-ko-answer@3"
    judge: str | None = None
    version: str = "a" * 64
    done: float = 1.0
    timeouts: bool = True


class Seeder:
    """Writes runs of one suite: scores are drawn around each sample's own level."""

    def __init__(self, bench: Workbench, suite: str, cases: list[tuple[str, str, str]], size: int, seed: int) -> None:
        self.bench, self.suite, self.rng = bench, suite, np.random.default_rng(seed)
        self.samples = [
            Sample(
                f"{cases[i % len(cases)][2]}-{i:03d}",
                cases[i % len(cases)][0],
                (cases[i % len(cases)][1],),
                contexts=(cases[i % len(cases)][1] + " " + cases[(i + 1) % len(cases)][1],),
                metadata={"topic": cases[i % len(cases)][2], "language": "ko" if "ko" in suite else "en"},
            )
            for i in range(size)
        ]
        self.levels = self.rng.uniform(0.6, 0.95, size)

    def night(
        self, number: int, metrics: dict[str, MetricFacts], gate: dict[str, Any], night: Night, odd: list[str] | None
    ) -> Run:
        ledger, at = self.bench.ledger, FIRST + timedelta(days=number)
        if night.judge:
            metrics = {
                n: replace(f, judge={**f.judge, "model": night.judge}) if f.judge else f for n, f in metrics.items()
            }
        manifest = Manifest(
            suite={
                "suite": self.suite,
                "target": {"model": "demo-answerer@production", "prompt": "support-ko-answer@production"},
                "metrics": {name: facts.text for name, facts in metrics.items()},
                "slices": ["topic"],
                "gate": {"baseline": "production", "metrics": gate},
            },
            dataset={"name": f"{self.suite}.jsonl", "version": f"sha256:{night.version}", "count": len(self.samples)},
            target={"model": {"name": "demo-answerer-1b"}, "prompt": {"digest": digest(night.prompt)[:12]}},
            metrics=metrics,
            references={
                "demo-answerer@production": "demo-answerer@2",
                "support-ko-answer@production": night.prompt,
                "demo-judge@production": "demo-judge@1",
            },
        )
        run = ledger.start(self.suite, manifest, len(self.samples), at, seed=7, tags={"trigger": "nightly"})
        some = self.samples[: round(night.done * len(self.samples))]
        answers, scores = [], []
        for i, sample in enumerate(some):
            answers.append(self._answer(i, sample, night, odd or []))
            scores += self._scores(i, sample, metrics, night, answers[-1])
        ledger.record(run.id, some, answers, scores, at)
        if night.done == 1.0:
            run = ledger.finish(run.id, RunStatus.FINISHED, at + timedelta(minutes=11))
        else:
            run = ledger.finish(run.id, RunStatus.INTERRUPTED, at + timedelta(minutes=4), "interrupted")
            return run
        found = [e for name in metrics for e in estimates(name, ledger.table(run.id, name), None, seed=7)]
        ledger.save_estimates(run.id, found)
        ledger.save_comparison(self.bench.compare(run.id), at)
        return run

    def _answer(self, i: int, sample: Sample, night: Night, odd: list[str]) -> GenerationRow:
        if night.timeouts and i == len(self.samples) - 1:
            result: Generation | Failure = Failure(reasons.TIMEOUT, "no answer within 60 s", 5)
        else:
            text = odd[i] if i < len(odd) else sample.references[0] + (" 감사합니다." if night.drop else "")
            result = Generation(
                text, usage=Usage(210, 0, 42), cost_usd=0.00042, latency_s=0.8, model="demo-answerer-1b"
            )
        return GenerationRow(sample.id, 0, digest([sample.id, night.prompt, i])[:24], sample.digest, result)

    def _scores(
        self, i: int, sample: Sample, metrics: dict[str, MetricFacts], night: Night, answer: GenerationRow
    ) -> list[ScoreRow]:
        rows = []
        for name, facts in metrics.items():
            value = float(np.clip(self.levels[i] - night.drop + self.rng.normal(0, 0.06), 0, 1))
            if isinstance(answer.result, Failure):
                score = Score.unscored(reasons.NOT_GENERATED)
            elif facts.judge and i == 3:
                score = Score.unscored(reasons.JUDGE_UNPARSEABLE, "the reply was: **I think** it is fine")
            elif facts.high is None:
                score = Score(0.0004 + float(self.rng.normal(0, 0.00002)))
            else:
                low, high = facts.low or 0.0, facts.high
                why = "답변이 문서의 내용과 일치합니다." if facts.judge else None
                score = Score(low + value * (high - low), explanation=why)
            rows.append(ScoreRow(sample.id, 0, name, digest([name, i, night.prompt])[:24], score))
        return rows


def seed(url: str, odd: list[str]) -> Seeded:
    """Three suites: a regression, a judge that moved, an inconclusive run and one that did not finish."""
    support = {"rouge": ROUGE, "faithful": FAITHFUL, "polite": POLITE, "cost": COST}
    docs = {"faithful": FAITHFUL, "rouge": ROUGE}
    drop = {"max_drop": 0.05}
    with Workbench(load_settings({"HAETAE_LEDGER": url})) as bench:
        suite = Seeder(bench, "support-ko", KOREAN, 100, 1)
        gate = {"rouge": {**drop, "by": "topic"}, "faithful": drop, "polite": drop, "cost": {"max_drop": 0.0002}}
        for number in range(1, 9):
            night = Night(0.13, "support-ko-answer@4") if number == 8 else Night()
            run = suite.night(number, support, gate, night, None)
            if number == 1:
                bench.promote(run.id)
        suite = Seeder(bench, "docs-en", ENGLISH, 60, 2)
        for number in range(1, 6):
            last = Night(judge="demo-judge-7b") if number == 5 else Night()
            run = suite.night(number, docs, {"faithful": drop, "rouge": drop}, last, odd if number == 5 else None)
            if number == 2:
                bench.promote(run.id)
        suite = Seeder(bench, "번역-ko-en", KOREAN, 24, 3)
        for number in range(1, 5):
            night = (Night(), Night(timeouts=False), Night(0.015, "translate@7"), Night(done=0.5))[number - 1]
            run = suite.night(
                number, {"exact": RATE, "rouge": ROUGE}, {"exact": {"max_drop": 0.02}, "rouge": drop}, night, None
            )
            if number == 1:
                bench.promote(run.id)
    return Seeded(url)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Seeded:
    return seed(f"sqlite:///{tmp_path_factory.mktemp('seeded')}/ledger.db", hostile(canary.url))


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Opens the app on a ledger, at a page and an address."""
    import streamlit as st

    def open_at(url: str, page: str = "overview", **address: str) -> AppTest:
        monkeypatch.setenv("HAETAE_LEDGER", url)
        app = AppTest.from_file(str(APP), default_timeout=60)
        for name, value in address.items():
            app.query_params[name] = value
        app.run()
        if page != "overview":
            app.switch_page(f"views/{page}.py")
            for name, value in address.items():
                app.query_params[name] = value
            app.run()
        return app

    yield open_at
    st.cache_data.clear()
    st.cache_resource.clear()


def said(app: AppTest) -> str:
    """All that a page says in words, with the escapes of labels undone."""
    kinds = ("title", "subheader", "text", "caption", "markdown", "info", "warning", "code")
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    parts += [re.sub(r"<[^>]+>", " ", element.proto.body) for element in app.get("html")]
    return html.unescape(re.sub(r"\\(.)", r"\1", "\n".join(parts)))


@pytest.fixture
def read() -> Callable[[AppTest], str]:
    return said


@pytest.fixture
def workbench(seeded: Seeded) -> Iterator[Workbench]:
    """The workbench on the seeded ledger, to compare pages with."""
    with Workbench(load_settings({"HAETAE_LEDGER": seeded.url}), readonly=True) as bench:
        yield bench


@pytest.fixture(autouse=True)
def _main_stays_what_it_is() -> Iterator[None]:
    """Streamlit's tests leave the app there, and whoever starts a process of Python later would start the app."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium is installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    options = ["--disable-gpu", "--no-first-run", "--disable-background-networking"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")  # Chromium's sandbox does not start as root
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=options)
        yield chromium
        chromium.close()
