"""What work pools and deployments may be called: Prefect's server refuses some names, and an address cuts others."""

from __future__ import annotations

_REFUSED = "/%&<>"
"""In any name, by Prefect's server."""
_CUT = "#?\\"
"""In the name of a work pool as well, which is asked for as a part of an address."""
_KEPT = "prefect"
"""What work pools of Prefect itself begin with, in whatever case."""


def name_fault(name: str) -> str | None:
    """Why no deployment can have a name, or None."""
    if _is_plain(name) and not set(name) & set(_REFUSED):
        return None
    return (
        f"{name!r} is no name for a deployment: it is not empty, has no blank at its ends, nothing that cannot be "
        f"printed, and none of {' '.join(_REFUSED)}"
    )


def pool_fault(name: str) -> str | None:
    """Why no work pool can have a name, or None."""
    is_one = _is_plain(name) and not set(name) & set(_REFUSED + _CUT) and name not in (".", "..")
    if is_one and not name.lower().startswith(_KEPT):
        return None
    return (
        f"{name!r} is no name for a work pool: it is not empty, has no blank at its ends, nothing that cannot be "
        f"printed, none of {' '.join(_REFUSED + _CUT)}, is not . or .., and does not begin with {_KEPT}, which is "
        "Prefect's own"
    )


def _is_plain(name: str) -> bool:
    return name.isprintable() and name == name.strip() and bool(name.strip("'\""))
