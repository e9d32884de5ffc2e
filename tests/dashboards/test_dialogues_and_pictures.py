"""A dialogue is shown turn by turn, and of a picture the record alone: no page opens the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from streamlit.testing.v1 import AppTest

from haetae import Workbench, load_settings
from haetae.core.generation import Generation
from haetae.core.metric import MetricFacts
from haetae.core.run import GenerationRow, Manifest, RunStatus
from haetae.core.sample import Image, Message, Sample, ToolCall

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_page_shows_the_transcript_with_its_calls_and_a_pictures_hash(
    open_app: Callable[..., AppTest], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    cat = Image("pics/cat.png", "ab" * 32, "image/png")
    sample = Sample("s1", (Message("user", "무엇인가요?", (cat,)),))
    turns = (
        Message("user", "무엇인가요?"),
        Message("assistant", "", tool_calls=(ToolCall("look", {"at": "그림"}),)),
        Message("assistant", "**고양이**입니다"),
    )
    answer = Generation("**고양이**입니다", transcript=turns)
    with Workbench(load_settings({"HAETAE_LEDGER": url})) as bench:
        suite = {"suite": "agent", "target": {"outputs": "outputs.jsonl"}, "metrics": {"steps": "steps"}}
        manifest = Manifest(
            suite=suite,
            dataset={"name": "rows.jsonl", "version": "sha256:0", "count": 1},
            target={},
            metrics={"steps": MetricFacts("steps", "1", high=None)},
        )
        run = bench.ledger.start("agent", manifest, 1, AT, seed=7, tags={})
        row = GenerationRow("s1", 0, "key", sample.digest, answer)
        bench.ledger.record(run.id, [sample], [row], [], AT)
        bench.ledger.finish(run.id, RunStatus.FINISHED, AT)
    app = open_app(url, "run", run=run.id, sample="s1")
    assert not app.exception
    blocks = [block.value for block in app.code]
    assert f"무엇인가요?\npicture pics/cat.png (image/png, SHA-256 {'ab' * 32})" in blocks
    assert 'calls look {"at": "그림"}' in blocks
    assert blocks.count("**고양이**입니다") == 2  # as the output and as the last turn, markup and all
