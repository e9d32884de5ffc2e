"""Takes out of a written file what is large or names a machine: `python keep_scores.py FROM TO`, with Inspect's Python.

Of an `.eval` archive the transcripts but one go; of Inspect's `.json` the events and the tracebacks; of
promptfoo's results the configuration, the token counts, and the indentation; of lm-evaluation-harness's
summary all but the figures and the version. Nothing else is touched.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from zipfile import ZipFile

from inspect_ai._util.zipfile import zipfile_compress_kwargs  # Inspect's compression, Zstandard


def archive(written: Path, kept: Path) -> None:
    with ZipFile(written) as whole, ZipFile(kept, "w", **zipfile_compress_kwargs) as part:
        transcripts = [name for name in whole.namelist() if name.startswith("samples/")]
        for info in whole.infolist():
            if info.filename not in transcripts[1:]:
                part.writestr(info.filename, whole.read(info))


def inspect_log(log: dict) -> None:
    for sample in log["samples"]:
        sample["events"] = []
        if sample.get("error"):
            sample["error"] |= {"traceback": "", "traceback_ansi": ""}


def promptfoo_results(document: dict) -> None:
    del document["config"]
    for row in document["results"]["results"]:
        del row["tokenUsage"]


def lm_eval_summary(document: dict) -> None:
    for name in document.keys() - {"results", "n-samples", "lm_eval_version"}:
        del document[name]


if __name__ == "__main__":
    written, kept = map(Path, sys.argv[1:])
    if written.suffix == ".eval":
        archive(written, kept)
    else:
        document = json.loads(written.read_text("utf-8"))
        if "lm_eval_version" in document:
            lm_eval_summary(document)
        else:
            (inspect_log if "eval" in document else promptfoo_results)(document)
        kept.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
