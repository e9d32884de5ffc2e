"""The dashboard as people meet it: the real server, a real browser, hostile texts, screenshots."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.real
MESSAGE = 5_000_000
"""Bytes that one message to the browser may have."""


@pytest.fixture(scope="module")
def server(seeded: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the dashboard, served by its own door on the seeded ledger."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("served")
    code = f"from haetae.dashboards.asgi import serve; serve(port={port}, ledger_url={seeded.url!r})"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(240):
            if process.poll() is not None:
                pytest.fail((folder / "log").read_text())
            try:
                if get(port, "/healthz").status == 200:
                    break
            except OSError:
                process_is_starting(process)
        else:
            pytest.fail("the dashboard did not answer")
        yield port
    finally:
        process.terminate()
        process.wait(20)


def process_is_starting(process: subprocess.Popen[bytes]) -> None:
    """Give the server a quarter of a second, or until it ends."""
    try:
        process.wait(0.25)
    except subprocess.TimeoutExpired:
        return


def get(port: int, path: str, host: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


class Visit:
    """One page in the browser, with what it asked and was sent."""

    def __init__(self, browser: Any, port: int, path: str, **query: str) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        self.largest = 0
        self.page = browser.new_page(viewport={"width": 1400, "height": 1900})
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda found: found.on("framereceived", self._received))
        self.page.goto(f"{self.origin}/{path}?{urlencode(query)}")
        self.settled()

    def _received(self, frame: Any) -> None:
        self.largest = max(self.largest, len(frame))

    def settled(self) -> None:
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
        self.page.wait_for_selector('[data-testid="stHeading"], [data-testid="stException"]', timeout=60_000)
        self.page.wait_for_load_state("networkidle")

    def check(self) -> None:
        assert self.page.locator('[data-testid="stException"]').count() == 0
        assert self.page.evaluate("window.pwned") is None
        elsewhere = [url for url in self.asked if not url.startswith((self.origin, "data:", "blob:"))]
        assert elsewhere == []

    def shoot(self, folder: Path, name: str) -> None:
        self.page.evaluate("document.fonts.ready")
        if self.page.locator('[data-testid="stVegaLiteChart"]').count():  # later ones may lie in a closed fold
            drawn = self.page.locator('[data-testid="stVegaLiteChart"] :is(canvas, svg)').first
            drawn.wait_for(state="attached", timeout=30_000)
        file = folder / f"{name}.png"
        self.page.screenshot(path=str(file))
        assert file.stat().st_size > 20_000, "a blank page"


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("HAETAE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("overview", "", {}),
        ("run", "run", {"run": "support-ko.8", "sample": "refund-000"}),
        ("compare", "compare", {"run": "support-ko.8"}),
        ("compare-judge", "compare", {"run": "docs-en.5"}),
        ("run-unfinished", "run", {"run": "번역-ko-en.4"}),
    ],
)
def test_every_page_opens_by_its_address(
    server: int, browser: Any, screenshots: Path, name: str, path: str, query: dict[str, str]
) -> None:
    visit = Visit(browser, server, path, **query)
    visit.check()
    visit.shoot(screenshots, name)
    visit.page.close()


def test_korean_is_visible_and_charts_are_drawn(server: int, browser: Any, workbench: Any) -> None:
    first = workbench.ledger.comparison("support-ko.8").movers[0].sample_id
    question = workbench.ledger.results("support-ko.8", sample_ids=[first])[0].sample.text
    visit = Visit(browser, server, "compare", run="support-ko.8")
    visit.page.get_by_text(question).locator("visible=true").first.wait_for(timeout=30_000)
    charts = visit.page.locator('[data-testid="stVegaLiteChart"] :is(canvas, svg)')
    charts.nth(1).wait_for(timeout=30_000)
    visit.check()
    visit.page.close()


def test_links_lead_from_the_overview_to_the_run(server: int, browser: Any) -> None:
    visit = Visit(browser, server, "")
    visit.page.get_by_role("link", name="Newest run").first.click()
    visit.page.wait_for_url("**/run?*run=support-ko.8*", timeout=30_000)
    visit.page.get_by_role("heading", name="Estimates").wait_for(timeout=30_000)
    visit.check()
    visit.page.close()


@pytest.mark.parametrize("sample", ["runs-000", "ledger-001", "verdicts-002", "runs-003", "ledger-004", "verdicts-005"])
def test_hostile_answers_are_shown_as_text_and_ask_nothing(
    server: int, browser: Any, canary: Any, screenshots: Path, sample: str
) -> None:
    visit = Visit(browser, server, "run", run="docs-en.5", sample=sample)
    visit.page.get_by_role("heading", name=f"Sample {sample}").wait_for(timeout=30_000)
    code = visit.page.locator('[data-testid="stCode"]')
    tracked = code.filter(has_text=f"![tracked]({canary.url}/image.png)") if sample == "ledger-001" else code
    tracked.first.wait_for(timeout=30_000)
    visit.shoot(screenshots, f"hostile-{sample}")
    wide = visit.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "a long word makes the page no wider"
    visit.check()
    assert visit.largest < MESSAGE
    assert canary.asked == []
    visit.page.close()


def test_every_answer_has_security_headers(server: int) -> None:
    for path in ("/", "/healthz", "/run", "/static/none.js"):
        headers = get(server, path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "img-src 'self' data: blob:" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"


def test_only_loopback_names_are_answered(server: int) -> None:
    assert get(server, "/", host=f"localhost:{server}").status == 200
    assert get(server, "/", host="evil.example").status == 400
    assert get(server, "/healthz", host=f"127.0.0.1.evil.example:{server}").status == 400


def test_a_missing_ledger_is_a_calm_page(browser: Any, tmp_path: Path, screenshots: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = f"from haetae.dashboards.asgi import serve; serve(port={port}, ledger_url='sqlite:///{tmp_path}/x/l.db')"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(240):
            process_is_starting(process)
            try:
                get(port, "/healthz")
                break
            except OSError:
                assert process.poll() is None
        visit = Visit(browser, port, "")
        visit.page.get_by_text("No data to show yet").locator("visible=true").first.wait_for(timeout=30_000)
        visit.check()
        visit.shoot(screenshots, "no-ledger")
        visit.page.close()
    finally:
        process.terminate()
        process.wait(20)
