"""The quiz's answers as statgate case files: `python statgate_cases.py SIDE FILE`, by suffix .jsonl, .json or .csv."""

from __future__ import annotations

import csv
import difflib
import json
import sys
from pathlib import Path

QUIZ = [json.loads(line) for line in Path(__file__).with_name("questions.jsonl").read_text("utf-8").splitlines()]


def cases(side: str):
    for row in QUIZ:
        for run, answer in enumerate(row[side]):
            score = round(difflib.SequenceMatcher(None, answer, row["answer"]).ratio(), 4)
            passed = answer == row["answer"]
            yield {
                "case_id": row["id"],
                "score": score,
                "passed": passed,
                "run_index": run,
                "language": row["language"],
            }


if __name__ == "__main__":
    side, path = sys.argv[1], Path(sys.argv[2])
    rows = list(cases(side))
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    else:
        path.write_text(json.dumps(rows, ensure_ascii=False) + "\n", "utf-8")
