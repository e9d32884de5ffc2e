"""How datasets/retrieval was made: the passages and questions of two suites that ship, searched by passage_search.

    python tests/unit/workbench/files/record_retrieval.py datasets

writes samples.jsonl and outputs.jsonl; passages.jsonl goes to the folder of passage_search.py, or to --passages.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

EVERY = 3
"""One question of three is kept."""


def passages(datasets: Path) -> list[dict[str, str]]:
    """Every passage that answers a question of the two suites, under the name of its document."""
    found = {}
    for language, row in _rows(datasets):
        for text in row.get("reference_contexts", ()):
            found[f"{language}-{row['metadata']['document']}"] = text
    return [{"id": name, "text": text} for name, text in sorted(found.items())]


def questions(datasets: Path) -> list[dict[str, Any]]:
    """Every third question that has an answer, with the passage that holds it."""
    asked = [
        {
            "id": row["id"],
            "input": row["input"],
            "relevant": {f"{language}-{row['metadata']['document']}": 1},
            "metadata": {name: row["metadata"][name] for name in ("language", "difficulty", "document")},
        }
        for language, row in _rows(datasets)
        if row.get("reference_contexts")
    ]
    return asked[::EVERY]


def _rows(datasets: Path) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    for name in ("docs-en", "support-ko"):
        lines = (datasets / name / "samples.jsonl").read_text("utf-8").splitlines()
        rows += [(name[-2:], json.loads(line)) for line in lines]
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def main(datasets: Path) -> None:
    """Ask every question and keep what the stages gave."""
    write(Path(__file__).with_name("passages.jsonl"), passages(datasets))
    from passage_search import answer

    asked = questions(datasets)
    answer(asked[0]["input"])  # the index is built before anything is timed
    recorded = []
    for question in asked:
        said = answer(question["input"])
        for stage in said["stages"]:
            stage["latency_s"] = round(stage["latency_s"], 7)
        recorded.append({"id": question["id"], "output": said["output"], "stages": said["stages"]})
    folder = datasets / "retrieval"
    folder.mkdir(exist_ok=True)
    write(folder / "samples.jsonl", asked)
    write(folder / "outputs.jsonl", recorded)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
