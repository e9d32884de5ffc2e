"""HAETAE_* environment variables, read once, at the door."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from haetae.core.addresses import url_fault
from haetae.core.alert_address import AlertAddress, alert_addresses
from haetae.errors import ConfigError, Problem

_HOME = ".haetae"
_PROJECT = ("pyproject.toml", ".git")
_WANDB_MODES = ("off", "offline", "online")


@dataclass(frozen=True)
class Settings:
    """Where things are.

    `home` is the folder of everything embedded (`HAETAE_HOME`, default the nearest `.haetae` from the working
    folder up to its project, else `.haetae` in the working folder).
    `ledger` is the URL of the ledger (`HAETAE_LEDGER`, default SQLite in `home`). `mlflow` is MLflow's
    tracking URI (`HAETAE_MLFLOW`, else `MLFLOW_TRACKING_URI`, default SQLite in `home`). `wandb_mode` is
    `off`, `offline` or `online` (`HAETAE_WANDB_MODE`), `wandb_project` the project there (`HAETAE_WANDB_PROJECT`).
    `evaluate_folders` are where modules of Hugging Face evaluate may be run from (`HAETAE_EVALUATE_FOLDERS`,
    absolute paths with `:` between them, default none).
    `false_alarms_per_month` is how many the watch over scheduled runs may raise (`HAETAE_FALSE_ALARMS_PER_MONTH`).
    `alerts` are the addresses of Apprise that people are told at (`HAETAE_ALERTS`, apart by blanks or lines),
    `alerts_allow` the hosts and networks among them that are not public (`HAETAE_ALERTS_ALLOW`), `link` where the
    dashboard is (`HAETAE_LINK`), for links in messages.
    `env` is the environment that `${NAME}` in suites and models is resolved from.
    """

    home: Path
    ledger: str
    mlflow: str
    wandb_mode: Literal["off", "offline", "online"] = "offline"
    wandb_project: str = "haetae"
    false_alarms_per_month: float = 1.0
    evaluate_folders: tuple[Path, ...] = ()
    alerts: tuple[AlertAddress, ...] = ()
    alerts_allow: tuple[str, ...] = ()
    link: str | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


def _home(folder: Path) -> Path:
    """The nearest `.haetae` from this folder upward, else the one to make here.

    The search ends with the project (pyproject.toml, .git), and before the user's home and what anybody
    may write to: a ledger that lies there is nobody's by design.
    """
    for up in (folder, *folder.parents):
        if up != folder and (up == Path.home() or up == up.parent or up.stat().st_mode & stat.S_IWOTH):
            break
        if (up / _HOME).is_dir():
            return up / _HOME
        if any((up / mark).exists() for mark in _PROJECT):
            break
    return folder / _HOME


def _folders(text: str) -> tuple[Path, ...]:
    folders = tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)
    for folder in folders:
        if not folder.is_absolute():
            said = f"{folder} is not an absolute path: which folder it is would depend on where haetae is started"
            raise ConfigError(Problem(said, field="HAETAE_EVALUATE_FOLDERS"))
    return folders


def _alerts(text: str) -> tuple[AlertAddress, ...]:
    try:
        return alert_addresses(text)
    except ValueError as exc:
        raise ConfigError(Problem(str(exc), field="HAETAE_ALERTS")) from None


def _allowed(text: str) -> tuple[str, ...]:
    """Hosts and networks; a URL is neither, and neither is a network with more bits than an address has."""
    found = tuple(text.replace(",", " ").split())
    for entry in found:
        if not re.fullmatch(r"[A-Za-z0-9.:_-]+", entry) and not _is_network(entry):
            said = "expected hosts, addresses or networks, as 10.0.0.0/8 or chat.internal, without a schema or a path"
            raise ConfigError(Problem(said, field="HAETAE_ALERTS_ALLOW"))
    return found


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _link(text: str) -> str | None:
    if text and (why := url_fault(text)):
        raise ConfigError(Problem(why, field="HAETAE_LINK"))
    return text.rstrip("/") or None


def load_settings(env: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the environment. Raises ConfigError for a value that is none of the known ones."""
    env = dict(os.environ if env is None else env)
    home = Path(env.get("HAETAE_HOME") or _home(folder or Path.cwd())).absolute()
    mode = env.get("HAETAE_WANDB_MODE", "offline")
    if mode not in _WANDB_MODES:
        raise ConfigError(Problem(f"{mode!r} is none of off, offline and online", field="HAETAE_WANDB_MODE"))
    alarms = env.get("HAETAE_FALSE_ALARMS_PER_MONTH", "1")
    try:
        accepted = float(alarms)
    except ValueError:
        accepted = 0.0
    if not 0 < accepted < 1000:
        raise ConfigError(Problem(f"{alarms!r} is not a number above 0", field="HAETAE_FALSE_ALARMS_PER_MONTH"))
    return Settings(
        home=home,
        ledger=env.get("HAETAE_LEDGER") or f"sqlite:///{home / 'ledger.db'}",
        mlflow=env.get("HAETAE_MLFLOW") or env.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
        wandb_mode=cast(Literal["off", "offline", "online"], mode),
        wandb_project=env.get("HAETAE_WANDB_PROJECT", "haetae"),
        false_alarms_per_month=accepted,
        evaluate_folders=_folders(env.get("HAETAE_EVALUATE_FOLDERS", "")),
        alerts=_alerts(env.get("HAETAE_ALERTS", "")),
        alerts_allow=_allowed(env.get("HAETAE_ALERTS_ALLOW", "")),
        link=_link(env.get("HAETAE_LINK", "")),
        env=env,
    )
