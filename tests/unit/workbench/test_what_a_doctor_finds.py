"""A doctor asks every server one or two plain questions, says what it found and what to do, and shows no secret."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from haetae import Workbench
from haetae.settings import Settings, load_settings
from haetae.store.health import Finding
from haetae.workbench.doctor import asking, examine, ledger, machine
from haetae.workbench.doctor.clocks import clock
from haetae.workbench.doctor.mlflow import mlflow
from haetae.workbench.doctor.models import models
from haetae.workbench.doctor.people import alerts, dashboard
from haetae.workbench.doctor.prefect import prefect
from haetae.workbench.doctor.wandb import wandb

PASSWORD = "canary-password-0123"
KEY = f"canary{'k' * 40}"


@dataclass
class Server:
    """Answers a GET by its path: (status, body). `says` may look at the headers; `ahead_s` is its clock's."""

    says: Callable[[str, dict[str, str]], tuple[int, str]] = lambda path, headers: (200, "OK")
    ahead_s: float = 0.0
    heard: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            state.heard.append((self.path, self.headers.get("Authorization")))
            status, body = state.says(self.path, dict(self.headers))
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + state.ahead_s, usegmt=True))
            if status == 302:
                self.send_header("Location", body)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield state
    http.shutdown()
    http.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """settings(HAETAE_MLFLOW=…): an environment of nothing but these, and of nobody's home."""

    def made(**env: str) -> Settings:
        alone = {"HAETAE_HOME": str(tmp_path / "home"), "PREFECT_HOME": str(tmp_path), "NETRC": str(tmp_path / "netrc")}
        return load_settings({**alone, "WANDB_CONFIG_DIR": str(tmp_path), **env}, tmp_path)

    return made


def said(found: Iterator[Finding]) -> list[str]:
    return [f"{one.level}: {one.message}" for one in found]


def guarded(by: str, **more: str) -> Callable[[str, dict[str, str]], tuple[int, str]]:
    """A server that wants `by`, a name and a password, for all but its health."""
    right = "Basic " + base64.b64encode(by.encode()).decode()

    def says(path: str, headers: dict[str, str]) -> tuple[int, str]:
        if path.endswith("/health"):
            return 200, "true"
        return (200, more.get(path.rpartition("/")[2], "{}")) if headers.get("Authorization") == right else (401, "no")

    return says


# MLflow


def test_an_mlflow_that_wants_a_password_names_the_variables_and_takes_them(server: Server, settings: Any) -> None:
    server.says = guarded(f"admin:{PASSWORD}", version="3.17.2")
    (wanted,) = said(mlflow(settings(HAETAE_MLFLOW=server.url)))
    assert wanted.startswith(f"problem: MLflow at {server.url} wants a password; set MLFLOW_TRACKING_USERNAME and")
    name = {"MLFLOW_TRACKING_USERNAME": "admin"}
    (wrong,) = said(mlflow(settings(HAETAE_MLFLOW=server.url, MLFLOW_TRACKING_PASSWORD="canary-wrong", **name)))
    assert "refuses the name or the password; check MLFLOW_TRACKING_USERNAME" in wrong
    right = said(mlflow(settings(HAETAE_MLFLOW=server.url, MLFLOW_TRACKING_PASSWORD=PASSWORD, **name)))
    assert right[0] == f"fine: MLflow at {server.url} takes the name and the password"
    assert 'the server is MLflow "3.17.2"' in right[1]
    in_the_address = server.url.replace("//", f"//admin:{PASSWORD}@")
    assert said(mlflow(settings(HAETAE_MLFLOW=in_the_address)))[0].startswith("fine: MLflow at http://***@127.0.0.1")
    assert "canary" not in str([wanted, wrong, right])


def test_an_mlflow_of_another_major_version_is_a_problem(server: Server, settings: Any) -> None:
    server.says = lambda path, headers: (200, "2.9.1")
    assert any('is MLflow "2.9.1", here is 3' in one for one in said(mlflow(settings(HAETAE_MLFLOW=server.url))))


def test_what_is_no_mlflow_or_is_not_there_is_said(server: Server, settings: Any) -> None:
    server.says = lambda path, headers: (404, "")
    (wrong,) = said(mlflow(settings(HAETAE_MLFLOW=server.url)))
    assert wrong == f"problem: {server.url} answers 404 to /health; HAETAE_MLFLOW names no MLflow server"
    (away,) = said(mlflow(settings(HAETAE_MLFLOW="http://127.0.0.1:1")))
    assert away.startswith("problem: MLflow at http://127.0.0.1:1 cannot be reached: [Errno 111]")
    assert away.endswith("start it, or mend HAETAE_MLFLOW")


def test_a_folder_of_files_is_refused_with_what_to_write_instead(settings: Any) -> None:  # TRK-11
    (said_of_it,) = said(mlflow(settings(HAETAE_MLFLOW="file:///srv/mlruns")))
    assert said_of_it.startswith("problem: MLflow 3.")
    assert "set HAETAE_MLFLOW=sqlite:///" in said_of_it


def test_a_password_does_not_follow_a_redirect(server: Server, settings: Any) -> None:
    server.says = lambda path, headers: (302, "http://127.0.0.1:1/") if path == "/health" else (200, "")
    (wrong,) = said(mlflow(settings(HAETAE_MLFLOW=server.url)))
    assert "answers 302 to /health" in wrong


def test_only_a_loopback_address_is_near() -> None:  # SEC-13
    assert all(map(asking.is_near, ["http://127.0.0.1:5000", "https://localhost/api", "http://[::1]:1"]))
    assert not any(map(asking.is_near, ["http://10.0.0.7:5000", "http://mlflow:5000", "http://127.0.0.1.evil.example"]))


def test_a_server_beyond_this_machine_that_asks_for_nothing_is_warned_of(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # SEC-13
    for module in ("mlflow", "prefect"):
        monkeypatch.setattr(f"haetae.workbench.doctor.{module}.is_near", lambda url: False)
    server.says = lambda path, headers: (200, "true" if path.endswith("/health") else '"3.8.8"')
    found = said(prefect(settings(PREFECT_API_URL=f"{server.url}/api")))
    assert any("can be read on its way, the key too; put TLS before it" in one for one in found)
    assert any("asks nobody for a key; start it with PREFECT_SERVER_API_AUTH_STRING" in one for one in found)
    assert any("can be read on its way" in one for one in said(mlflow(settings(HAETAE_MLFLOW=server.url))))


# clocks


@pytest.mark.parametrize(("ahead_s", "level"), [(3600.0, "problem"), (-400.0, "problem"), (45.0, "warning")])
def test_a_clock_that_goes_wrong_is_said_with_its_difference(
    server: Server, settings: Any, ahead_s: float, level: str
) -> None:
    server.ahead_s = ahead_s
    (found,) = (one for one in mlflow(settings(HAETAE_MLFLOW=server.url)) if "clock" in one.message)
    assert found.level == level
    assert ("ahead of" if ahead_s > 0 else "behind") in found.message


def test_a_clock_that_goes_right_or_tells_no_time_is_not_spoken_of() -> None:
    assert list(clock("it", 2.0)) == list(clock("it", None)) == []


# Prefect


def test_a_prefect_that_wants_a_key_names_the_variable_and_takes_it(server: Server, settings: Any) -> None:
    server.says = guarded(f"admin:{PASSWORD}", version='"3.8.8"')
    api = f"{server.url}/api"
    (wanted,) = said(prefect(settings(PREFECT_API_URL=api)))
    assert wanted.startswith(f"problem: Prefect at {api} wants a key; set PREFECT_API_AUTH_STRING")
    (wrong,) = said(prefect(settings(PREFECT_API_URL=api, PREFECT_API_AUTH_STRING="admin:canary-wrong")))
    assert "refuses the key; set PREFECT_API_AUTH_STRING" in wrong
    right = said(prefect(settings(PREFECT_API_URL=api, PREFECT_API_AUTH_STRING=f"admin:{PASSWORD}")))
    assert right[0].startswith(f"fine: Prefect at {api} is 3.8.8, here is")
    assert "canary" not in str([wanted, wrong, right])


def test_the_address_and_the_key_are_read_from_the_active_profile(
    server: Server, settings: Any, tmp_path: Path
) -> None:
    server.says = guarded(f"admin:{PASSWORD}", version='"3.8.8"')
    lines = f'PREFECT_API_URL = "{server.url}/api"\nPREFECT_API_AUTH_STRING = "admin:{PASSWORD}"\n'
    (tmp_path / "profiles.toml").write_text(f'active = "lab"\n[profiles.lab]\n{lines}')
    assert said(prefect(settings()))[0].startswith("fine: Prefect at")
    (other,) = said(prefect(settings(PREFECT_PROFILE="none", PREFECT_SERVER_EPHEMERAL_ENABLED="false")))
    assert other.startswith("fine: no Prefect server is named")


def test_a_server_that_would_be_started_for_each_flow_is_warned_of(settings: Any) -> None:
    (found,) = said(prefect(settings()))
    assert found.startswith("warning: no Prefect server is named: a flow starts one of its own")


@pytest.mark.parametrize(
    ("database", "warned"),
    [
        ({"driver": None, "connection_url": None}, True),
        ({"driver": "sqlite+aiosqlite", "connection_url": "**********"}, True),
        ({"driver": None, "connection_url": "**********"}, False),
    ],
)
def test_a_prefect_on_sqlite_is_pointed_to_postgres(
    server: Server, settings: Any, database: dict[str, Any], warned: bool
) -> None:  # SCH-14
    told = {"version": '"3.8.8"', "settings": json.dumps({"server": {"database": database}})}
    server.says = lambda path, headers: (200, told.get(path.rpartition("/")[2], "true"))
    found = said(prefect(settings(PREFECT_API_URL=f"{server.url}/api")))
    assert any("keeps its own state in SQLite" in one and "postgresql+asyncpg://" in one for one in found) is warned


@pytest.mark.parametrize("told", ["true", "[1]", '{"server": null}', "8", "no JSON"])
def test_what_answers_oddly_does_not_look_like_a_prefect(server: Server, settings: Any, told: str) -> None:
    server.says = lambda path, headers: (200, "true" if path.endswith("/health") else told)
    found = said(prefect(settings(PREFECT_API_URL=f"{server.url}/api")))
    assert found[0].startswith(f"problem: {server.url}/api does not look like a Prefect server: /admin/version tells")


@pytest.mark.parametrize("told", ["true", "[1]", '{"server": null}', '{"server": {"database": {"driver": 1}}}'])
def test_odd_settings_of_a_prefect_say_nothing_of_its_database(server: Server, settings: Any, told: str) -> None:
    answers = {"version": '"99.0.0"', "settings": told}
    server.says = lambda path, headers: (200, answers.get(path.rpartition("/")[2], "true"))
    (found,) = said(prefect(settings(PREFECT_API_URL=f"{server.url}/api")))
    assert found.startswith("fine: Prefect at")


@pytest.mark.parametrize(
    ("there", "here", "level"),
    [
        ("3.10.0", "3.8.8", "fine"),
        ("3.8.8", "3.10.0", "warning"),
        ("3.8.1", "3.8.8", "fine"),
        ("2.20.1", "3.0", "warning"),
    ],
)
def test_versions_are_compared_as_numbers(
    there: str, here: str, level: str, server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haetae.workbench.doctor.prefect._installed", lambda: here)
    server.says = lambda path, headers: (200, "true" if path.endswith("/health") else json.dumps(there))
    assert said(prefect(settings(PREFECT_API_URL=f"{server.url}/api")))[0].startswith(f"{level}: Prefect at")


# logins in addresses


def test_a_login_in_an_address_is_sent_and_not_shown(server: Server, settings: Any) -> None:  # SEC-07
    named = server.url.replace("//", "//admin:canary%2Fpass@")
    right = "Basic " + base64.b64encode(b"admin:canary/pass").decode()
    server.says = guarded("admin:canary/pass", version='"99.0.0"')
    found = said(prefect(settings(PREFECT_API_URL=f"{named}/api")))
    assert found[0].startswith(f"fine: Prefect at {server.url.replace('//', '//***@')}/api is 99.0.0")
    assert ("/api/admin/version", right) in server.heard
    online = {"HAETAE_WANDB_MODE": "online", "WANDB_BASE_URL": named, "WANDB_API_KEY": KEY}
    found += said(wandb(settings(**online)))
    assert found[-1].endswith(" answers")
    assert server.heard[-1][1] == right
    assert "canary" not in str(found)


@pytest.mark.parametrize(
    "login",
    [
        "admin:canary-hidden@",
        ":canary-hidden@",
        "admin:canary/hidden@",
        "admin:canary@hidden@",
        "admin:canary#hidden@",
        "a:canary-hidden@[",
    ],
)
def test_no_piece_of_a_password_is_shown_of_an_address_that_is_wrong(login: str, settings: Any) -> None:  # SEC-07
    url = f"http://{login}127.0.0.1:1/api"
    wrong = settings(PREFECT_API_URL=url, HAETAE_MLFLOW=url, WANDB_BASE_URL=url, HAETAE_WANDB_MODE="online")
    found = [one.finding for one in examine.examine(wrong) if one.about in ("prefect", "mlflow", "wandb")]
    assert [one.level for one in found].count("problem") >= 3
    assert not any(piece in str(found) for piece in ("canary", "hidden"))


def test_what_a_server_says_that_speaks_no_http_is_one_line(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(b"SSH-2.0-OpenSSH_9\r\n")

        threading.Thread(target=answer, daemon=True).start()
        (found,) = said(prefect(settings(PREFECT_API_URL=f"http://127.0.0.1:{listener.getsockname()[1]}/api")))
    assert "cannot be reached: BadStatusLine: SSH-2.0-OpenSSH_9; start it" in found


def test_a_key_that_no_header_may_hold_is_not_shown(server: Server, settings: Any) -> None:
    server.says = lambda path, headers: (200, "true")
    found = said(prefect(settings(PREFECT_API_URL=f"{server.url}/api", PREFECT_API_KEY="canary\nkey")))
    assert "it cannot be asked" in found[0]
    assert "canary" not in str(found)


# W&B


def test_wandb_is_off_in_a_folder_or_online_with_a_key(server: Server, settings: Any, tmp_path: Path) -> None:
    assert said(wandb(settings(HAETAE_WANDB_MODE="off"))) == ["fine: W&B is off: suites that name it tell it nothing"]
    (offline,) = said(wandb(settings()))
    assert offline.startswith("fine: W&B is offline; its runs are written to")
    online = {"HAETAE_WANDB_MODE": "online", "WANDB_BASE_URL": server.url}
    assert any("online without a key; set WANDB_API_KEY" in one for one in said(wandb(settings(**online))))
    short = said(wandb(settings(**online, WANDB_API_KEY="canary")))
    assert any("from WANDB_API_KEY: it has 6 characters, a key has 40 or more" in one for one in short)
    right = said(wandb(settings(**online, WANDB_API_KEY=KEY)))
    assert [one.partition(":")[0] for one in right] == ["fine"] * 3
    (tmp_path / "netrc").write_text(f"machine {server.url.removeprefix('http://')} login user password {KEY}\n")
    found = said(wandb(settings(**online)))
    assert f"fine: W&B has a key, from {tmp_path / 'netrc'}" in found
    away = said(wandb(settings(**{**online, "WANDB_BASE_URL": "http://127.0.0.1:1"})))
    assert away[-1].endswith("set HAETAE_WANDB_MODE=offline meanwhile")
    assert "canary" not in str([short, right, found])


def test_a_folder_that_may_not_be_written_is_a_problem(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    (found,) = said(wandb(settings()))
    assert found.startswith("problem: W&B writes to")


def test_where_wandb_is_and_which_keys_it_takes_is_as_its_own_library_has_it() -> None:
    from wandb.sdk.lib.urls import DEFAULT_BASE_URL
    from wandb.sdk.lib.wbauth.validation import check_api_key

    from haetae.trackers.wandb_account import CLOUD, Key

    assert CLOUD == DEFAULT_BASE_URL
    keys = [
        "k" * 40,
        "k" * 39,
        f"local-{'k' * 40}",
        f"local-{'k' * 39}",
        "a.b.c",
        "k" * 40 + "!",
        "wandb_v1_" + "x" * 70,
    ]
    assert [Key(key, "").fault is None for key in keys] == [check_api_key(key) is None for key in keys]
    assert KEY not in repr(Key(KEY, "WANDB_API_KEY"))


# the rest


def test_what_registered_models_need_and_the_environment_lacks_is_named(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text('base_url: "${LAB_URL}/v1"\nmodel: m\napi_key: "${LAB_KEY}"\n')
    assert said(models(settings())) == []
    with Workbench(settings(LAB_URL="http://127.0.0.1:1", LAB_KEY="k")) as bench:
        bench.register("model", tmp_path / "m.yaml", name="lab")
    assert said(models(settings(LAB_URL="x", LAB_KEY="k"))) == ["fine: all that 1 registered model(s) name is set"]
    (lacking,) = said(models(settings(LAB_URL="http://127.0.0.1:1")))
    assert (
        lacking
        == "warning: model lab@1 needs LAB_KEY, not set here; set it before a run of it, which would end at once"
    )


def test_who_is_told_is_named_without_an_address(server: Server, settings: Any) -> None:
    assert said(alerts(settings()))[0].startswith("fine: nobody is told of changes")
    told = settings(
        HAETAE_ALERTS=f"json://me:{PASSWORD}@chat.internal/x, slakc://{PASSWORD}/b/c, https://chat.internal"
    )
    unknown, web, fine = said(alerts(told))
    assert unknown.startswith("problem: HAETAE_ALERTS: nobody is told at address 2 (slakc): it is no address that App")
    assert "address 3 (https): it is no address that Apprise knows, or is it json:// (jsons:// over TLS): look" in web
    assert fine == "fine: people are told at address 1 (json)"
    assert PASSWORD not in unknown + web + fine
    assert said(dashboard(told)) == ["warning: messages have no link; set HAETAE_LINK to the address of the dashboard"]
    server.says = lambda path, headers: (303, "")
    assert said(dashboard(settings(HAETAE_LINK=server.url))) == [f"fine: the dashboard at {server.url} answers"]
    (away,) = said(dashboard(settings(HAETAE_LINK="http://127.0.0.1:1")))
    assert away.startswith("warning: the dashboard at http://127.0.0.1:1 cannot be reached: [Errno 111]")


@pytest.mark.parametrize(("free", "level"), [(100 << 20, "problem"), (1 << 30, "warning"), (50 << 30, "fine")])
def test_a_disk_that_is_nearly_full_is_said_before_a_run_finds_out(
    free: int, level: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    (found,) = ledger.disk(settings())
    assert found.level == level
    assert "GiB are free" in found.message


def test_zones_that_cannot_be_read_are_a_problem(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise machine.ZoneInfoNotFoundError(f"No time zone found with key {name}")

    monkeypatch.setattr(machine, "ZoneInfo", unknown)
    (found,) = said(machine.zones(settings()))
    assert found.startswith("problem: time zones cannot be read")


def test_a_server_that_says_nothing_is_left_and_keeps_nobody(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, and nobody reads from it
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = examine.examine(settings(HAETAE_MLFLOW=url, PREFECT_API_URL=f"{url}/api"))
    silent_ones = [one.about for one in found if "no answer within 0.05 s" in one.finding.message]
    assert silent_ones == ["mlflow", "prefect"]


def test_a_look_that_fails_is_a_finding_and_hides_no_other(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Settings) -> Iterator[Finding]:
        raise RuntimeError(f"no answer of http://admin:{PASSWORD}@host")

    monkeypatch.setitem(examine._LOOKS, "mlflow", broken)
    found = {one.about: one.finding for one in examine.examine(settings())}
    assert found["mlflow"].level == "problem"
    assert "the look at mlflow failed: RuntimeError" in found["mlflow"].message
    assert "canary" not in found["mlflow"].message
    assert {"parts", "ledger", "wandb", "prefect"} <= found.keys()
