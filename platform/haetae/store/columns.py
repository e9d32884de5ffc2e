"""Column types that keep any text: NUL and lone surrogates are escaped, Korean stays readable."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from haetae.core import canonical

_SPECIAL = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(\\|0|u[0-9a-f]{4})")


def escape(text: str) -> str:
    """The text with backslash, NUL and lone surrogates written as `\\\\`, `\\0` and `\\ud835`."""
    if text.isascii() and "\\" not in text and "\0" not in text:  # most ids and many texts: told fastest so
        return text
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda m: {"\\": "\\\\", "\0": "\\0"}.get(m[0], f"\\u{ord(m[0]):04x}"), text)


def unescape(text: str) -> str:
    """Read back what `escape` wrote."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: {"\\": "\\", "0": "\0"}.get(m[1]) or chr(int(m[1][1:], 16)), text)


class SafeText(TypeDecorator[str]):
    """Text that no database refuses and that substring search still finds: see `escape`."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape(value)


class JsonText(TypeDecorator[Any]):
    """A JSON value as its canonical text, the same bytes on every database. SQL NULL is None."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else canonical.loads(value)
