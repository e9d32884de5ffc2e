"""The ledger: its file or its server, and the disk that it grows on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from haetae.errors import HaetaeError
from haetae.settings import Settings
from haetae.store.address import parse_url
from haetae.store.faults import place
from haetae.store.health import Finding, findings
from haetae.store.server_health import server_findings
from haetae.workbench.doctor.clocks import clock

_LOW = 2 << 30
_LEAST = 200 << 20
"""Below this much free disk a run of a large suite does not end."""


def ledger(settings: Settings) -> Iterator[Finding]:
    """The file or the server of the ledger."""
    try:
        address = parse_url(settings.ledger)
        yield from findings(settings.ledger)
    except HaetaeError as exc:
        yield Finding("problem", str(exc))
        return
    if address.get_backend_name() != "sqlite":
        ahead_s, found = server_findings(address)
        yield from found
        yield from clock(f"the ledger's server {place(address)}", ahead_s)


def disk(settings: Settings) -> Iterator[Finding]:
    """How much room there is where HAETAE_HOME, and a ledger in a file, lie."""
    places = {settings.home}
    if settings.ledger.startswith("sqlite:///"):
        places.add(Path(place(parse_url(settings.ledger))).parent)
    seen = set()
    for folder in sorted(places):
        there = next(up for up in (folder, *folder.parents) if up.exists())
        if (device := there.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        said = f"{free / (1 << 30):,.1f} GiB are free in {there}"
        if free >= _LOW:
            yield Finding("fine", said)
        else:
            level = "problem" if free < _LEAST else "warning"
            yield Finding(level, f"{said}; free some space (haetae cache prune), or name another disk by HAETAE_HOME")  # type: ignore[arg-type]
