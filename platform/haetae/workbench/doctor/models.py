"""Models: whether the variables that registered endpoints name are set. No endpoint is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from haetae.core.canonical import Json
from haetae.core.placeholders import variables
from haetae.core.registry import Version
from haetae.errors import HaetaeError
from haetae.settings import Settings
from haetae.store.health import Finding
from haetae.store.sql import open_ledger


def models(settings: Settings) -> Iterator[Finding]:
    """Of every model the newest version and those that an alias points to: what they need and the environment lacks."""
    try:
        with closing(open_ledger(settings.ledger, readonly=True)) as ledger:
            found = ledger.versions("model")
    except HaetaeError:  # the look at the ledger says why
        return
    newest = {version.name: version.number for version in found}
    used = [version for version in found if version.aliases or version.number == newest[version.name]]
    complete = True
    for version in used:
        if lacking := [name for name in dict.fromkeys(_named(version.content)) if not settings.env.get(name)]:
            complete = False
            needs = f"{_told(version)} needs {', '.join(lacking)}, not set here"
            yield Finding("warning", f"{needs}; set it before a run of it, which would end at once")
    if used and complete:
        yield Finding("fine", f"all that {len(used)} registered model(s) name is set")


def _told(version: Version) -> str:
    return f"model {version.reference}" + (f" ({', '.join(version.aliases)})" if version.aliases else "")


def _named(content: Json) -> Iterator[str]:
    """The variables that a value asks for, wherever in it."""
    if isinstance(content, str):
        yield from variables(content)
    elif isinstance(content, dict):
        for value in content.values():
            yield from _named(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _named(value)
