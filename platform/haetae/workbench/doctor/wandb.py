"""W&B: off, in a folder, or online with a key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from haetae.core.secrets import redact
from haetae.settings import Settings
from haetae.store.health import Finding
from haetae.trackers.wandb_account import address, key
from haetae.workbench.doctor.asking import ask
from haetae.workbench.doctor.clocks import clock


def wandb(settings: Settings) -> Iterator[Finding]:
    """What is to be said of HAETAE_WANDB_MODE. The key itself is never shown."""
    if settings.wandb_mode == "off":
        yield Finding("fine", "W&B is off: suites that name it tell it nothing")
        return
    yield _folder(settings.home / "wandb", settings.wandb_mode)
    if settings.wandb_mode == "online":
        yield from _online(settings)


def _folder(folder: Path, mode: str) -> Finding:
    there = next(up for up in (folder, *folder.parents) if up.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding("problem", f"W&B writes to {folder}, and {there} may not be written; change its permissions")
    return Finding("fine", f"W&B is {mode}; its runs are written to {folder}")


def _online(settings: Settings) -> Iterator[Finding]:
    url, found = address(settings.env), key(settings.env)
    where = redact(url)
    if found is None:
        yield Finding("problem", f"W&B is online without a key; set WANDB_API_KEY, or wandb login --host {where}")
    elif fault := found.fault:
        yield Finding("problem", f"W&B would refuse the key from {found.source}: {fault}; copy it again")
    else:
        yield Finding("fine", f"W&B has a key, from {found.source}")
    if not url.startswith(("http://", "https://")):
        yield Finding("problem", f"WANDB_BASE_URL is {where}, and has to be https://HOST")
        return
    answer = ask(url)
    if isinstance(answer, str):
        yield Finding("problem", f"W&B at {where} cannot be reached: {answer}; set HAETAE_WANDB_MODE=offline meanwhile")
    else:
        yield Finding("fine", f"W&B at {where} answers")
        yield from clock(f"W&B at {where}", answer.ahead_s)
