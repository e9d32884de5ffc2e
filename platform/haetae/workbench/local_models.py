"""A registered folder becomes a model in this process: checked to be what was registered, never loaded here."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from haetae.catalog.model_folder import ModelFolder, open_model_folder
from haetae.core.clock import Clock
from haetae.core.local_spec import LocalSpec
from haetae.errors import ConfigError, MissingExtra
from haetae.targets.local import Local


def local_model(text: str, spec: LocalSpec, root: Path, clock: Clock) -> Local:
    """The model that the reference `text` names. Raises ConfigError, MissingExtra without torch or transformers."""
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtra(package, "hf")
    found = open_model_folder(spec.path, folder=root, root=root)
    if spec.digest not in (None, found.digest):
        raise ConfigError(f"{spec.path} is no longer what was registered as {text}; register it again")
    window, stride = _reach(text, spec, found)
    fingerprint = {
        "kind": "local",
        "model": found.path.name,
        "digest": found.digest,
        "tokenizer": found.tokenizer,
        "dtype": spec.precision,
        "bos": spec.bos,
        "window": window,
        "stride": stride,
        "batch_tokens": spec.at_once,
        "torch": version("torch"),
        "transformers": version("transformers"),
        "parameters": spec.parameters.model_dump(),
    }
    return Local(found.path, spec, fingerprint=fingerprint, window=window, stride=stride, clock=clock)


def _reach(text: str, spec: LocalSpec, found: ModelFolder) -> tuple[int, int]:
    """How many tokens are seen at once, and how many are new in each further window."""
    window = spec.window or found.context
    if window is None:
        raise ConfigError(f"model {text}: its config.json does not say how many tokens it sees at once; give window")
    if found.context is not None and window > found.context:
        raise ConfigError(f"model {text}: window {window} is over the {found.context} tokens that it sees at once")
    stride = spec.stride or window // 2
    if stride >= window:
        raise ConfigError(f"model {text}: stride {stride} is not below the window of {window} tokens")
    return window, stride
