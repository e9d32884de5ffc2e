"""The JSON schema of a suite file, so that editors complete it and mark mistakes while one types."""

from __future__ import annotations

from functools import cache

from haetae.core.canonical import Json
from haetae.core.suite import Suite


@cache
def suite_schema() -> Json:
    """Draft 2020-12, from the specification itself: it cannot say other than what is checked."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Suite.model_json_schema()}
