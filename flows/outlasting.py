"""What outlasts its server: what cannot be asked now is asked again, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Self
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runner import Runner
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.workers.process import ProcessWorker

from haetae.flows.server import may_pass, server

_AGAIN_S = 5.0
_POLL = "the poll"
_SYNC = "the heartbeat"
_log = logging.getLogger("haetae.serving")


class Presence:
    """What people are told of a server that comes and goes: once that it does not answer, and once that it is back.

    It is back when every kind of call that failed has had its answer: one kind may fail while others do not.
    """

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def lost(self, call: str, exc: Exception) -> None:
        """This kind of call was not answered."""
        if not self._failing:
            said = str(exc).partition("\n")[0] or type(exc).__name__  # a timeout says nothing
            _log.warning("the Prefect server at %s does not answer (%s); waiting for it", server(), said)
        self._failing.add(call)

    def answered(self, call: str) -> None:
        """This kind of call was."""
        if call in self._failing:
            self._failing.remove(call)
            if not self._failing:
                _log.warning("the Prefect server at %s is back", server())


async def wait_for_the_server() -> None:
    """Return when the server answers. Raises at once what it says where it is there, and refuses."""
    presence = Presence()
    while True:
        try:
            with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # people shall be told now, not when it gave up
                async with get_client() as client:
                    await client.read_work_pools(limit=1)
        except (httpx.TransportError, PrefectHTTPStatusError) as exc:
            if not may_pass(exc):
                raise
            presence.lost(_POLL, exc)
            await asyncio.sleep(_AGAIN_S)
        else:
            presence.answered(_POLL)
            return


class OutlastingRunner(Runner):
    """Prefect's runner, which by itself ends after three polls that nobody answered.

    What comes due meanwhile is there when the server is back, and the ledger knows what of it is due still. What is in
    `taken` is polled no more: another process serves it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.taken: set[UUID] = set()

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        poll, request = self._client.get_scheduled_flow_runs_for_deployments, self._client.request
        presence = Presence()

        async def polled(deployment_ids: list[UUID], *arguments: Any, **options: Any) -> Any:
            try:
                found = await poll([each for each in deployment_ids if each not in self.taken], *arguments, **options)
            except (httpx.TransportError, PrefectHTTPStatusError) as exc:
                if not may_pass(exc):
                    raise
                presence.lost(_POLL, exc)
                return []
            presence.answered(_POLL)
            return found

        async def requested(method: Any, path: Any, *arguments: Any, **options: Any) -> Any:
            try:
                reply = await request(method, path, *arguments, **options)
            except (httpx.TransportError, PrefectHTTPStatusError) as exc:
                if may_pass(exc):
                    presence.lost(f"{method} {path}", exc)
                raise
            presence.answered(f"{method} {path}")
            return reply

        self._client.get_scheduled_flow_runs_for_deployments = polled  # type: ignore[method-assign]  # of this client
        self._client.request = requested  # type: ignore[method-assign]
        return self


def outlasting(worker: ProcessWorker) -> ProcessWorker:
    """A worker of Prefect, which by itself ends after some polls that nobody answered, and ends all that it runs."""
    presence, heard = Presence(), set[str]()

    def kept(call: str, ask: Callable[[], Awaitable[Any]], otherwise: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
        async def asked() -> Any:
            try:
                answer = await ask()
            except (httpx.TransportError, PrefectHTTPStatusError) as exc:
                if call not in heard or not may_pass(exc):
                    raise
                presence.lost(call, exc)
                return otherwise
            heard.add(call)
            presence.answered(call)
            return answer

        return asked

    worker.get_and_submit_flow_runs = kept(_POLL, worker.get_and_submit_flow_runs, [])  # type: ignore[method-assign]
    worker.sync_with_backend = kept(_SYNC, worker.sync_with_backend, None)  # type: ignore[method-assign]
    return worker
