"""Who may sign in to the dashboard, and what their passwords have to be like.

HAETAE_DASHBOARD_LOGIN lists who may: `minji:scrypt:SALT:HASH` for each, with spaces between them; the command
`python -m haetae.dashboards.login minji` asks for a password and prints one. `minji:PASSWORD` is taken too.
HAETAE_DASHBOARD_SECRET signs the cookies; without it each process makes its own, and a restart signs everybody out.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
import secrets
import sys
import unicodedata
from collections.abc import Mapping
from getpass import getpass

from haetae import HaetaeError

_COST = {"n": 2**14, "r": 8, "p": 5}  # 16 MiB and a few tenths of a second
_SHORTEST, _SHORTEST_SECRET = 12, 32
_WORDS = (
    "admin|administrator|root|user|guest|login|default|secret|password|passwort|passwd|change|me|it|this|my|the|please|"
    "letmein|welcome|hello|test|demo|qwerty|qwertyuiop|qwer|asdf|asdfghjkl|zxcv|iloveyou|trustno|monkey|dragon|"
    "haetae|dashboard|mlflow|prefect|postgres|correct|horse|battery|staple|비밀번호|관리자|암호"
)
_ALSO = {"a": "[a@4]", "e": "[e3]", "i": "[i1!]", "l": "[l1]", "o": "[o0]", "s": "[s$5]", "t": "[t7]"}
_WELL_KNOWN = [re.compile(re.sub("[aeilost]", lambda sign: _ALSO[sign[0]], word)) for word in _WORDS.split("|")]
"""Words that are tried first, also as `p@ssw0rd`."""


class LoginRefused(HaetaeError):
    """The login is not written as it must be, or its password is one that anybody would try."""

    exit_code = 2


class Users:
    """Who may sign in. Raises LoginRefused for what is no login, and for a password that is easy to guess."""

    def __init__(self, text: str) -> None:
        self._hashes = dict(_entry(entry) for entry in text.split())
        if not self._hashes:
            raise LoginRefused("HAETAE_DASHBOARD_LOGIN is set and names nobody; write it as NAME:PASSWORD")
        self._nobody = hash_of(secrets.token_hex())
        self._one_at_a_time = asyncio.Lock()

    async def know(self, name: str, password: str) -> bool:
        """Whether this is somebody's password. It takes as long where there is no such name."""
        expected = self._hashes.get(normal(name))
        async with self._one_at_a_time:  # many at once would take the memory and the cores of everybody
            fits = await asyncio.to_thread(_fits, password, expected or self._nobody)
        return fits and expected is not None


def users(env: Mapping[str, str]) -> Users | None:
    """Who may sign in, None where HAETAE_DASHBOARD_LOGIN is not set. Raises LoginRefused."""
    text = env.get("HAETAE_DASHBOARD_LOGIN")
    return None if text is None else Users(text)


def signing_key(env: Mapping[str, str]) -> str:
    """What cookies are signed with: another one when a login changes, so that every session ends then."""
    secret = env.get("HAETAE_DASHBOARD_SECRET") or secrets.token_hex(32)
    if len(secret) < _SHORTEST_SECRET:
        raise LoginRefused(
            f"HAETAE_DASHBOARD_SECRET has {len(secret)} characters; it takes {_SHORTEST_SECRET}: openssl rand -hex 32"
        )
    return hmac.digest(secret.encode(), env.get("HAETAE_DASHBOARD_LOGIN", "").encode(), "sha256").hex()


def hash_of(password: str) -> str:
    """`scrypt:SALT:HASH`, with a salt of its own."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{salt.hex()}:{_scrypt(password, salt).hex()}"


def _is_well_known(said: str) -> bool:
    """Whether it is such words, in any number and with anything but letters between: tried place by place, as figures
    are letters of words too, and a pattern would try their combinations."""
    ends = {0}
    for at in range(len(said)):
        if at in ends:
            ends.update(found.end() for word in _WELL_KNOWN if (found := word.match(said, at)))
            ends.update([at + 1] if not said[at].isalpha() else [])
    return len(said) in ends


def normal(text: str) -> str:
    """A name or a password as it is compared: Korean is typed in several spellings that look alike."""
    return unicodedata.normalize("NFC", text)


def _entry(entry: str) -> tuple[str, str]:
    name, _, rest = entry.partition(":")
    if not name or not rest:
        raise LoginRefused("an entry of HAETAE_DASHBOARD_LOGIN is not NAME:PASSWORD; a password has no spaces in it")
    if not rest.startswith("scrypt:"):
        check(name, rest)
        return normal(name), hash_of(rest)
    if not re.fullmatch(r"scrypt:[0-9a-f]{32}:[0-9a-f]{128}", rest):
        raise LoginRefused(
            f"the hash of {name} in HAETAE_DASHBOARD_LOGIN is not whole; make one: "
            f"python -m haetae.dashboards.login {name}"
        )
    return normal(name), rest


def check(name: str, password: str) -> None:
    """Raises LoginRefused for a password that is short, well known, or the name again."""
    said = normal(password).lower()
    if len(said) < _SHORTEST:
        why = f"is shorter than {_SHORTEST} characters"
    elif len(set(said)) < 6 or _is_well_known(said):  # of digits alone too: no word is a number of words
        why = "is one of those that are tried first"
    elif normal(name).lower() in said:
        why = "has the name in it"
    else:
        return
    raise LoginRefused(f"the password of {name} {why}; take a longer one: openssl rand -base64 18")


def _fits(password: str, expected: str) -> bool:
    _, salt, hashed = expected.split(":")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), bytes.fromhex(hashed))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(normal(password).encode(), salt=salt, **_COST)


def main() -> None:
    """Ask for a password, on a terminal twice, and print what HAETAE_DASHBOARD_LOGIN takes."""
    if len(sys.argv) != 2 or not re.fullmatch(r"[^\s:]+", sys.argv[1]):
        sys.exit("usage: python -m haetae.dashboards.login NAME")
    typed = sys.stdin.isatty()
    password = getpass() if typed else sys.stdin.readline().rstrip("\n")
    if typed and password != getpass("Again: "):
        sys.exit("these are two different passwords")
    try:
        check(sys.argv[1], password)
    except LoginRefused as exc:
        sys.exit(str(exc))
    os.write(1, f"{sys.argv[1]}:{hash_of(password)}\n".encode())


if __name__ == "__main__":
    main()
