"""MLflow's rules for names, and what was changed to keep them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from haetae.core.canonical import digest

LONGEST_KEY = 250
LONGEST_VALUE = 500


@dataclass
class Notes:
    """What MLflow was told differently from what the ledger holds: kept beside the run as `notes.json`."""

    renamed: dict[str, str] = field(default_factory=dict)
    truncated: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def key(self, name: str) -> str:
        """The name as MLflow takes it: `rouge/language=ko` becomes `rouge/language:ko`.

        Other characters that it refuses become `_`, and six digits of a hash keep names apart that
        would fall together; the change is noted. The same name is always mapped the same way.
        """
        metric, slash, rest = name.partition("/")
        plain = metric + slash + rest.replace("=", ":", 1)
        kept = slash.join(_piece(piece) for piece in (metric, rest)) if slash else _piece(metric)
        if kept == plain and len(kept) <= LONGEST_KEY:
            return kept
        mapped = f"{kept[: LONGEST_KEY - 7]}-{digest(name)[:6]}"
        self.renamed[name] = mapped
        return mapped

    def value(self, name: str, text: str, longest: int = LONGEST_VALUE) -> str:
        """The text cut to `longest` characters, its whole length noted."""
        if len(text) <= longest:
            return text
        self.truncated[name] = len(text)
        return text[: longest - 1] + "…"

    def as_json(self) -> dict[str, object]:
        return {"renamed": self.renamed, "truncated": self.truncated, "left_out": self.left_out}

    def __bool__(self) -> bool:
        return bool(self.renamed or self.truncated or self.left_out)


def _piece(text: str) -> str:
    """One part of a name: MLflow also reads names as paths, so that `.`, `..` and '' are none."""
    kept = re.sub(r"[^\w.\- :]", "_", text.replace("=", ":", 1)).strip(" ")
    return kept if kept.strip(".") else "_"


def registered_name(name: str) -> str:
    """The name as MLflow's registries take it: letters of other scripts become `_`, with a hash."""
    kept = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return kept if kept == name else f"{kept}-{digest(name)[:6]}"


def spellings(kind: str, name: str) -> tuple[str, str, str]:
    """The names that a model or prompt is given in MLflow's registries: the first that is free.

    MLflow keeps both kinds under one set of names, so its own may be taken by the other kind. With the kind behind it,
    it may be the name of another of its kind; hardly with six digits of a hash as well.
    """
    plain = registered_name(name)
    return plain, f"{plain}-{kind}", f"{plain}-{kind}-{digest([kind, name])[:6]}"


def names_there(kind: str, name: str) -> tuple[str, ...]:
    """The names under which it may be found: those, and its own, which people gave it in MLflow."""
    return tuple(dict.fromkeys((*spellings(kind, name), name)))
