"""compose.yaml as processes of this machine: the same commands, environments and health checks, on loopback.

What changes is where things are: a service's name becomes 127.0.0.1, a port a free one, a volume a folder.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parent
_COPIED = {"/etc/haetae/mlflow-auth.ini": str(DEPLOY / "mlflow-auth.ini")}
"""What the Dockerfile puts where."""
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^${}]*))?\}")


class NotSet(Exception):
    """A variable that compose.yaml asks for has no value."""


@dataclass(frozen=True)
class Service:
    """One process: how and where it is started, how one sees that it is well, and what must be so before.

    `after` says of other services `service_healthy` or `service_completed_successfully`.
    """

    name: str
    command: list[str]
    folder: str
    env: dict[str, str]
    check: list[str] | None
    after: dict[str, str]


def services(file: Path, values: Mapping[str, str], folder: Path) -> dict[str, Service]:
    """The services of a compose file, to be kept in a folder. Raises NotSet as `docker compose` would refuse."""
    document = _filled_in(yaml.safe_load(file.read_text("utf-8")), values)
    ports = {port: str(_free_port()) for port in sorted(_ports(document))}
    return {
        name: _service(name, said, _Places(set(document["services"]), ports, _mounts(name, said, file.parent, folder)))
        for name, said in document["services"].items()
    }


@dataclass(frozen=True)
class _Places:
    """Where the hosts, ports and folders of a container are on this machine."""

    hosts: set[str]
    ports: dict[str, str]
    mounts: dict[str, str]

    def moved(self, text: str) -> str:
        """A text with everything where it is here."""
        for inside, here in self.mounts.items():
            text = re.sub(rf"(?<![\w/.]){re.escape(inside)}(?=/|$)", here, text)
        hosts = "|".join([*map(re.escape, sorted(self.hosts)), "localhost", r"127\.0\.0\.1"])
        text = re.sub(
            rf"\b({hosts}):(\d+)\b",
            lambda found: f"127.0.0.1:{self.ports[found[2]]}" if found[2] in self.ports else found[0],
            text.replace("0.0.0.0", "127.0.0.1"),  # noqa: S104  # it is what is replaced
        )
        return re.sub(r"--port=(\d+)$", lambda found: f"--port={self.ports[found[1]]}", text)

    def variable(self, name: str, value: str) -> str:
        """A variable of the environment; a host or a port may stand there alone."""
        if name.endswith("PORT"):
            return self.ports.get(value, value)
        return "127.0.0.1" if name.endswith("HOST") and value in self.hosts else self.moved(value)


def _service(name: str, said: Mapping[str, Any], places: _Places) -> Service:
    test = said["healthcheck"].get("test")
    return Service(
        name,
        [places.moved(word) for word in said.get("command", [])],
        places.moved(said["working_dir"]) if "working_dir" in said else ".",
        {key: places.variable(key, str(value)) for key, value in said["environment"].items()},
        None if test is None else [places.moved(word) for word in test[1:]],  # after CMD
        {other: said["depends_on"][other]["condition"] for other in said.get("depends_on", {})},
    )


def _mounts(name: str, said: Mapping[str, Any], beside: Path, folder: Path) -> dict[str, str]:
    mounts = {inside: str(folder / "tmpfs" / name / inside.strip("/")) for inside in said.get("tmpfs", [])}
    for volume in said.get("volumes", []):
        source, inside = volume.split(":")[:2]
        named = "/" not in source
        mounts[inside] = str(folder / "volumes" / source if named else (beside / source).resolve())
    for where in mounts.values():
        if not Path(where).exists():
            Path(where).mkdir(parents=True)
    return {**mounts, **_COPIED}


def _ports(document: Mapping[str, Any]) -> Iterator[str]:
    """Every port on which something listens: what is published, and what is looked at by a health check."""
    text = yaml.safe_dump([[said.get("command"), said["healthcheck"]] for said in document["services"].values()])
    yield from re.findall(r"(?:--port=|localhost:|127\.0\.0\.1:)(\d+)", text)


def _filled_in(said: Any, values: Mapping[str, str]) -> Any:
    """A document with `${NAME}`, `${NAME:-default}` and `${NAME:?what is missing}` replaced, also within defaults."""
    if isinstance(said, dict):
        return {key: _filled_in(value, values) for key, value in said.items()}
    if isinstance(said, list):
        return [_filled_in(value, values) for value in said]

    def value(found: re.Match[str]) -> str:
        name, sign, rest = found.groups()
        if given := values.get(name):
            return given
        if sign == "?":
            raise NotSet(f"{name}: {rest}")
        return rest or ""

    while isinstance(said, str) and (filled := _VARIABLE.sub(value, said)) != said:
        said = filled
    return said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
