"""PREFECT_API_URL as people write it: what is wrong with it is said with the right one, and its login never."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from haetae import HaetaeError
from haetae.flows import server as named
from haetae.flows.address import address_fault, with_api
from haetae.flows.outlasting import Presence
from haetae.flows.server import asking

pytestmark = pytest.mark.real
_HAETAE = ("-c", "from haetae.cli.main import main; main()")
_WITH_A_LOGIN = "http://bob:hunter2%2Fsecret@127.0.0.1:9/api"
_SUITE = """
suite: shop
dataset: data.jsonl
target: { outputs: out.jsonl }
metrics: { exact: exact_match }
schedule: { cron: "0 0 1 1 *" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite.yaml").write_text(_SUITE, "utf-8")
    return tmp_path


def haetae(folder: Path, address: str, *arguments: str, patience_s: float = 60) -> tuple[int | None, str]:
    """The exit code of a command, None where it goes on and on, and all that it says."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HAETAE_", "PREFECT_"))}
    env |= {"PREFECT_API_URL": address, "PREFECT_HOME": str(folder / "prefect"), "HAETAE_HOME": str(folder / "home")}
    command = [sys.executable, *_HAETAE, *arguments]
    with (folder / "said").open("w+") as said:
        child = subprocess.Popen(command, cwd=folder, env=env, stdout=said, stderr=said)
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return None, (folder / "said").read_text("utf-8")
    return child.returncode, (folder / "said").read_text("utf-8")


@pytest.mark.parametrize(
    ("written", "right"),
    [
        ("127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("localhost:4200/api", "http://localhost:4200/api"),
        ("bob:hunter2secret@host/api", "http://host/api"),
        ("ftp://host/api", "http://host/api"),
    ],
)
def test_an_address_without_http_is_said_with_the_right_one(written: str, right: str) -> None:
    said = str(address_fault(written))
    assert said.endswith(f"expected one that begins with http:// or https://, as {right}")
    assert "hunter2secret" not in said
    with temporary_settings({PREFECT_API_URL: written}), pytest.raises(HaetaeError) as told, asking():
        pass
    assert (str(told.value), told.value.exit_code) == (said, 2)


@pytest.mark.parametrize("password", ["hunter2secret/77", "hunter2secret?1"])
def test_a_password_that_cuts_the_address_is_not_repeated(password: str) -> None:
    address = f"http://bob:{password}@127.0.0.1/api"
    with temporary_settings({PREFECT_API_URL: address}):
        assert "hunter2secret" not in str(address_fault(address)) + str(named.server())
    assert "a password / is written %2F" in str(address_fault(address))


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("http://host:4200", "http://host:4200/api"),
        ("http://host:4200/", "http://host:4200/api"),
        ("http://host/prefect", "http://host/prefect/api"),
        ("http://host:4200/api", None),
        ("https://api.prefect.cloud/api/accounts/1/workspaces/2", None),
    ],
)
def test_an_address_ends_in_api(address: str, right: str | None) -> None:
    assert with_api(address) == right


@pytest.fixture
def with_a_login() -> Iterator[str]:
    with temporary_settings({PREFECT_API_URL: _WITH_A_LOGIN}):
        yield _WITH_A_LOGIN


def test_a_login_in_the_address_is_asked_with_and_never_said(
    with_a_login: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert named.server() == "http://127.0.0.1:9/api"
    request = httpx.Request("GET", with_a_login)
    refused = httpx.HTTPStatusError("", request=request, response=httpx.Response(500, request=request))
    with asking():
        assert PREFECT_API_URL.value() == "http://127.0.0.1:9/api"
        assert PREFECT_API_AUTH_STRING.value() == "bob:hunter2/secret"
        Presence().lost("GET", httpx.ConnectError("refused"))
    with pytest.raises(HaetaeError) as told, asking():
        raise PrefectHTTPStatusError.from_httpx_error(refused)
    assert "hunter2" not in str(told.value) + caplog.text
    assert "the Prefect server at http://127.0.0.1:9/api does not answer (refused)" in caplog.text


@pytest.mark.parametrize("command", [("deploy",), ("schedule", "serve"), ("schedule", "work")])
def test_an_address_without_api_is_said_with_the_right_one(server: Any, folder: Path, command: tuple[str, ...]) -> None:
    right = server.env["PREFECT_API_URL"]
    code, said = haetae(folder, right.removesuffix("/api"), *command)
    assert code == 2
    assert f"its address ends in /api; set PREFECT_API_URL={right}" in said


@pytest.mark.parametrize("command", [("schedule", "serve"), ("schedule", "work")])
def test_a_server_that_is_not_there_is_waited_for_and_that_is_said_once(folder: Path, command: tuple[str, ...]) -> None:
    code, said = haetae(folder, _WITH_A_LOGIN, *command, patience_s=20)
    assert code is None  # it waits
    assert said.count("the Prefect server at http://127.0.0.1:9/api does not answer") == 1
    assert "stop with Ctrl-C" not in said
    assert "Traceback" not in said
    assert "hunter2" not in said


def test_who_deploys_waits_for_no_server(folder: Path) -> None:
    code, said = haetae(folder, _WITH_A_LOGIN, "deploy")
    assert code == 3
    assert "the Prefect server at http://127.0.0.1:9/api cannot be asked" in said
    assert "hunter2" not in said


def test_a_worker_of_a_pool_that_is_not_there_is_refused_with_those_that_are(server: Any, folder: Path) -> None:
    address = server.env["PREFECT_API_URL"]
    code, said = haetae(folder, address, "schedule", "work", "--pool", "haetea")
    assert code == 2
    assert "there is no work pool 'haetea'; there is none. haetae deploy --pool haetea makes it" in said
    assert haetae(folder, address, "deploy")[0] == 0
    code, said = haetae(folder, address, "schedule", "work", "--pool", "haetea")
    assert code == 2
    assert "there is no work pool 'haetea'; there are haetae. haetae deploy --pool haetea makes it" in said
    assert {pool["name"] for pool in server.asked("work_pools")} == {"haetae"}
    server.post("/work_pools/", {"name": "shift", "type": "docker"})
    code, said = haetae(folder, address, "schedule", "work", "--pool", "shift")
    assert code == 2
    assert "is of type docker, and haetae schedule work is for those of type process" in said


def test_a_server_is_back_when_every_kind_of_call_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    presence = Presence()
    presence.lost("set the state", httpx.ConnectError("refused"))
    presence.answered("poll")
    presence.lost("poll", httpx.ReadTimeout(""))
    presence.answered("set the state")
    assert len(caplog.messages) == 1
    presence.answered("poll")
    assert len(caplog.messages) == 2
    assert caplog.messages[1].endswith(" is back")
