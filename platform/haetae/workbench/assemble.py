"""A suite file becomes everything a run needs, and every mistake is found before the first call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from haetae.catalog.dataset_file import DatasetFile, open_dataset
from haetae.catalog.given_rows import NAME, GivenRows
from haetae.catalog.metric_factory import build_metric
from haetae.catalog.recorded import check_outputs, checked_outputs
from haetae.catalog.saved_folder import is_saved
from haetae.catalog.suite_file import LoadedSuite, load_suite
from haetae.core.clock import Clock
from haetae.core.metric import Metric
from haetae.core.pace import Pacing
from haetae.core.reference import Reference
from haetae.core.registry import Registry
from haetae.core.run import Manifest
from haetae.core.secrets import masked, masked_json
from haetae.core.spans import Spans
from haetae.core.suite import Suite
from haetae.core.target import Target
from haetae.core.tracker import Mirror
from haetae.engine.budget import Meter
from haetae.engine.functions import load_function
from haetae.errors import ConfigError, DatasetError, NoSamplesError, Problem, TargetError
from haetae.metrics.judges.suspicion import Watched
from haetae.settings import Settings
from haetae.targets.function import ARGUMENTS, FunctionTarget
from haetae.targets.prompted import Prompted
from haetae.targets.recorded import Recorded
from haetae.workbench.expecting import check_expected
from haetae.workbench.instead import NOTHING_ELSE, Instead
from haetae.workbench.resolve import Resolver
from haetae.workbench.tolerances import check_tolerances


@dataclass(frozen=True)
class Assembly:
    """Everything one run needs. `manifest.epoch` is set by the run."""

    loaded: LoadedSuite
    dataset: DatasetFile
    target: Target
    metrics: Mapping[str, Metric]
    manifest: Manifest
    meter: Meter
    resolver: Resolver

    @property
    def suite(self) -> Suite:
        """The suite's specification."""
        return self.loaded.suite

    @property
    def total(self) -> int:
        """How many (sample, repeat) pairs the run must do."""
        return self.dataset.count * self.suite.target.repeats

    @property
    def is_deterministic(self) -> bool:
        """Whether a run of the same manifest would give the same answers and the same scores."""
        return self.target.deterministic and all(metric.facts.is_deterministic for metric in self.metrics.values())

    async def aclose(self) -> None:
        """Give back every connection."""
        await self.resolver.aclose()
        await self.target.aclose()


def assemble(
    path: Path,
    settings: Settings,
    registry: Registry,
    clock: Clock,
    mirror: Callable[[], Mirror],
    pacing: Pacing,
    skip_bad: bool = False,
    spans: Spans | None = None,
    given: GivenRows | None = None,
    instead: Instead = NOTHING_ELSE,
) -> Assembly:
    """Load and check a suite; with `spans`, the calls of its models make some. Rows that are `given` are its dataset,
    a model or prompt that is given `instead` is its target's.

    Raises ConfigError with every problem of the file that stopped it.
    """
    loaded = instead.within(load_suite(path, settings.env))
    suite = loaded.suite
    meter = Meter(suite.budget)
    resolver = Resolver(
        suite,
        loaded.path.parent,
        loaded.root,
        registry=registry,
        env=settings.env,
        clock=clock,
        meter=meter,
        mirror=mirror,
        pacing=pacing,
        code=settings.evaluate_folders,
        spans=spans,
    )
    metrics, target = _metrics_and_target(loaded, resolver, clock)
    check_tolerances(loaded, metrics)
    require = _required(metrics)
    if given is None:
        dataset = _dataset(loaded, registry, settings, resolver, skip_bad, require)
    else:
        dataset = given.open(limit=suite.most_samples, skip_bad=skip_bad, require=require)
    check_expected(loaded, metrics, target, dataset)
    _check_requests(dataset, target)
    manifest = Manifest(  # kept and told to others: without the secrets that ${NAME} has brought
        suite=masked_json(suite.as_json() if given is None else {**suite.as_json(), "dataset": NAME}),
        dataset={
            "name": _name(dataset, resolver.pins.get(suite.dataset)),
            "version": dataset.version,
            "count": dataset.count,
        },
        target=dict(target.fingerprint),
        metrics={name: replace(metric.facts, text=masked(metric.facts.text)) for name, metric in metrics.items()},
        references=dict(sorted(resolver.pins.items())),
    )
    return Assembly(loaded, dataset, target, metrics, manifest, meter, resolver)


def _metrics_and_target(loaded: LoadedSuite, resolver: Resolver, clock: Clock) -> tuple[dict[str, Metric], Target]:
    """Both, or every mistake of both: one that several metrics share (the suite's judge) is told once."""
    try:
        metrics = _metrics(loaded, resolver)
    except ConfigError as wrong:
        try:
            _target(loaded, resolver, clock)
        except ConfigError as also:
            raise ConfigError(list(dict.fromkeys([*wrong.problems, *also.problems]))) from also
        raise
    return metrics, _target(loaded, resolver, clock)


def _metrics(loaded: LoadedSuite, resolver: Resolver) -> dict[str, Metric]:
    metrics, problems = {}, []
    for name, spec in loaded.suite.metrics.items():
        try:
            metric = build_metric(name, spec, resolver, loaded.problem)
            metrics[name] = metric if metric.facts.judge is None else Watched(metric)
        except ConfigError as exc:
            problems += [_placed(loaded, f"metrics.{name}", problem) for problem in exc.problems]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return metrics


def _target(loaded: LoadedSuite, resolver: Resolver, clock: Clock) -> Target:
    spec, suite = loaded.suite.target, loaded.suite
    try:
        if spec.model is not None:
            prompt = None if spec.prompt is None else resolver.prompt(spec.prompt)
            return Prompted(resolver.model(spec.model, TargetError), prompt)
        if spec.function is not None:
            function = load_function(spec.function, loaded.path.parent, loaded.root, ARGUMENTS)
            return FunctionTarget(function, spec.function, clock, suite.limits.timeout_s, resolver.meter)
        if spec.guard is not None:
            from haetae.workbench.guarding import cascade  # with re2, which only rules need

            return cascade(spec.guard, loaded, resolver, clock)
        assert spec.outputs is not None  # noqa: S101  # the specification has exactly one of the four
        if spec.repeats != 1:
            raise ConfigError("recorded outputs hold one answer per sample: repeats must be 1")
        return _recorded(loaded.locate("target.outputs", spec.outputs), loaded.root)
    except ConfigError as exc:
        field = "target" if spec.function is None else "target.function"
        raise ConfigError([_placed(loaded, field, problem) for problem in exc.problems]) from exc


def _recorded(file: Path, root: Path) -> Recorded:
    """Recorded outputs, read through once so that a bad row stops the run before its start."""
    stages = check_outputs(file, root=root)
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return Recorded(checked_outputs(file, root=root), {"file": file.name, "digest": digest}, stages)


def _dataset(
    loaded: LoadedSuite,
    registry: Registry,
    settings: Settings,
    resolver: Resolver,
    skip_bad: bool,
    require: Mapping[str, str],
) -> DatasetFile:
    text, limit = loaded.suite.dataset, loaded.suite.most_samples
    if loaded.suite.limit == 0:
        raise NoSamplesError(loaded.problem("limit", "0 samples: a run needs at least one"))
    file = loaded.path.parent / text
    registered = "@" in text or not (file.suffix or file.exists())
    if not registered:
        try:
            place = file if is_saved(file) else loaded.locate("dataset", text)
            return open_dataset(place, root=loaded.root, limit=limit, skip_bad=skip_bad, require=require)
        except DatasetError as exc:
            raise type(exc)([_placed(loaded, "dataset", problem) for problem in exc.problems]) from exc
    version = registry.find("dataset", Reference.parse(text))
    resolver.pins[text] = version.reference
    stored = settings.home / "datasets" / version.content["file"]
    dataset = open_dataset(stored, root=settings.home, limit=limit, skip_bad=skip_bad, require=require)
    if limit is None and dataset.version != version.content["version"]:
        raise DatasetError(f"{stored} is no longer what was registered as {version.reference}; register it again")
    return dataset


def _name(dataset: DatasetFile, registered: str | None) -> str:
    """How people call the dataset: its registered name, or its folder and file."""
    return registered.partition("@")[0] if registered else f"{dataset.path.parent.name}/{dataset.name}"


def _required(metrics: Mapping[str, Metric]) -> dict[str, str]:
    """What every sample must have, and who needs it: a metric that compares with a reference cannot do without one."""
    comparing = [name for name, metric in metrics.items() if "reference" in metric.facts.needs]
    return {"references": ", ".join(comparing)} if comparing else {}


def _check_requests(dataset: DatasetFile, target: Target) -> None:
    """What a file alone cannot know: a template variable that a sample lacks."""
    if not isinstance(target, Prompted) or (dataset.longest is not None and target.can_ask(dataset.longest)):
        return
    for sample in dataset:
        target.request(sample)


def _placed(loaded: LoadedSuite, field: str, problem: Problem) -> Problem:
    """A problem found behind a field of the suite file, shown at that field."""
    if problem.file:
        return problem
    at = loaded.problem(".".join(filter(None, (field, problem.field))), problem.message)
    return replace(at, variable=problem.variable)
