"""A row of a data file becomes the canonical JSON object of a sample; strictly, every fault at once.

Written out by hand because it runs for each of millions of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isinf
from typing import Any

from haetae.catalog.explain import found, nearest
from haetae.core.canonical import Json

Fault = tuple[str, str]
"""(field, message)"""

FIELDS = frozenset(
    {
        "id",
        "input",
        "reference",
        "references",
        "contexts",
        "reference_contexts",
        "relevant",
        "tool_calls",
        "metadata",
    }
)
MAX_ID = 200
MAX_GRADE = 1000
"""Of a passage's relevance: gains in nDCG are the grades themselves."""
MAX_DEPTH = 64
"""Most levels of a row, itself the first. Only fields that may hold anything have to be looked at."""
_CONTAINERS = frozenset({dict, list})
_TEXT = frozenset({str})
_PLAIN = frozenset({str, int, bool, type(None)})
_ROLES = ("system", "user", "assistant", "tool")
_TURN = frozenset({"role", "content"})
_TURN_MAY = _TURN | {"images", "tool_calls"}
_CALL = {"name", "arguments"}


_NOTHING: Mapping[str, str] = {}


class BadRow(Exception):
    """Why a row is no sample."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(faults)
        self.faults = faults


def sample_json(row: Json, require: Mapping[str, str] = _NOTHING) -> dict[str, Json]:
    """The row as `Sample.as_json` would write it; `id` only when the row has one.

    `require` names fields of a sample that must be there and not empty (`references`, `contexts`), each with who
    needs it.
    Raises BadRow with every fault.
    """
    if type(row) is not dict:
        raise BadRow([("", f"expected a JSON object, got {found(row)}")])
    faults: list[Fault] = []
    out: dict[str, Json] = {}
    for name, value in row.items():
        check = _CHECKS.get(name)
        if check is None:
            faults.append((str(name), f"unknown field{nearest(str(name), FIELDS) or _LISTED}"))
        elif value is not None:
            check(out, name, value, faults)
    if "input" not in out and not any(field.startswith("input") for field, _ in faults):
        faults.append(("input", "missing; expected text or a list of messages"))
    if "reference" in row and "references" in row and row["reference"] is not None and row["references"] is not None:
        faults.append(("reference", "given beside references; write one of the two"))
    for name, needed_by in require.items():
        if not out.get(name):
            why = (
                f"missing; needed by {needed_by}. haetae run --skip-bad (in Python skip_bad=True) leaves such rows out"
            )
            faults.append(("reference" if name == "references" else name, why))
    if faults:
        raise BadRow(faults)
    return out


_LISTED = f"; there are {', '.join(sorted(FIELDS))}"


def id_fault(value: str) -> str | None:
    """Why a text cannot be an id, or None."""
    if not value.isprintable():
        return f"an id is printable text, got {value[:60]!a}"
    if len(value) > MAX_ID:
        return f"an id has at most {MAX_ID} characters, got {len(value)}"
    return None


def _id(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    if type(value) is str and value and value.isprintable() and len(value) <= MAX_ID:
        out["id"] = value
        return
    if type(value) is int:  # `7` and `"7"` are one id: a table knows no difference
        value = str(value)
    if type(value) is not str:
        faults.append((name, f"expected text, got {found(value)}"))
    elif not value:
        faults.append((name, "an id may not be empty; leave it out to have one made from the content"))
    elif (fault := id_fault(value)) is not None:
        faults.append((name, fault))
    else:
        out["id"] = value


def _input(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    if type(value) is str:
        if value:
            out["input"] = value
        return
    if type(value) is float and value != value:  # NaN is how a table says that nothing is there
        return
    if type(value) is not list:
        faults.append((name, f"expected text or a list of messages, got {found(value)}"))
        return
    if not value:
        return
    before = len(faults)
    turns = [turn_json(f"{name}.{index}", turn, faults) for index, turn in enumerate(value)]
    if len(faults) == before:
        out["input"] = turns


def turn_json(where: str, turn: Json, faults: list[Fault]) -> Json:
    """One turn of a chat: {role, content}, the paths of pictures shown and the tool calls made in it."""
    if type(turn) is not dict or not _TURN <= turn.keys() <= _TURN_MAY:
        faults.append((where, f"expected {{role, content}}, got {_keys(turn)}"))
    elif turn["role"] not in _ROLES:
        faults.append((f"{where}.role", f"expected one of {', '.join(_ROLES)}, got {found(turn['role'])}"))
    elif type(turn["content"]) is not str:
        faults.append((f"{where}.content", f"expected text, got {found(turn['content'])}"))
    elif len(turn) > len(_TURN):
        return _full_turn(where, turn, faults)
    return turn


def _full_turn(where: str, turn: dict[str, Json], faults: list[Fault]) -> Json:
    out: dict[str, Json] = {"role": turn["role"], "content": turn["content"]}
    images = turn.get("images")
    if images and _are_texts(f"{where}.images", images, faults):
        if turn["role"] != "user":
            faults.append((f"{where}.images", f"pictures are shown in user turns, not by the {turn['role']}"))
        out["images"] = list(images)
    if "tool_calls" in turn:
        tool_calls(out, f"{where}.tool_calls", turn["tool_calls"], faults, key="tool_calls")
    return {name: value for name, value in out.items() if value or name == "content"}


def _reference(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    if type(value) is str:
        out["references"] = [value]
    elif not (type(value) is float and value != value):
        hint = "; several answers go in references" if type(value) is list else ""
        faults.append((name, f"expected text, got {found(value)}{hint}"))


def _references(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    if _are_texts(name, value, faults) and value:
        out["references"] = value


def _texts(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    if _are_texts(name, value, faults):
        out[name] = value


def _are_texts(name: str, value: Json, faults: list[Fault]) -> bool:
    if type(value) is not list:
        faults.append((name, f"expected a list of texts, got {found(value)}"))
        return False
    if _TEXT.issuperset(map(type, value)):
        return True
    faults += [(f"{name}.{i}", f"expected text, got {found(v)}") for i, v in enumerate(value) if type(v) is not str]
    return False


def _relevant(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    """Ids of passages with their grades, or a list of ids, each of grade 1."""
    if type(value) is list:
        if _are_texts(name, value, faults):
            out[name] = dict.fromkeys(value, 1)
    elif type(value) is not dict:
        faults.append((name, f"expected a mapping of ids to grades, or a list of ids, got {found(value)}"))
    else:
        wrong = {key: grade for key, grade in value.items() if type(grade) is not int or not 0 <= grade <= MAX_GRADE}
        faults += [(f"{name}.{k}", f"expected a grade from 0 to {MAX_GRADE}, got {found(g)}") for k, g in wrong.items()]
        out[name] = value


def tool_calls(out: dict[str, Json], name: str, value: Json, faults: list[Fault], key: str | None = None) -> None:
    """Check a list of {name, arguments}; absent arguments are none. It goes under `key`, by default its name."""
    if type(value) is not list:
        faults.append((name, f"expected a list of {{name, arguments}}, got {found(value)}"))
        return
    calls: list[Json] = []
    for index, call in enumerate(value):
        where = f"{name}.{index}"
        if type(call) is not dict or "name" not in call or not call.keys() <= _CALL:
            faults.append((where, f"expected {{name, arguments}}, got {_keys(call)}"))
        elif type(call["name"]) is not str or not call["name"]:
            faults.append((f"{where}.name", f"expected text, got {found(call['name'])}"))
        elif type(call.get("arguments", {})) is not dict:
            faults.append((f"{where}.arguments", f"expected a mapping, got {found(call['arguments'])}"))
        elif fault := _fault_within(call.get("arguments", {}), MAX_DEPTH - 3):
            faults.append((f"{where}.arguments", fault))
        else:
            calls.append({"name": call["name"], "arguments": call.get("arguments", {})})
    out[key or name] = calls


def _metadata(out: dict[str, Json], name: str, value: Json, faults: list[Fault]) -> None:
    if type(value) is not dict:
        faults.append((name, f"expected a mapping, got {found(value)}"))
    elif fault := _fault_within(value, MAX_DEPTH - 1):
        faults.append((name, fault))
    elif value:
        out[name] = value


def _fault_within(value: dict[str, Json], levels: int) -> str | None:
    """Why a mapping that may hold anything cannot be kept: infinite numbers, or more levels than that."""
    if _PLAIN.issuperset(map(type, value.values())):
        return None
    level: list[Json] = [value]
    for _ in range(levels):
        inner = [within for node in level for within in (node.values() if type(node) is dict else node)]
        if any(type(within) is float and isinf(within) for within in inner):
            return "holds a number that is not finite"
        level = [within for within in inner if type(within) in _CONTAINERS]
        if not level:
            return None
    return f"nested over {MAX_DEPTH} levels"


def _keys(value: Json) -> str:
    return f"{{{', '.join(map(str, value))}}}" if isinstance(value, dict) else found(value)


_CHECKS: dict[str, Callable[[dict[str, Any], str, Json, list[Fault]], None]] = {
    "id": _id,
    "input": _input,
    "reference": _reference,
    "references": _references,
    "contexts": _texts,
    "reference_contexts": _texts,
    "relevant": _relevant,
    "tool_calls": tool_calls,
    "metadata": _metadata,
}
