"""What `haetae deploy` would put on a server, what it says where that refuses, and how a move of an alias is told."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings

from haetae import HaetaeError
from haetae.flows import deploying
from haetae.flows.events import alias_moved
from haetae.flows.owning import Owner, taken
from haetae.flows.planning import Alias, Night, planned
from haetae.flows.prefect_file import prefect_file
from haetae.flows.server import asking, server

pytestmark = pytest.mark.real
NIGHTS = [
    Night("support-bot", "support/suite.yaml", "0 6 * * *", "Asia/Seoul", [Alias("model", "bot", "production")]),
    Night("상담봇", "korean.yaml", "30 1 * * 1", "UTC"),
]


def test_the_file_has_every_deployment_as_it_is_applied() -> None:
    plan = planned(NIGHTS, "shop", 90)
    document = yaml.safe_load(prefect_file(plan, "shop", "/srv/shop", "night-shift"))
    assert document["pull"] == [{"prefect.deployments.steps.set_working_directory": {"directory": "/srv/shop"}}]
    entries = {f"{each['entrypoint'].rpartition('.')[2]}/{each['name']}": each for each in document["deployments"]}
    assert list(entries) == [deployment.full_name for deployment in plan]
    assert list(entries)[:2] == ["nightly/support-bot", "nightly/상담봇"]
    night = entries["nightly/support-bot"]
    assert night["schedules"] == [{"cron": "0 6 * * *", "timezone": "Asia/Seoul", "active": True}]
    assert night["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert night["work_pool"]["name"] == "night-shift"
    assert night["triggers"][0]["match"] == {
        "prefect.resource.id": "haetae.model.bot",
        "haetae.alias": "production",
    }
    assert entries["tidy/shop"]["parameters"] == {"keep_days": 90}
    assert "concurrency_limit" not in entries["evaluate/shop"]  # people may evaluate two suites at once


def test_every_entrypoint_is_a_flow_that_takes_its_parameters() -> None:
    from importlib import import_module

    for deployment in planned(NIGHTS, "shop", None):
        module, _, name = deployment.entrypoint.rpartition(".")
        flow = getattr(import_module(module), name)
        assert flow.name == deployment.flow
        assert set(deployment.parameters) <= set(flow.parameters.properties)


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (401, "Unauthorized", "asks for a login (401): set PREFECT_API_AUTH_STRING"),
        (500, "(sqlite3.OperationalError) database is locked", "Give it Postgres: PREFECT_SERVER_DATABASE"),  # SCH-14
        (503, "", "Give it Postgres"),
        (422, "concurrency_limit: too small", "refused (422): concurrency_limit: too small"),
    ],
)
def test_what_a_server_refuses_is_said_with_a_cure(status: int, text: str, said: str) -> None:
    from prefect.exceptions import PrefectHTTPStatusError

    request = httpx.Request("POST", "http://127.0.0.1:4200/api/deployments/")
    refused = httpx.HTTPStatusError("", request=request, response=httpx.Response(status, text=text, request=request))
    with pytest.raises(HaetaeError) as told, asking():
        raise PrefectHTTPStatusError.from_httpx_error(refused)
    assert said in str(told.value)


def test_a_server_that_is_away_is_said_in_a_sentence() -> None:
    with pytest.raises(HaetaeError, match="cannot be asked: ConnectTimeout; is it running there"), asking():
        raise httpx.ConnectTimeout("")


def test_a_pool_of_another_type_is_left_as_it_is() -> None:
    class Client:
        async def read_work_pool(self, name: str) -> Any:
            return SimpleNamespace(name=name, type="docker")

    pool = deploying._pool
    assert asyncio.run(pool(Client(), "shift", None)) == "work pool shift: there, of type docker"  # type: ignore[arg-type]
    with pytest.raises(HaetaeError, match="shift is of type docker, not process: name another with --pool"):
        asyncio.run(pool(Client(), "shift", "process"))  # type: ignore[arg-type]


def test_a_type_that_prefect_does_not_know_is_refused_with_those_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class Client:
        async def read_work_pool(self, name: str) -> Any:
            raise ObjectNotFound(http_exc=Exception())

        async def create_work_pool(self, pool: Any) -> None:
            made.append(pool.type)

    async def known() -> list[str]:
        return ["docker", "process"]

    monkeypatch.setattr(deploying, "get_available_work_pool_types", known)
    with pytest.raises(HaetaeError, match="no type 'nonsense' of work pools; Prefect knows docker, process") as refused:
        asyncio.run(deploying._pool(Client(), "shift", "nonsense"))  # type: ignore[arg-type]
    assert (refused.value.exit_code, made) == (2, [])
    asyncio.run(deploying._pool(Client(), "shift", "docker"))  # type: ignore[arg-type]
    asyncio.run(deploying._pool(Client(), "shift", None))  # type: ignore[arg-type]
    assert made == ["docker", "process"]


@pytest.mark.parametrize("address", ["", " "])
def test_an_empty_address_names_no_server(address: str) -> None:
    with temporary_settings({PREFECT_API_URL: address}):
        assert server() is None


@pytest.mark.parametrize(
    ("tags", "folder", "said"),
    [
        (["haetae", "project:shop"], "/srv/shop", []),
        (["haetae"], "/srv/shop", []),  # from before projects were noted
        (["haetae", "suite:bot"], None, []),  # haetae schedule serve
        (["haetae"], "/srv/other", ["nightly/bot belongs to /srv/other, not to /srv/shop (project shop)"]),
        (
            ["haetae", "project:other"],
            "/srv/shop",
            ["nightly/bot belongs to /srv/shop (project other), not to /srv/shop (project shop)"],
        ),
        ([], None, ["nightly/bot is there already, and haetae did not make it"]),
    ],
)
def test_whose_a_deployment_is_says_its_folder_and_its_project(
    tags: list[str], folder: str | None, said: list[str]
) -> None:
    steps = None if folder is None else [{"prefect.deployments.steps.set_working_directory": {"directory": folder}}]
    there: Any = {"nightly/bot": SimpleNamespace(tags=tags, pull_steps=steps)}
    assert taken(there, Owner("/srv/shop", "shop")) == said


@contextmanager
def listening(status: int) -> Iterator[tuple[str, list[tuple[str, str | None, Any]]]]:
    """A server that answers so, and what it was told: path, login, document."""
    told: list[tuple[str, str | None, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api", told
        finally:
            server.shutdown()
            thread.join()


def test_a_move_is_told_with_the_servers_login() -> None:
    with listening(204) as (address, told):
        env = {"PREFECT_API_URL": address, "PREFECT_API_AUTH_STRING": "admin:pass"}
        assert alias_moved(env, "prompt", "상담", "production", 4, None) is None
    ((path, login, (event,)),) = told
    assert (path, login) == ("/api/events", "Basic YWRtaW46cGFzcw==")
    assert event["event"] == "haetae.alias.moved"
    assert event["resource"] == {"prefect.resource.id": "haetae.prompt.상담", "haetae.alias": "production"}
    assert event["payload"] == {"kind": "prompt", "name": "상담", "alias": "production", "number": 4, "before": None}


def test_a_login_in_the_address_is_sent_as_a_header() -> None:
    with listening(204) as (address, told):
        named = address.replace("//", "//admin:p%40ss@")
        env = {"PREFECT_API_URL": named, "PREFECT_API_AUTH_STRING": "other:one"}
        assert alias_moved(env, "model", "bot", "production", 3, 2) is None
    ((path, login, _),) = told
    assert (path, login) == ("/api/events", "Basic YWRtaW46cEBzcw==")


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("http://127.0.0.1:1/api", "the Prefect server at http://127.0.0.1:1/api was"),
        ("http://admin:canary@127.0.0.1:1/api", "the Prefect server at http://127.0.0.1:1/api was"),
        ("http://127.0.0.1/a canary", "the Prefect server at"),
        ("http://admin:canary/77@127.0.0.1/api", "the Prefect server was"),
        ("postgresql://admin:canary@127.0.0.1/api", "the Prefect server was"),
        ("http://admin:canary@[127.0.0.1/api", "the Prefect server was"),
        ("file:///etc/passwd", "the Prefect server was"),
        ("not an address", "the Prefect server was"),
    ],
)
def test_who_cannot_be_told_costs_a_sentence_without_the_login_and_no_more(address: str, named: str) -> None:
    said = alias_moved({"PREFECT_API_URL": address}, "model", "bot", "production", 3, 2)
    assert said is not None
    assert said.startswith(named)
    assert " not told that bot@production moved: " in said
    assert "canary" not in said.replace("/a canary", "")  # a path is no password


def test_a_server_that_refuses_the_event_is_named_and_without_one_nothing_is_said() -> None:
    with listening(401) as (address, _):
        assert "401" in str(alias_moved({"PREFECT_API_URL": address}, "model", "bot", "production", 3, 2))
    assert alias_moved({}, "model", "bot", "production", 3, 2) is None


def test_telling_loads_no_prefect() -> None:
    from haetae.flows import events

    assert "prefect" not in {line.split()[1].partition(".")[0] for line in _imports(Path(events.__file__))}


def _imports(file: Path) -> list[str]:
    return [line for line in file.read_text("utf-8").splitlines() if line.startswith(("import ", "from "))]
