"""MLflow: a database that this machine writes itself, or a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import unquote, urlsplit

from haetae.core.secrets import redact
from haetae.core.url_login import without_login
from haetae.settings import Settings
from haetae.store.health import Finding
from haetae.workbench.doctor.asking import Answer, ask, basic, is_near
from haetae.workbench.doctor.clocks import clock

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_KEY = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_ASKED = "/api/2.0/mlflow/experiments/search?max_results=1"


def mlflow(settings: Settings) -> Iterator[Finding]:
    """What is to be said of the MLflow that HAETAE_MLFLOW names."""
    scheme = urlsplit(settings.mlflow).scheme
    where = redact(settings.mlflow)
    if scheme in ("http", "https"):
        yield from _server(settings.mlflow.rstrip("/"), where, settings.env)
    elif scheme.partition("+")[0] in _DATABASES:
        yield Finding("fine", f"MLflow is the database {where}, written without a server")
    elif scheme in ("", "file"):
        yield Finding(
            "problem",
            f"MLflow {_installed() or '3'} keeps nothing in a folder of files ({where}) any more; "
            f"set HAETAE_MLFLOW=sqlite:///{settings.home / 'mlflow.db'}, or the address of a server",
        )
    else:
        yield Finding("warning", f"MLflow at {where} is not looked at: {scheme} is no server that is known here")


def _server(url: str, where: str, env: Mapping[str, str]) -> Iterator[Finding]:
    try:
        bare, _ = without_login(url)
    except ValueError as exc:
        yield Finding("problem", f"HAETAE_MLFLOW is {where}: {exc}")
        return
    health = ask(f"{bare}/health")
    if isinstance(health, str):
        yield Finding("problem", f"MLflow at {where} cannot be reached: {health}; start it, or mend HAETAE_MLFLOW")
        return
    yield from clock(f"MLflow at {where}", health.ahead_s)
    if health.status != 200:
        yield Finding("problem", f"{where} answers {health.status} to /health; HAETAE_MLFLOW names no MLflow server")
        return
    key = _authorization(url, env)
    open_to_all, with_key = ask(bare + _ASKED), ask(bare + _ASKED, key)
    yield from _access(where, open_to_all, with_key, key is not None)
    if bare.startswith("http:") and not is_near(url):
        yield Finding("warning", f"what goes to {where} can be read on its way, passwords too; put TLS before it")
    elif isinstance(open_to_all, Answer) and open_to_all.status == 200 and not is_near(url):
        yield Finding("warning", f"{where} asks nobody for a password; start it with --app-name basic-auth")
    yield from _version(where, ask(f"{bare}/version", key))


def _access(where: str, without: Answer | str, with_key: Answer | str, has_key: bool) -> Iterator[Finding]:
    if isinstance(with_key, str):
        yield Finding("problem", f"MLflow at {where} says that it is well and answers nothing else: {with_key}")
    elif with_key.status in (401, 403):
        wrong = f"refuses the name or the password; check {_KEY}" if has_key else f"wants a password; set {_KEY}"
        yield Finding("problem", f"MLflow at {where} {wrong}")
    elif with_key.status != 200:
        yield Finding("problem", f"MLflow at {where} answers {with_key.status}; look at its log")
    elif isinstance(without, Answer) and without.status == 401:
        yield Finding("fine", f"MLflow at {where} takes the name and the password")
    else:
        yield Finding("fine", f"MLflow at {where} answers")


def _authorization(url: str, env: Mapping[str, str]) -> str | None:
    """As MLflow's client: a name and a password of the address, else of the environment, else a token."""
    parts = urlsplit(url)
    if parts.username and parts.password:
        return basic(f"{unquote(parts.username)}:{unquote(parts.password)}")
    name, password = env.get("MLFLOW_TRACKING_USERNAME"), env.get("MLFLOW_TRACKING_PASSWORD")
    if name and password:
        return basic(f"{name}:{password}")
    token = env.get("MLFLOW_TRACKING_TOKEN")
    return f"Bearer {token}" if token else None


def _version(where: str, answer: Answer | str) -> Iterator[Finding]:
    """The server's version beside the client's: their first numbers have to be the same."""
    if isinstance(answer, str) or answer.status != 200:
        return
    there, here = answer.body.decode("utf-8", "replace").strip()[:40], _installed()
    if here and there.partition(".")[0] != here.partition(".")[0]:
        yield Finding(
            "problem", f"the server at {where} is MLflow {json.dumps(there)}, here is {here}; bring both to one"
        )
    else:
        yield Finding("fine", f"the server is MLflow {json.dumps(there)}, here is {here or 'none'}")


def _installed() -> str | None:
    try:
        return version("mlflow")
    except PackageNotFoundError:
        return None
