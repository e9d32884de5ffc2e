"""Whose a deployment on the server is: of a folder that its runs go to, and of the project that was deployed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prefect.client.schemas.responses import DeploymentResponse

from haetae.flows.planning import PROJECT, TAG


class Owner(NamedTuple):
    """`folder` is None for what a process serves; `project` for what was deployed before projects were noted."""

    folder: str | None
    project: str | None

    def __str__(self) -> str:
        if self.folder is None:
            return "haetae schedule serve"
        return self.folder if self.project is None else f"{self.folder} (project {self.project})"

    def may_be(self, other: Owner) -> bool:
        """Whether nothing that is known of both tells them apart."""
        return self.folder == other.folder and (None in (self.project, other.project) or self.project == other.project)


def owner_of(deployment: DeploymentResponse) -> Owner:
    """By the step with which its runs begin, and its tags."""
    steps = deployment.pull_steps or []
    folder = next((step["directory"] for entry in steps for step in entry.values() if "directory" in step), None)
    noted = (tag.removeprefix(PROJECT) for tag in deployment.tags if tag.startswith(PROJECT))
    return Owner(folder, next(noted, None))


def taken(there: Mapping[str, DeploymentResponse], owner: Owner) -> Sequence[str]:
    """Which of the deployments that are there, by their full names, are those of others; a line each.

    What `haetae schedule serve` has put there is nobody's: it says of no folder, and ends with its process.
    """
    lines = []
    for name, deployment in there.items():
        whose = owner_of(deployment)
        if TAG not in deployment.tags:
            lines.append(f"{name} is there already, and haetae did not make it")
        elif whose.folder is not None and not whose.may_be(owner):
            lines.append(f"{name} belongs to {whose}, not to {owner}")
    return lines
