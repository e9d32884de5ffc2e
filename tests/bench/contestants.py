"""Who runs the same workload: the bare loop that is the floor, and other tools, each in its own environment."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import environments


@dataclass(frozen=True)
class Contestant:
    """One tool: the environment it runs in, and the script in the folder of tools that does the workload with it."""

    name: str
    environment: str
    script: str
    options: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("em", "judge")
    samples: int = 1_000

    def command(self, tools: Path, folder: Path, url: str, variant: str, in_flight: int, work: Path) -> list[str]:
        """The command of one run whose state goes to the empty folder `work`."""
        work.mkdir(parents=True)
        asked = ["--base-url", url, "--variant", variant, "-n", str(self.samples), "--work", str(work)]
        if self.environment == "promptfoo":
            return self._promptfoo(tools, folder, asked, in_flight, work)
        python, script = folder / self.environment / "bin" / "python", tools / "adapters" / self.script
        return [str(python), str(script), "-c", str(in_flight), *asked, *self.options]

    def _promptfoo(self, tools: Path, folder: Path, asked: list[str], in_flight: int, work: Path) -> list[str]:
        writer = [str(folder / "floor" / "bin" / "python"), str(tools / "adapters" / self.script)]
        subprocess.run([*writer, *asked], check=True, capture_output=True)
        modules = folder / "promptfoo" / "node_modules"
        program = [str(modules / ".bin" / "node"), str(modules / "promptfoo" / "dist" / "src" / "entrypoint.js")]
        quiet = ["--no-progress-bar", "--no-table", "--no-cache"]
        config = ["-c", str(work / "promptfooconfig.json"), "-o", str(work / "out.json")]
        return ["env", "-C", str(work), *program, "eval", "-j", str(in_flight), *config, *quiet]


FLOOR = Contestant("bare aiohttp loop", "floor", "floor.py")
RIVALS = (
    Contestant("evalproof", "evalproof", "evalproof_run.py"),
    Contestant("Langfuse, experiment runner", "langfuse", "langfuse_run.py"),
    Contestant("bare openai SDK", "floor", "floor.py", ("--client", "openai")),
    Contestant("bare httpx loop", "floor", "floor.py", ("--client", "httpx")),
    Contestant("pydantic-evals", "pydantic", "pydantic_run.py"),
    Contestant("deepeval", "deepeval", "deepeval_run.py"),
    Contestant("promptfoo", "promptfoo", "promptfoo_gen.py"),
    Contestant("Inspect", "inspect", "inspect_run.py"),
    Contestant("ragas, experiment", "ragas", "ragas_run.py", ("--api", "experiment")),
    Contestant("lm-evaluation-harness", "lmeval", "lmeval_run.py", variants=("em",)),
    Contestant("MLflow genai.evaluate, 200 samples", "mlflow", "mlflow_run.py", variants=("em",), samples=200),
)
QUIET = {
    "DO_NOT_TRACK": "1",
    "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
    "LANGFUSE_TRACING_ENABLED": "false",
    "OPENAI_API_KEY": "sk-mock",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_FAILED_TEST_EXIT_CODE": "0",
    "PROMPTFOO_SELF_HOSTED": "1",
    "RAGAS_DO_NOT_TRACK": "true",
}
"""What keeps them from telling anybody, and from waiting for who cannot be reached."""


def floor_folder() -> Path:
    """Where the floor's environment lies when no folder is named."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "haetae-bench"


def those_made(folder: Path) -> tuple[list[Contestant], list[str]]:
    """The rivals whose environment can be made, and for the others why they do not run."""
    able, missing = [], []
    for rival in RIVALS:
        if not environments.made(folder, rival.environment):
            missing.append(f"{rival.name}: its environment could not be made")
        else:
            able.append(rival)
    return able, missing
