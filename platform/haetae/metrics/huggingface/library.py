"""Hugging Face evaluate, imported without what it does not need here and without its network.

Its package imports the pipelines of transformers, and with them torch, for evaluators that are not used here:
18 s instead of 5. So transformers is absent while evaluate is imported, unless somebody has loaded it already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

for _name in ("HF_EVALUATE_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
    os.environ[_name] = "1"  # read when the libraries are imported


@contextmanager
def _without_transformers() -> Iterator[None]:
    if "transformers" in sys.modules:
        yield
        return
    sys.modules["transformers"] = None  # type: ignore[assignment]  # how a module is declared absent
    try:
        yield
    finally:
        del sys.modules["transformers"]


with _without_transformers():
    import datasets.config  # type: ignore[import-untyped]  # ships no types
    import evaluate  # type: ignore[import-untyped]  # ships no types
    import huggingface_hub.constants

    from datasets import Features, Sequence, Value  # type: ignore[attr-defined]  # mypy finds the folder of that name

huggingface_hub.constants.HF_HUB_OFFLINE = True  # whoever imported them before may have let them be online
datasets.config.HF_HUB_OFFLINE = datasets.config.HF_DATASETS_OFFLINE = True
evaluate.config.HF_EVALUATE_OFFLINE = True

__all__ = ["Features", "Sequence", "Value", "evaluate"]
