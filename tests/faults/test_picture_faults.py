"""Pictures through a whole run: sent to the model and its judge, kept nowhere, and never another than was checked."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haetae.core import reasons
from haetae.errors import DatasetError
from haetae.workbench.export import export

Png = Callable[..., bytes]


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def show(project: Any, png: Png, *paths: str) -> None:
    """A dataset of one question for each picture."""
    rows = []
    for number, path in enumerate(paths):
        file = project.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png(number))
        turn = {"role": "user", "content": f"question {number}", "images": [path]}
        rows.append({"id": f"s{number}", "input": [turn], "reference": "a cat"})
    (project.folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def pictures(body: dict[str, Any]) -> list[str]:
    content = body["messages"][-1]["content"]
    return [part["image_url"]["url"] for part in content if part["type"] == "image_url"]


def left_behind(project: Any, run_id: str) -> str:
    kept = b"".join(file.read_bytes() for file in project.settings.home.rglob("*.db*"))
    out = io.StringIO()
    with project.bench() as bench:
        export(bench.ledger, run_id, "jsonl", out)
        record = bench._record(run_id)
    return kept.decode("latin-1") + out.getvalue() + repr(record)


def test_model_and_judge_are_shown_the_picture_and_only_its_hash_is_kept(
    project: Any, server: Any, replies: Any, png: Png
) -> None:
    show(project, png, "pics/a.png", "pics/b.png")
    server.answer = lambda body, headers: replies.graded() if body["model"] == "judge" else replies.completed("a cat")
    with project.bench() as bench:
        report = bench.run(project.suite)
        first = min(bench.ledger.results(report.run.id), key=lambda result: result.sample.id)
        out = io.StringIO()
        export(bench.ledger, report.run.id, "jsonl", out)
    assert {(body["model"], *pictures(body)) for body in server.bodies} == {
        (model, f"data:image/png;base64,{encoded(png(number))}") for model in ("m", "judge") for number in (0, 1)
    }
    digest = hashlib.sha256(png(0)).hexdigest()
    assert first.sample.images[0].as_json() == {"path": "pics/a.png", "sha256": digest, "media_type": "image/png"}
    assert sorted(json.loads(line)["images"][0]["path"] for line in out.getvalue().splitlines()) == [
        *("pics/a.png", "pics/b.png")
    ]
    left = left_behind(project, report.run.id)
    assert digest in left
    assert encoded(png(0))[40:] not in left


def test_a_picture_that_changes_during_a_run_is_a_failure_and_no_other_picture(
    project: Any, server: Any, replies: Any, png: Png
) -> None:
    show(project, png, "pics/a.png", "pics/b.png", "pics/c.png")
    project.suite.write_text(project.suite.read_text().replace("in_flight: 16", "in_flight: 1"))

    def answer(body: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        stamp = (project.folder / "pics/b.png").stat()
        (project.folder / "pics/b.png").write_bytes(png(99))  # as long as the one before
        os.utime(project.folder / "pics/b.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        return replies.by_model(body, headers)

    server.answer = answer
    with project.bench() as bench:
        report = bench.run(project.suite)
        found = {result.sample.id: result.generation.result for result in bench.ledger.results(report.run.id)}
    assert found["s1"].reason == reasons.UNREADABLE_IMAGE
    assert "has changed since the dataset was checked" in found["s1"].message
    assert encoded(png(99)) not in json.dumps(server.bodies)
    assert found["s0"].output
    assert found["s2"].output


def test_a_registered_dataset_keeps_its_pictures(project: Any, server: Any, png: Png) -> None:
    show(project, png, "pics/a.png", "pics/b.png")
    with project.bench() as bench:
        version, _ = bench.register("dataset", project.folder / "samples.jsonl")
        again, new = bench.register("dataset", project.folder / "samples.jsonl")
        assert (again.reference, new) == (version.reference, False)
        for file in ("pics/a.png", "pics/b.png", "samples.jsonl"):
            (project.folder / file).unlink()
        project.suite.write_text(project.suite.read_text().replace("samples.jsonl", version.reference))
        bench.run(project.suite)
        assert f"data:image/png;base64,{encoded(png(1))}" in [pictures(body)[0] for body in server.bodies]

        kept = project.settings.home / "datasets" / Path(version.content["file"]).parent
        assert sorted(path.name for path in kept.rglob("*.png")) == ["a.png", "b.png"]
        (kept / "pics/a.png").write_bytes(png(5))
        with pytest.raises(DatasetError, match="no longer what was registered"):
            bench.run(project.suite)


def test_a_copy_that_was_cut_short_is_made_again(project: Any, png: Png) -> None:
    show(project, png, "pics/a.png")
    with project.bench() as bench:
        version, _ = bench.register("dataset", project.folder / "samples.jsonl")
    store = project.settings.home / "datasets"
    folder = store / Path(version.content["file"]).parent
    folder.rename(store / f".{folder.name}.partial")
    (store / f".{folder.name}.partial" / "left").touch()
    with project.bench() as bench:
        bench.register("dataset", project.folder / "samples.jsonl", name="other")
    assert (folder / "pics/a.png").read_bytes() == png(0)
    assert not (folder / "left").exists()


def test_an_address_in_a_dataset_stops_a_run_before_its_first_call(project: Any, server: Any) -> None:  # SEC-26
    turn = {"role": "user", "content": "q", "images": ["http://169.254.169.254/latest/meta-data/x.png"]}
    (project.folder / "samples.jsonl").write_text(json.dumps({"input": [turn], "reference": "r"}) + "\n")
    with project.bench() as bench, pytest.raises(DatasetError, match=r"input\.0\.images\.0: .*nothing is fetched"):
        bench.run(project.suite)
    assert server.bodies == []
