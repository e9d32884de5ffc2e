"""What is to stand on a Prefect server: a deployment for each suite's nights, and those of the whole project.

Plain values, which `deploying` applies and `prefect_file` writes: both come to the same deployments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TAG = "haetae"
"""On every deployment of ours."""
PROJECT = "project:"
"""What the tag with its project's name begins with."""
NIGHTLY = "nightly"
"""The flow of a suite with a schedule."""
HEARTBEAT_S = 30
"""How often a flow run says that it lives: Prefect's shortest."""
SILENT_S = 2 * HEARTBEAT_S
"""Who has not said so for as long has died."""
_UTC = "UTC"


class Alias(NamedTuple):
    """A moving name of a registered model or prompt: `support-llm@production`."""

    kind: str
    name: str
    alias: str


class Night(NamedTuple):
    """A suite with a schedule; `file` is the path of its file from the project's folder."""

    suite: str
    file: str
    cron: str
    timezone: str
    aliases: Sequence[Alias] = ()


@dataclass(frozen=True)
class Deployment:
    """One flow with its parameters; `cron` is None for those that people and events start."""

    flow: str
    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    cron: str | None = None
    timezone: str = _UTC
    tags: tuple[str, ...] = (TAG,)
    aliases: Sequence[Alias] = ()

    @property
    def full_name(self) -> str:
        """`nightly/support-bot`, as Prefect's commands take it."""
        return f"{self.flow}/{self.name}"

    @property
    def is_alone(self) -> bool:
        """Whether one run of it waits for the other: what a schedule starts."""
        return self.cron is not None

    @property
    def entrypoint(self) -> str:
        """By its module: a worker needs the package, and no file of flows."""
        return f"haetae.flows.{self.flow}.{self.flow}"


def planned(nights: Sequence[Night], project: str, keep_days: int | None) -> list[Deployment]:
    """All of a project. `keep_days`: what is older is pruned each night; None deletes nothing."""
    tags = (TAG, f"{PROJECT}{project}")
    return [
        *(
            Deployment(
                NIGHTLY,
                night.suite,
                f"Runs {night.suite} when it is due by its schedule, once, whoever calls.",
                {"suites": [night.file]},
                night.cron,
                night.timezone,
                (*tags, f"suite:{night.suite}"),
                night.aliases,
            )
            for night in nights
        ),
        Deployment("evaluate", project, "Runs one suite, also with another model or prompt.", tags=tags),
        Deployment("shard", project, "Works on a run that an evaluation with hands has opened.", tags=tags),
        Deployment("gate", project, "Runs the gate of one suite, also with another model or prompt.", tags=tags),
        Deployment(
            "watch",
            project,
            "Says which metrics fell, and which suites nobody serves.",
            cron="*/30 * * * *",
            tags=tags,
        ),
        Deployment(
            "deliver", project, "Delivers to the trackers what they have missed.", cron="*/10 * * * *", tags=tags
        ),
        Deployment("tidy", project, "Prunes old runs.", {"keep_days": keep_days}, cron="45 4 * * *", tags=tags),
    ]


def trigger_of(alias: Alias) -> dict[str, Any]:
    """What starts a suite's night at once: the move of an alias that it names, as Prefect's triggers are written."""
    return {
        "name": f"{alias.kind} {alias.name}@{alias.alias} moves",
        "expect": ["haetae.alias.moved"],
        "match": {"prefect.resource.id": f"haetae.{alias.kind}.{alias.name}", "haetae.alias": alias.alias},
        "parameters": {"demanded": {"__prefect_kind": "jinja", "template": "{{ event.occurred }}"}},
    }


def pull_step(folder: str) -> dict[str, Any]:
    """What a worker does first: it goes to the project's folder, from where paths are read and `.haetae` is found."""
    return {"prefect.deployments.steps.set_working_directory": {"directory": folder}}
