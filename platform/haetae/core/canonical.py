"""One canonical JSON text for a value, and its SHA-256: what every content address is made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeAlias

import orjson

Json: TypeAlias = Any
"""A value that JSON can hold: None, bool, int, float, str, list, dict with text keys."""


def dumps(value: Json) -> str:
    """The canonical JSON text of a value: keys sorted, no spaces, characters unescaped.

    Text that UTF-8 cannot hold (a lone surrogate) is written with ASCII escapes instead, so that it
    is stored without loss everywhere. NaN and infinity are not JSON: they must be refused where they
    appear (`Score` does), and would be written as null.
    """
    return encoded(value).decode()


def encoded(value: Json) -> bytes:
    """The canonical JSON text of a value, in UTF-8."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def loads(text: str | bytes) -> Json:
    """Parse JSON strictly: NaN and Infinity are refused, a lone surrogate is kept, `1e999` is infinite.

    An integer over 64 bits is a float.

    Raises json.JSONDecodeError with the position, also where the nesting is too deep.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        source = text if isinstance(text, str) else text.decode("utf-8")
        try:
            return json.loads(source, parse_constant=_refuse_constant, parse_int=_integer)
        except RecursionError:
            raise json.JSONDecodeError("nested too deep", source, 0) from None


def _refuse_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def _integer(text: str) -> int | float:
    """An integer as orjson reads it."""
    number = int(text) if len(text) <= _DIGITS else None
    return number if number is not None and -(2**63) <= number < 2**64 else float(text)


_DIGITS = 20
"""Digits of 2**64, or those of -2**63 and its sign."""


def digest(*parts: Json) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of the parts."""
    return digest_bytes(*parts).hex()


def digest_of_text(text: bytes) -> str:
    """`digest` of a value, by its canonical JSON text."""
    return hashlib.sha256(b"[%b]" % text).hexdigest()


def digest_bytes(*parts: Json) -> bytes:
    """The 32 bytes of the SHA-256 of the canonical JSON of the parts."""
    return hashlib.sha256(encoded(parts)).digest()
