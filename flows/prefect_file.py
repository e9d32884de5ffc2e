"""The deployments of a project as a `prefect.yaml`, for those who apply it with Prefect's own command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from haetae.flows.planning import HEARTBEAT_S, Deployment, pull_step, trigger_of

_HEAD = """\
# Written by haetae deploy; write it again after a change of the suites. Apply it with
#     prefect --no-prompt deploy --all
# That makes these deployments and no more. haetae deploy itself also makes the work pool and the automations by which
# what died is taken up again, brings the ledger to its version, pauses suites that lost their schedule, and leaves
# alone what belongs to another folder or project.
"""


def prefect_file(plan: Sequence[Deployment], project: str, folder: str, pool: str) -> str:
    """The file's text."""
    document = {
        "name": project,
        "pull": [pull_step(folder)],
        "deployments": [_entry(deployment, pool) for deployment in plan],
    }
    return _HEAD + yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120)


def job_variables() -> dict[str, Any]:
    """What a worker gives a flow run: how often it says that it lives."""
    return {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S)}}


def _entry(deployment: Deployment, pool: str) -> dict[str, Any]:
    schedules = [{"cron": deployment.cron, "timezone": deployment.timezone, "active": True}]
    return {
        "name": deployment.name,
        "entrypoint": deployment.entrypoint,
        "description": deployment.description,
        "tags": list(deployment.tags),
        "parameters": dict(deployment.parameters),
        "schedules": schedules if deployment.cron else [],
        **({"concurrency_limit": {"limit": 1, "collision_strategy": "ENQUEUE"}} if deployment.is_alone else {}),
        **({"triggers": [trigger_of(alias) for alias in deployment.aliases]} if deployment.aliases else {}),
        "work_pool": {"name": pool, "job_variables": job_variables()},
    }
