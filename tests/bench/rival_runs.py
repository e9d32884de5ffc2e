"""Other packages, asked about the same data: each repetition is drawn here and answered by `rivals.py` over there."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from judge_questions import JUDGES, judged
from worlds import pair


class Rivals:
    """Other packages, asked about the same data in their own environment; None asks nobody."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.missing: list[str] = [] if folder else ["evalproof, statgate and ppi-python (no --rivals given)"]

    def gated(self, seed: int, repetitions: int) -> dict[str, tuple[float, float, float]]:
        """Per package: share of alarms when nothing changed; of alarms, and of passes, at the margin of 5 points."""
        rng = np.random.default_rng(seed)
        said = []
        for drop in (0.0, 0.05):
            pairs = [pair(rng, "binary", 200, 0.5, drop) for _ in range(repetitions)]
            before, after = (np.array(side) for side in zip(*pairs, strict=True))
            said.append(self._ask("gate", before=before, after=after, margin=np.array(0.05)))
        quiet, dropped = said

        def share(of: dict[str, list[str]], name: str, word: str) -> float:
            return float(np.mean([verdict == word for verdict in of[name]]))

        return {
            name: (share(quiet, name, "regression"), share(dropped, name, "regression"), share(dropped, name, "pass"))
            for name in sorted(quiet.keys() & dropped.keys())
        }

    def judged(self, seed: int, repetitions: int, labels: int) -> str:
        """Coverage of each package's interval for the 0/1 judge of the middle world."""
        rng, world = np.random.default_rng(seed), JUDGES["0/1"][1]
        draws = [judged(rng, "0/1", world, 1_000) for _ in range(repetitions)]
        judge, human = (np.array([draw[i] for draw in draws]) for i in (0, 1))
        said = self._ask("judge", judge=judge, human=human, labels=np.array(labels), truth=np.array(world[2]))
        return ", ".join(f"{name} {rate:.3f}".replace("0.", ".", 1) for name, rate in said.items()) or "not run"

    def _ask(self, question: str, **data: object) -> dict[str, Any]:
        if self.folder is None:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "data.npz"
            np.savez(path, **data)  # type: ignore[arg-type]  # arrays by name
            script = Path(__file__).with_name("rivals.py")
            done = subprocess.run(
                [self.folder / "bin" / "python", script, question, path], capture_output=True, text=True, check=False
            )
        self.missing += [line for line in done.stderr.splitlines() if ": " in line and not line.startswith(" ")]
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}
