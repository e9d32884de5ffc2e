"""Serving outlasts its Prefect server: it is said once that nothing can be asked, and asked again for as long."""

from __future__ import annotations

import asyncio
import importlib
import threading
from typing import Any, Self
from unittest.mock import patch
from uuid import uuid4

import httpx
import pytest
from prefect import flow_engine
from prefect.client.orchestration import PrefectClient
from prefect.concurrency import _leases
from prefect.exceptions import PrefectHTTPStatusError
from prefect.workers.process import ProcessWorker

from haetae.flows.outlasting import OutlastingRunner, outlasting

pytestmark = [
    pytest.mark.real,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # of Prefect's own clients
]
REQUEST = httpx.Request("POST", "http://127.0.0.1:4200/api/deployments/get_scheduled_flow_runs")


def answered(status: int) -> PrefectHTTPStatusError:
    refused = httpx.HTTPStatusError("", request=REQUEST, response=httpx.Response(status, request=REQUEST))
    return PrefectHTTPStatusError.from_httpx_error(refused)


class Through(Exception):
    """All replies were given."""


class Asked(OutlastingRunner):
    """A runner that gets these replies to its polls (an exception is raised) and ends after the last."""

    def __init__(self, replies: list[Any]) -> None:
        super().__init__(name="haetae", query_seconds=0.01, pause_on_shutdown=False)
        self.replies = replies
        self.polls = 0

    async def __aenter__(self) -> Self:
        with patch.object(PrefectClient, "get_scheduled_flow_runs_for_deployments", self.reply):
            return await super().__aenter__()

    async def reply(self, *_: Any, **__: Any) -> Any:
        if self.polls == len(self.replies):
            raise Through
        reply, self.polls = self.replies[self.polls], self.polls + 1
        if isinstance(reply, Exception):
            raise reply
        return reply


def polled(replies: list[Any]) -> int:
    """How often a real runner polls until it has had all replies."""
    runner = Asked(replies)
    try:
        asyncio.run(runner.start())
    except* Through:
        pass
    return runner.polls


def test_a_server_away_for_many_polls_is_spoken_of_once_and_once_when_it_is_back(
    prefect_server: None, caplog: pytest.LogCaptureFixture
) -> None:  # SCH-09
    away = [httpx.ConnectError("connection refused"), httpx.ReadTimeout(""), answered(503)]
    assert polled([[], *away * 4, [], [], away[0], []]) == 17
    said = [line for line in caplog.messages if "Prefect server at" in line]
    assert [line.partition(" (")[0].rpartition("/api ")[2] for line in said] == [
        "does not answer", "is back", "does not answer", "is back",
    ]  # fmt: skip
    assert "(connection refused); waiting for it" in said[0]


def test_a_worker_outlasts_its_server_with_what_it_runs(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Prefect's own ends after some polls, and ends what it runs."""
    replies = iter([[], httpx.ConnectError("connection refused"), answered(503), [], answered(401)])

    async def ask(worker: ProcessWorker) -> Any:
        reply = next(replies)
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(ProcessWorker, "get_and_submit_flow_runs", ask)
    worker = outlasting(ProcessWorker(work_pool_name="haetae"))
    assert [asyncio.run(worker.get_and_submit_flow_runs()) for _ in range(4)] == [[]] * 4
    assert len([line for line in caplog.messages if "Prefect server at" in line]) == 2  # away, and back
    with pytest.raises(PrefectHTTPStatusError):  # it is there, and refuses
        asyncio.run(worker.get_and_submit_flow_runs())


def test_a_flow_run_goes_on_when_its_place_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("haetae.flows.nightly")
    lease = uuid4()

    def away(*_: Any) -> bool:
        raise httpx.ConnectError("All connection attempts failed")

    monkeypatch.setattr(_leases, "_renew_concurrency_lease_with_retries", away)
    with flow_engine.maintain_concurrency_lease(lease, 300, raise_on_lease_renewal_failure=True):  # as Prefect does
        for thread in threading.enumerate():
            if str(lease) in thread.name:
                thread.join()
        went_on = sum(range(1_000))  # else it would be ended here, or wherever it is
    assert went_on


def test_a_server_that_refuses_is_not_waited_for(prefect_server: None) -> None:
    with pytest.raises(BaseExceptionGroup) as ended:
        polled([answered(401), []])
    assert ended.group_contains(PrefectHTTPStatusError)
