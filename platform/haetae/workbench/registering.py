"""Files become registered contents; contents and manifests are shown as differences."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from haetae.catalog.dataset_file import open_dataset
from haetae.catalog.model_file import load_model
from haetae.catalog.prompt_file import load_prompt
from haetae.catalog.saved_folder import STATE, data_files
from haetae.core.canonical import Json, dumps
from haetae.core.ledger import Ledger
from haetae.core.reference import Kind, Reference, check_name
from haetae.core.registry import Registry, Version
from haetae.core.run import OF_THE_WORK, Manifest, Run
from haetae.core.sample import Image
from haetae.core.tracker import RunRecord
from haetae.engine.pictures import UnreadablePicture, picture_of
from haetae.errors import DatasetError, Problem, RegistryError
from haetae.settings import Settings
from haetae.workbench.comparable import Change, changes, is_digest
from haetae.workbench.resolve import MIRROR

_MOST_ROWS = 10_000
"""Rows of the per-sample table that a tracker is given at most; the ledger keeps all."""


def content_of(kind: Kind, file: Path, name: str | None, settings: Settings) -> tuple[str, Json]:
    """The name and content to register from a file; default name: the file's, up to its first dot."""
    name = check_name(name or file.name.partition(".")[0])
    if kind == "model":
        return name, load_model(file)
    if kind == "prompt":
        return name, load_prompt(file).content
    return name, _keep_dataset(file, settings)


def _keep_dataset(file: Path, settings: Settings) -> Json:
    """A copy of the file, or of a saved folder, under its version, so that a registered dataset stays what it was.

    One with pictures has a folder of its own, where they lie beside the file as they did.
    """
    file = file.resolve()
    dataset = open_dataset(file, root=file.parent)
    version = dataset.version.removeprefix("sha256:")
    name = version if file.is_dir() else f"{version}{''.join(file.suffixes)}"
    pictures, store = dataset.pictures, settings.home / "datasets"
    store.mkdir(parents=True, exist_ok=True)
    kept = store / (version if pictures else name)
    if not kept.exists():
        partial = store / f".{kept.name}.partial"
        if pictures:
            _copy_folder(file, pictures, partial, name)
        elif file.is_dir():
            shutil.rmtree(partial, ignore_errors=True)  # of a copy that was cut short
            partial.mkdir()
            for part in (file / STATE, *data_files(file)):
                shutil.copyfile(part, partial / part.relative_to(file))
        else:
            shutil.copyfile(file, partial)
        partial.replace(kept)
    where = f"{version}/{name}" if pictures else name
    return {"name": dataset.name, "version": dataset.version, "count": dataset.count, "file": where}


def _copy_folder(file: Path, pictures: Sequence[Image], folder: Path, name: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a copy that was cut short
    folder.mkdir()
    shutil.copyfile(file, folder / name)
    for picture in pictures:
        try:
            content = picture_of(picture)
        except UnreadablePicture as exc:
            raise DatasetError(Problem(f"picture {picture.path!r} {exc}", file.name)) from exc
        copy = folder / picture.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)


def keep_rejects(rejects: Sequence[Problem], run_id: str, settings: Settings) -> list[str]:
    """Write the rows that a run left out to a file of their own; one line for the summary, none when all were read."""
    if not rejects:
        return []
    file = settings.home / "rejects" / f"{run_id}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"file": p.file, "line": p.line, "field": p.field, "message": p.message} for p in rejects)
    file.write_text("".join(dumps(row) + "\n" for row in rows), encoding="utf-8")
    count = len({(problem.file, problem.line) for problem in rejects})
    return [f"rows left out because they cannot be read: {count}; listed in {file}"]


def diff(before: Version, after: Version) -> str:
    """A unified diff of two versions' contents, empty when they are the same."""
    lines = difflib.unified_diff(
        _lines(before.content), _lines(after.content), before.reference, after.reference, lineterm=""
    )
    return "\n".join(lines)


def _lines(content: Json) -> list[str]:
    if isinstance(content, list):
        return [line for turn in content for line in (f"[{turn['role']}]", *turn["content"].splitlines())]
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode().splitlines()


def manifest_diff(run: Run, now: Manifest, suite_file: Path) -> str:
    """Why a run cannot be continued: what has changed since it started, of that which may not."""
    found = [_change(change, now) for change in changes(run.manifest, now, frozenset(now.metrics))]
    before, after = (
        {name: part for name, part in manifest.suite.items() if name not in OF_THE_WORK}
        for manifest in (run.manifest, now)
    )
    if before != after:
        lines = difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=0)
        found += [line for line in lines if line[0] in "+-"][2:]
    listed = "\n  ".join(dict.fromkeys(found)) or "something that is not shown here"
    new = f"`haetae run {suite_file.name}` starts a new one; it takes the answers that are there."
    return f"{run.id} cannot be continued, this has changed since it started:\n  {listed}\n{new}"


def _change(change: Change, now: Manifest) -> str:
    """A change in words; of a file that the suite names its name, for its digest tells nobody anything."""
    part, _, name = change.field.partition(".")
    if not (is_digest(change.before) and is_digest(change.after)):
        return str(change)
    if part == "metrics":
        name = name.partition(".")[0]
        named = now.suite["metrics"].get(name)
        words = list(named.values()) if isinstance(named, Mapping) else [named]
        files = [word for word in words if isinstance(word, str) and Path(word).suffix]
        return f"metrics.{name}: {', '.join(files)} has changed" if files else str(change)
    kind = {"prompt": "prompt", "code": "function"}.get(name.partition(".")[0], "outputs")
    written = now.suite["target"].get(kind)
    return f"target: {written} has changed" if written else str(change)


def record_of(ledger: Ledger, registry: Registry, run_id: str) -> RunRecord:
    """Everything a tracker is told of a run."""
    run = ledger.run(run_id)
    return RunRecord(
        run=run,
        estimates=ledger.estimates(run_id),
        comparison=ledger.comparison(run_id),
        accounting=ledger.accounting(run_id),
        spent=ledger.spent(run_id),
        results=ledger.results(run_id, limit=_MOST_ROWS),
        versions=_versions(registry, run.manifest),
        suite_text="\n".join(_lines(dict(run.manifest.suite))),
    )


def _versions(registry: Registry, manifest: Manifest) -> list[Version]:
    found = []
    for written, pinned in manifest.references.items():
        if pinned.startswith(MIRROR):
            continue  # MLflow has it already
        kind: Kind = "model"
        if written == manifest.suite["target"].get("prompt"):
            kind = "prompt"
        elif written == manifest.suite["dataset"]:
            kind = "dataset"
        try:
            found.append(registry.find(kind, Reference.parse(pinned)))
        except RegistryError:
            continue  # a judge's prompt: nothing to mirror
    return found
