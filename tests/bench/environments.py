"""Environments of the tools that Haetae is measured against, one each, in a folder outside the repository.

    python tests/bench/environments.py FOLDER [NAME …]

Makes what FOLDER lacks, of all tools or of those named, and says which could not be made. uv is used where it is on
the PATH, npm for what is written in JavaScript.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_OPENAI = ("openai", "rouge-score")
PACKAGES: dict[str, tuple[str, ...]] = {
    "floor": ("aiohttp", "httpx", "openai", "orjson", "numpy", "rouge-score", "uvloop", "httptools"),
    "evalproof": ("evalproof",),
    "langfuse": ("langfuse", *_OPENAI),
    "pydantic": ("pydantic-evals", "pydantic-ai-slim", *_OPENAI),
    "deepeval": ("deepeval", "rouge-score"),
    "inspect": ("inspect-ai", *_OPENAI),
    "ragas": ("ragas==0.4.3", "langchain-community<0.4.2", "rouge-score"),
    "lmeval": ("torch==2.13.0", "lm-eval[api]", "transformers", "sacrebleu", "rouge-score", "evaluate", "accelerate"),
    "mlflow": ("mlflow", *_OPENAI),
}
PROMPTFOO = ("promptfoo", "node@24")
NAMES = (*PACKAGES, "promptfoo")


def made(folder: Path, name: str) -> bool:
    """Whether an environment is there, whole."""
    return (folder / name / ".made").exists()


def make(folder: Path, name: str) -> None:
    """Make one environment. Raises CalledProcessError with what the installer said."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    if name == "promptfoo":
        _run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place), *PROMPTFOO)
    else:
        _run(sys.executable, "-m", "venv", str(place))
        python = str(place / "bin" / "python")
        installer = ("uv", "pip", "install", "-q", "--python", python) if shutil.which("uv") else _pip(python)
        _run(*installer, *PACKAGES[name])
        # where bytecode is missing, every start would compile the tool again
        subprocess.run([python, "-m", "compileall", "-q", str(place / "lib")], check=False, capture_output=True)
    (place / ".made").touch()


def _pip(python: str) -> tuple[str, ...]:
    return (python, "-m", "pip", "install", "-q")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def main(folder: str, *names: str) -> None:
    for name in names or NAMES:
        if made(Path(folder), name):
            continue
        try:
            make(Path(folder), name)
            print(f"{name}: made")
        except (OSError, subprocess.CalledProcessError) as exc:
            said = getattr(exc, "stderr", None) or str(exc)
            print(f"{name}: not made: {said.strip().splitlines()[-1]}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
