"""One scheduled night through the stack: a suite's file, a verdict, and where it arrived: ledger, MLflow, dashboard."""

from __future__ import annotations

import json
import shutil
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from composed import DEPLOY

if TYPE_CHECKING:
    from stack import Stack

Found = TypeVar("Found")
BASELINE = """
haetae run suite.yaml --quiet --no-track || [ $? = 3 ]  # no baseline yet, so no verdict
haetae promote first.1
mv tonight.jsonl outputs.jsonl  # else nothing has changed, and nothing is run
"""
_WITHIN_S = 240
_ENDED = ["COMPLETED", "FAILED", "CRASHED"]


class Amiss(Exception):
    """The night did not go as it should."""


def suites(folder: Path) -> Path:
    """A folder with the first suite, due every minute, and the answers that its system gives tonight."""
    shutil.copytree(DEPLOY.parent / "datasets" / "starter", folder)
    first, *rest = (folder / "outputs.jsonl").read_text("utf-8").splitlines()
    answer = json.loads(first)
    again = json.dumps({**answer, "output": f"{answer['output']} (tonight)"}, ensure_ascii=False)
    (folder / "tonight.jsonl").write_text("\n".join([again, *rest]) + "\n", "utf-8")
    with (folder / "suite.yaml").open("a", encoding="utf-8") as suite:
        suite.write('\ntrack: [mlflow]\nschedule: { cron: "* * * * *", timezone: Asia/Seoul }\n')
    return folder


def play(stack: Stack, values: Mapping[str, str]) -> None:
    """Wait for the first run that the schedule made, and see where it arrived. Raises Amiss."""
    hands, dashboard = stack.parts["worker"].env, stack.parts["dashboard"]
    stack.say("everything is well; waiting for the schedule")
    run = _eventually(stack, lambda: _scheduled(hands), "no scheduled run ended")
    message = run["state"]["message"] or ""
    stack.say(f"Prefect: {run['name']}, due {run['expected_start_time']}, ended as {run['state']['name']}: {message}")
    if run["state"]["name"] != "Passed":
        raise Amiss(f"the scheduled run ended as {run['state']['name']}")
    haetae_run = message.partition(":")[0]
    told = _eventually(stack, lambda: _told(hands, haetae_run), f"MLflow was not told of {haetae_run}")
    stack.say(f"MLflow: run {told} of {haetae_run}")
    _send_a_span(hands)
    stack.say("OTLP: a span was taken at MLflow's /v1/traces")
    address = next(word for word in dashboard.command if word.startswith("--port=")).removeprefix("--port=")
    _see_the_dashboard(f"http://127.0.0.1:{address}", values["HAETAE_DASHBOARD_LOGIN"])
    stack.say("dashboard: closed without a login, open with one")
    stack.say(f"verdict: pass. Dashboard http://127.0.0.1:{address}, login {values['HAETAE_DASHBOARD_LOGIN']}")


def _scheduled(hands: Mapping[str, str]) -> Any:
    """The first run that Prefect's scheduler made, that a worker ended, and for which something was due."""
    asked = {
        "flows": {"name": {"any_": ["nightly"]}},
        "flow_runs": {"state": {"type": {"any_": _ENDED}}, "tags": {"all_": ["auto-scheduled"]}},
    }
    ended = _json(f"{hands['PREFECT_API_URL']}/flow_runs/filter", asked, _basic(hands["PREFECT_API_AUTH_STRING"]))
    due = [run for run in ended if run["state"]["name"] != "NotDue"]
    return min(due, key=lambda run: run["end_time"], default=None)


def _told(hands: Mapping[str, str], run: str) -> str | None:
    """The run of MLflow that has this run's numbers."""
    base, known = f"{hands['HAETAE_MLFLOW']}/api/2.0/mlflow", _mlflow(hands)
    experiments = _json(f"{base}/experiments/search", {"max_results": 100}, known).get("experiments", [])
    ids = [experiment["experiment_id"] for experiment in experiments]
    asked = {"experiment_ids": ids, "filter": f"tags.`haetae.run` = '{run}'"}
    runs = _json(f"{base}/runs/search", asked, known).get("runs", [])
    return next((each["info"]["run_id"] for each in runs if each["data"].get("metrics")), None)


def _send_a_span(hands: Mapping[str, str]) -> None:
    now = time.time_ns()
    span = {"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "night", "kind": 1,
            "startTimeUnixNano": str(now - 1_000_000), "endTimeUnixNano": str(now)}  # fmt: skip
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    _json(f"{hands['HAETAE_MLFLOW']}/v1/traces", spans, {**_mlflow(hands), "x-mlflow-experiment-id": "0"})


def _see_the_dashboard(base: str, login: str) -> None:
    if (closed := _status(f"{base}/", {}))[0] != 401:
        raise Amiss(f"the dashboard answers {closed[0]} to whoever asks")
    name, _, password = login.partition(":")
    _, headers = _status(f"{base}/login", {}, urlencode({"name": name, "password": password}).encode())
    cookie = (headers.get("set-cookie") or "").partition(";")[0]
    if (opened := _status(f"{base}/", {"Cookie": cookie}))[0] != 200:
        raise Amiss(f"the dashboard answers {opened[0]} to who has signed in")


def _eventually(stack: Stack, look: Callable[[], Found | None], otherwise: str) -> Found:
    deadline = time.monotonic() + _WITHIN_S
    while not (found := look()):
        stack.check()
        if time.monotonic() > deadline:
            raise Amiss(f"{otherwise} within {_WITHIN_S} s")
        time.sleep(0.5)
    return found


class _Still(HTTPRedirectHandler):
    """Follows no redirection: the cookie is in the answer that redirects."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _status(url: str, headers: Mapping[str, str], body: bytes | None = None) -> tuple[int, Any]:
    try:
        with build_opener(_Still()).open(Request(url, body, dict(headers)), timeout=60) as answer:  # noqa: S310
            return answer.status, answer.headers
    except HTTPError as exc:
        return exc.code, exc.headers


def _json(url: str, document: Any, headers: Mapping[str, str]) -> Any:
    body = json.dumps(document).encode()
    request = Request(url, body, {"content-type": "application/json", **headers})  # noqa: S310  # one of ours
    try:
        with build_opener().open(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")
    except HTTPError as exc:
        raise Amiss(f"{url}: {exc.code} {exc.read()[:300]!r}") from exc


def _mlflow(hands: Mapping[str, str]) -> dict[str, str]:
    return _basic(f"{hands['MLFLOW_TRACKING_USERNAME']}:{hands['MLFLOW_TRACKING_PASSWORD']}")


def _basic(login: str) -> dict[str, str]:
    return {"authorization": f"Basic {b64encode(login.encode()).decode()}"}
