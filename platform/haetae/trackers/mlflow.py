"""MLflow as a tracker: a run per run, told once, and the registries mirrored.

Everything goes through `MlflowClient` with explicit ids. The fluent interface keeps the active run
per thread and opens a stray run where there is none, so it is never used.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # ships no types

from haetae.core.canonical import Json
from haetae.core.reference import Kind
from haetae.core.registry import Version
from haetae.core.run import Run, RunStatus
from haetae.core.secrets import redact
from haetae.core.tracker import RunRecord, TheirName
from haetae.errors import HaetaeError, RegistryError, TrackerAway, TrackerError, boundary
from haetae.trackers import record as told
from haetae.trackers.environment import quiet, wait_for_mlflow
from haetae.trackers.mlflow_names import Notes
from haetae.trackers.patience import USUAL, Patience
from haetae.trackers.reach import QUESTION_TO_MLFLOW, check_reachable

quiet()

from mlflow.entities import (  # noqa: E402  # MLflow reads its environment when it is imported
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    Metric,
    Param,
    RunTag,
)
from mlflow.entities import Run as TheirRun  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

from haetae.trackers.mlflow_registry import Mirrored, MlflowRegistry, takes_alias  # noqa: E402

_BATCH = 1000
_EXISTS = "RESOURCE_ALREADY_EXISTS"
_STATUS = {RunStatus.FINISHED: "FINISHED", RunStatus.INTERRUPTED: "KILLED", RunStatus.STOPPED: "FAILED"}
_ENDED = frozenset({"FINISHED", "KILLED", "FAILED"})
_REFUSED = re.compile(r"error code 40[13]|PERMISSION_DENIED|UNAUTHENTICATED")
_SILENT = re.compile(r"^API request to \S+ failed with (?:timeout )?exception(?!.*error responses)", re.S)
_CREDENTIALS = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"


class MlflowTracker:
    """Tells an MLflow server or database (`http://…`, `sqlite:///…`, `postgresql+psycopg://…`).

    A suite is an experiment, `<experiment_prefix>/<suite>`. The run's end is written last: a run there
    that has not ended is a delivery that was cut off, and the next one completes it.
    """

    name = "mlflow"

    def __init__(self, tracking_uri: str, *, experiment_prefix: str = "haetae", patience: Patience = USUAL) -> None:
        self.tracking_uri = tracking_uri
        self.patience = patience
        self.experiment_prefix = experiment_prefix
        with boundary(TrackerError, f"opening MLflow at {redact(tracking_uri)}"):
            self._client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        self._registry = MlflowRegistry(self._client, tracking_uri, self._experiment)

    def deliver(self, record: RunRecord, key: str) -> str:
        """The address of the run there. Raises TrackerError when MLflow cannot take it now."""
        with self._asking(f"telling MLflow of {record.run.id}"):
            experiment = self._experiment(record.run.suite)
            run = self._claim(experiment, record.run, key)
            if run.info.status not in _ENDED:
                self._fill(run, record)
                end = _milliseconds(record.run.finished_at or record.run.started_at)
                self._client.set_terminated(run.info.run_id, _STATUS.get(record.run.status, "FINISHED"), end)
            return self._receipt(experiment, run.info.run_id)

    def mirror(self, version: Version) -> str:
        """Where the model or prompt is to be found there: `models:/name/3`. Raises TrackerError."""
        with self._asking(f"mirroring {version.reference} to MLflow"):
            return self._registry.mirror(version).uri

    def names(self, kind: Kind) -> list[TheirName]:
        """What is registered there. Raises TrackerError."""
        with self._asking(f"listing the {kind}s in MLflow"):
            return list(self._registry.names(kind))

    def read(self, kind: Kind, there: str, number: str) -> Json:
        """The content of a version there. Raises RegistryError where it is none of ours, TrackerError."""
        with self._asking(f"reading {kind} {there} from MLflow"):
            return self._registry.read(kind, there, number)

    def push(self, version: Version) -> tuple[str, str]:
        """Its name and number there. Raises RegistryError where MLflow cannot keep it, TrackerError."""
        with self._asking(f"mirroring {version.reference} to MLflow"):
            mirrored = self._registry.mirror(version)
            return mirrored.name, str(mirrored.version)

    def mark(self, there: str, number: str, version: Version) -> None:
        """Note there which version here it is. Raises TrackerError."""
        with self._asking(f"marking {there} in MLflow"):
            self._registry.mark(there, number, version)

    def takes_alias(self, alias: str) -> bool:
        """Whether an alias may have this name there."""
        return takes_alias(alias)

    def point(self, kind: Kind, there: str, alias: str, number: str) -> None:
        """Move an alias there. Raises TrackerError."""
        with self._asking(f"moving {there}@{alias} in MLflow"):
            self._registry.point(kind, there, alias, number)

    def resolve(self, kind: str, name: str, selector: str | int | None) -> tuple[str, Json]:
        """The version and the content registered there now, never from a cache.

        Raises RegistryError when nothing fits, TrackerError when MLflow cannot be asked.
        """
        with self._asking(f"reading {kind} {name} from MLflow"):
            return self._registry.resolve(kind, name, selector)

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        check_reachable(self.tracking_uri, self.patience.there_s, QUESTION_TO_MLFLOW)
        wait_for_mlflow(self.patience)
        try:
            yield
        except HaetaeError:
            raise
        except Exception as exc:
            cure = f" (check {_CREDENTIALS})" if _REFUSED.search(str(exc)) else ""
            error = TrackerAway if _SILENT.search(str(exc)) else TrackerError
            raise error(f"{what}: {redact(str(exc))}{cure}") from exc

    def _experiment(self, suite: str) -> str:
        """The id of a suite's experiment, made on its first use."""
        name = f"{self.experiment_prefix}/{suite}"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = None
        if self.tracking_uri.startswith("sqlite:///"):
            # MLflow's default is a folder of the current directory; artifacts belong beside their database
            database = Path(self.tracking_uri.removeprefix("sqlite:///"))
            place = (database.absolute().parent / "mlartifacts" / name).as_uri()
        try:
            return str(self._client.create_experiment(name, artifact_location=place))
        except MlflowException as exc:
            made_meanwhile = self._client.get_experiment_by_name(name) if exc.error_code == _EXISTS else None
            if made_meanwhile is None:
                raise
            return str(made_meanwhile.experiment_id)

    def _claim(self, experiment: str, run: Run, key: str) -> TheirRun:
        """The one run of this key: found, or created. Of two created at once, one is left."""
        if not (runs := self._runs_of(experiment, key)):
            tags = {"haetae.key": key, "haetae.run": run.id, "haetae.status": run.status.value}
            self._client.create_run(experiment, _milliseconds(run.started_at), tags, run_name=run.id)
            runs = self._runs_of(experiment, key)
        kept, *others = sorted(runs, key=lambda found: (found.info.status not in _ENDED, found.info.run_id))
        for other in others:
            self._client.delete_run(other.info.run_id)
        return kept

    def _runs_of(self, experiment: str, key: str) -> list[TheirRun]:
        return list(self._client.search_runs([experiment], f"tags.`haetae.key` = '{key}'"))

    def _fill(self, run: TheirRun, record: RunRecord) -> None:
        """Everything but the end. Each step may be repeated: what is there already stays as it is."""
        run_id, notes = run.info.run_id, Notes()
        at = _milliseconds(record.run.finished_at or record.run.started_at)
        metrics = [Metric(notes.key(name), value, at, 0) for name, value in told.numbers(record).items()]
        notes.left_out.extend(told.without_value(record))
        params = {notes.key(name): notes.value(name, text) for name, text in told.settings(record).items()}
        mirrored = list(self._mirrored(record, notes))
        tags = {f"haetae.{name}": text for name, text in told.verdict_facts(record).items()}
        tags |= {notes.key(f"tag.{name}"): redact(text) for name, text in record.run.tags.items()}
        tags |= _version_tags(record, mirrored)
        sent = [RunTag(name, notes.value(name, text, 5000)) for name, text in tags.items()]
        missing = [Param(name, text) for name, text in params.items() if name not in run.data.params]
        for start in range(0, max(len(metrics), 1), _BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + _BATCH])
        self._client.log_batch(run_id, params=missing, tags=sent)
        models = [LoggedModelInput(found.model_id) for found in mirrored if found.model_id]
        self._client.log_inputs(run_id, [_dataset(record.run)], models)
        self._client.log_text(run_id, told.printable(redact(record.suite_text)), "suite.yaml")
        if notes:
            self._client.log_dict(run_id, notes.as_json(), "notes.json")
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "samples.parquet"
            pq.write_table(_samples(record), table)
            self._client.log_artifact(run_id, str(table))

    def _mirrored(self, record: RunRecord, notes: Notes) -> Iterator[Mirrored]:
        """The models and prompts of a run; one that MLflow cannot keep keeps no run away."""
        for version in record.versions:
            if version.kind != "dataset":
                try:
                    yield self._registry.mirror(version)
                except RegistryError as exc:
                    notes.left_out.append(f"{version.kind} {version.reference}: {exc}")

    def _receipt(self, experiment: str, run_id: str) -> str:
        if self.tracking_uri.startswith("http"):
            return redact(f"{self.tracking_uri.rstrip('/')}/#/experiments/{experiment}/runs/{run_id}")
        return f"runs:/{run_id}"


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _dataset(run: Run) -> DatasetInput:
    """The dataset by name and version; MLflow keeps 36 characters of the digest, the source has all."""
    facts = run.manifest.dataset
    name, version = str(facts.get("name", run.suite)), str(facts.get("version", ""))
    source = json.dumps({"name": name, "version": version})
    short = version.removeprefix("sha256:")[:36] or "unknown"
    return DatasetInput(Dataset(name[:500], short, "haetae", source), [InputTag("mlflow.data.context", "eval")])


def _version_tags(record: RunRecord, mirrored: list[Mirrored]) -> dict[str, str]:
    """What was evaluated, by version, and the prompts in the tag that MLflow's pages link from."""
    tags: dict[str, str] = {}
    for version in record.versions:
        tags[f"haetae.{version.kind}"] = ", ".join(
            other.reference for other in record.versions if other.kind == version.kind
        )
    prompts = [{"name": m.name, "version": str(m.version)} for m in mirrored if m.kind == "prompt"]
    if prompts:
        tags["mlflow.linkedPrompts"] = json.dumps(prompts)
    return tags


def _samples(record: RunRecord) -> pa.Table:
    """The per-sample table, its types fixed so that a column of nothing reads back as what it is."""
    metrics = list(record.run.manifest.metrics)
    text = ["sample_id", "input", "output", "reference", "reason"]
    types = dict.fromkeys(text, pa.string()) | {"repeat": pa.int64(), "latency_s": pa.float64()}
    for metric in metrics:
        types |= {metric: pa.float64(), f"{metric}.reason": pa.string(), f"{metric}.explanation": pa.string()}
    return pa.Table.from_pylist(told.rows(record.results, metrics), pa.schema(list(types.items())))
