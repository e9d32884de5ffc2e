"""Prefect: the server that schedules are served from, where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from haetae.core.secrets import redact
from haetae.core.url_login import without_login
from haetae.settings import Settings
from haetae.store.health import Finding
from haetae.workbench.doctor.asking import Answer, ask, basic, is_near
from haetae.workbench.doctor.clocks import clock
from haetae.workbench.doctor.prefect_settings import prefect_settings

_OFF = ("false", "0", "no", "off")


def prefect(settings: Settings) -> Iterator[Finding]:
    """What is to be said of the server that PREFECT_API_URL or the active profile names."""
    told = prefect_settings(settings.env)
    if url := told.get("PREFECT_API_URL"):
        yield from _server(url.rstrip("/"), redact(url), told)
    elif _installed() and told.get("PREFECT_SERVER_EPHEMERAL_ENABLED", "true").lower() not in _OFF:
        yield Finding(
            "warning",
            "no Prefect server is named: a flow starts one of its own, which takes half a minute and forgets "
            "task runs; set PREFECT_API_URL for haetae schedule serve, else PREFECT_SERVER_EPHEMERAL_ENABLED=false",
        )
    else:
        yield Finding("fine", "no Prefect server is named; only haetae schedule serve and flows need one")


def _server(url: str, where: str, told: Mapping[str, str]) -> Iterator[Finding]:
    if not url.startswith(("http://", "https://")):
        yield Finding("problem", f"PREFECT_API_URL is {where}, and has to be http://HOST:4200/api")
        return
    try:
        bare, login = without_login(url)
    except ValueError as exc:
        yield Finding("problem", f"PREFECT_API_URL is {where}: {exc}")
        return
    authorization = _authorization(login, told)
    health = ask(f"{bare}/health", authorization)
    if isinstance(health, str):
        yield Finding("problem", f"Prefect at {where} cannot be reached: {health}; start it, or mend PREFECT_API_URL")
        return
    yield from clock(f"Prefect at {where}", health.ahead_s)
    if health.status != 200 or health.body.strip() != b"true":
        yield Finding("problem", f"{where} answers {health.status} to /health; PREFECT_API_URL ends in /api as a rule")
        return
    answer = ask(f"{bare}/admin/version", authorization)
    if isinstance(answer, str):
        yield Finding("problem", f"Prefect at {where} says that it is well and answers nothing else: {answer}")
    elif answer.status in (401, 403):
        wrong = "refuses the key" if authorization else "wants a key"
        mend = "set PREFECT_API_AUTH_STRING to what the server has in PREFECT_SERVER_API_AUTH_STRING"
        yield Finding("problem", f"Prefect at {where} {wrong}; {mend}")
    elif answer.status != 200:
        yield Finding("warning", f"Prefect at {where} does not tell its version (it answers {answer.status})")
    else:
        yield _versions(where, _value(answer))
        yield from _exposed(bare, where, ask(f"{bare}/admin/version"))
        yield from _database(where, ask(f"{bare}/admin/settings", authorization))


def _authorization(login: str | None, told: Mapping[str, str]) -> str | None:
    """As Prefect's client: the login of the address, else what the settings hold."""
    auth, key = login or told.get("PREFECT_API_AUTH_STRING"), told.get("PREFECT_API_KEY")
    return basic(auth) if auth else f"Bearer {key}" if key else None


def _versions(where: str, there: Any) -> Finding:
    here = _installed()
    if not isinstance(there, str):
        said = f"{where} does not look like a Prefect server: /admin/version tells no version"
        return Finding("problem", f"{said}; PREFECT_API_URL ends in /api as a rule")
    if here and _order(there) < _order(here):
        return Finding("warning", f"Prefect at {where} is {there}, older than {here} here; bring both to one version")
    return Finding("fine", f"Prefect at {where} is {there}, here is {here or 'none'}")


def _order(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, by which versions are compared."""
    return tuple(int(number) for number in re.findall(r"\d{1,9}", version)[:2])


def _exposed(url: str, where: str, without_key: Answer | str) -> Iterator[Finding]:
    if is_near(url):
        return
    if url.startswith("http://"):
        yield Finding("warning", f"what goes to {where} can be read on its way, the key too; put TLS before it")
    if isinstance(without_key, Answer) and without_key.status == 200:
        yield Finding("warning", f"{where} asks nobody for a key; start it with PREFECT_SERVER_API_AUTH_STRING")


def _database(where: str, answer: Answer | str) -> Iterator[Finding]:
    """Whether its own database is SQLite: the server tells no more than whether another was named."""
    told = _value(answer) if isinstance(answer, Answer) and answer.status == 200 else None
    database = _inner(_inner(told, "server"), "database")
    driver = database.get("driver") or (
        "sqlite" if "connection_url" in database and not database["connection_url"] else ""
    )
    if str(driver).startswith("sqlite"):
        yield Finding(
            "warning",
            f"Prefect at {where} keeps its own state in SQLite, which is locked now and then where several write; "
            "the ledger is not touched by it; for more than one worker set PREFECT_SERVER_DATABASE_CONNECTION_URL="
            "postgresql+asyncpg://…",
        )


def _inner(value: Any, name: str) -> dict[str, Any]:
    """What a document holds under a name; nothing of what is no document."""
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _value(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _installed() -> str | None:
    try:
        return version("prefect")
    except PackageNotFoundError:
        return None
