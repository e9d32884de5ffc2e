"""What flow runs, their tags and their artifacts are called, so that a person finds them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from prefect import runtime

from haetae import Report

_LONGEST = 1_000_000
"""Bytes of a suite's file; none is as long."""
_TEXT = "tag:yaml.org,2002:str"


def flow_run_name() -> str:
    """`evaluate support`; of one that a schedule started, for what time: `nightly support 2026-11-28 06:00`."""
    asked = runtime.flow_run.parameters
    suites = asked["suites"] if "suites" in asked else [asked["suite"]]
    at = [f"{runtime.flow_run.scheduled_start_time:%Y-%m-%d %H:%M}"] if is_scheduled() else []
    return " ".join([runtime.flow_run.flow_name, ", ".join(map(named, suites)), *at])


def is_scheduled() -> bool:
    """Whether a schedule has started this flow run."""
    return "auto-scheduled" in runtime.flow_run.tags


def named(suite: str) -> str:
    """The name that stands in a suite's file, which is that of its tags; of a file that has none to be read its own,
    and its folder's where it is a `suite.yaml`. What is wrong with it the run says."""
    path = Path(suite)
    try:
        name = _written(path)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        name = None
    if name is not None:
        return name
    return path.parent.name if path.stem == "suite" and path.parent.name else path.stem or suite


def _written(path: Path) -> str | None:
    """As it is composed, and no further: a few lines of merge keys are values without end once they are constructed."""
    with path.open("rb") as file:
        root = yaml.compose(file.read(_LONGEST), Loader=yaml.SafeLoader)
    entries = root.value if isinstance(root, yaml.MappingNode) else []
    named = [value for key, value in entries if isinstance(key, yaml.ScalarNode) and key.value == "suite"]
    if not named or not isinstance(named[-1], yaml.ScalarNode) or named[-1].tag != _TEXT:
        return None
    return str(named[-1].value)


def tags_of(report: Report) -> list[str]:
    """What a flow run is found by: its suite, run, verdict, model, prompt and the time for which it was due."""
    run = report.run
    target = run.manifest.suite.get("target", {})
    pinned: Mapping[str, str] = run.manifest.references
    named = {kind: target[kind] for kind in ("model", "prompt") if kind in target}
    return [
        f"suite:{run.suite}",
        f"run:{run.id}",
        *([f"verdict:{report.verdict.value}"] if report.verdict is not None else []),
        *(f"{kind}:{pinned.get(written, written)}" for kind, written in named.items()),
        *([f"due:{run.tags['due']}"] if "due" in run.tags else []),
    ]


def slug(suite: str) -> str:
    """The suite's name as artifact keys are written: a-z, 0-9 and '-'; a hash where that loses something."""
    plain = re.sub(r"[^a-z0-9]+", "-", suite.lower()).strip("-")
    return plain if plain == suite else f"{plain}-{hashlib.sha256(suite.encode()).hexdigest()[:6]}".lstrip("-")
