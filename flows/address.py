"""The address of a server, apart from the login in it: what is shown to people never has one."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

_HTTP = ("http://", "https://")
WRITTEN = "in a password / is written %2F, and @ %40"


def without_login(address: str) -> tuple[str, str | None]:
    """The address without the user and password in it, and both as `user:password`, None where it has none.

    Raises ValueError, without words that may repeat a piece of a password, for what is no address of http or https.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or parts.hostname is None or parts.port == 0:
        raise ValueError
    given, at, place = parts.netloc.rpartition("@")
    user, _, password = given.partition(":")
    return parts._replace(netloc=place).geturl(), f"{unquote(user)}:{unquote(password)}" if at else None


def address_fault(address: str) -> str | None:
    """What is wrong with the address of a Prefect server, and how it is written right; None where it can be asked."""
    begins = address.lower()
    if not begins.startswith(_HTTP):
        rest = address.partition("://")[2] or address
        shown = rest.rpartition("@")[2]
        return (
            f"PREFECT_API_URL is no address of http or https: expected one that begins with http:// or https://, as "
            f"http://{shown}"
        )
    try:
        without_login(address)
    except ValueError:  # its words may repeat a piece of a password
        return f"PREFECT_API_URL: its host and port cannot be read, expected http://HOST:PORT/api; {WRITTEN}"
    return None


def with_api(address: str) -> str | None:
    """The address as a Prefect server has it, where this one lacks the /api in which those end."""
    parts = urlsplit(address)
    if "api" in parts.path.split("/"):
        return None
    return parts._replace(path=f"{parts.path.rstrip('/')}/api").geturl()
