"""Who may sign in to the dashboard, and how often it may be tried."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import unicodedata

import pytest

from haetae.dashboards.attempts import Attempts
from haetae.dashboards.login import LoginRefused, Users, check, hash_of, signing_key, users

GOOD = "tidal-orchid-93"


def knows(who: Users, name: str, password: str) -> bool:
    return asyncio.run(who.know(name, password))


def test_whoever_is_listed_is_known_by_the_password_alone() -> None:
    who = Users(f"minji:{GOOD} jun:{hash_of('모래-언덕-고래-바람-7')}")
    assert knows(who, "minji", GOOD)
    assert knows(who, "jun", "모래-언덕-고래-바람-7")
    assert not knows(who, "minji", GOOD + " ")
    assert not knows(who, "jun", GOOD)
    assert not knows(who, "nobody", GOOD)
    assert not knows(who, "", "")


def test_a_korean_password_is_one_however_it_was_typed() -> None:
    typed = unicodedata.normalize("NFD", "모래-언덕-고래-바람-7")
    assert knows(Users(f"민지:{hash_of(typed)}"), "민지", "모래-언덕-고래-바람-7")
    assert knows(Users("민지:모래-언덕-고래-바람-7"), unicodedata.normalize("NFD", "민지"), typed)


def test_a_hash_is_scrypt_with_a_salt_of_its_own() -> None:
    scheme, salt, hashed = hash_of(GOOD).split(":")
    expected = hashlib.scrypt(GOOD.encode(), salt=bytes.fromhex(salt), n=16384, r=8, p=5)
    assert (scheme, hashed) == ("scrypt", expected.hex())
    assert hash_of(GOOD) != hash_of(GOOD)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short-1", "is shorter than 12 characters"),
        ("password1234", "is one of those that are tried first"),
        ("Admin_2026!!!", "is one of those that are tried first"),
        ("haetae-admin-1234", "is one of those that are tried first"),
        ("changeme-changeme", "is one of those that are tried first"),
        ("correct-horse-battery-staple", "is one of those that are tried first"),
        ("changemeplease", "is one of those that are tried first"),
        ("P@ssw0rd1234", "is one of those that are tried first"),
        ("passw0rdpassw0rd", "is one of those that are tried first"),
        ("letmein-please-1", "is one of those that are tried first"),
        ("Pa$5w0rd!2026!", "is one of those that are tried first"),
        ("qwer1234asdf", "is one of those that are tried first"),
        ("비밀번호-관리자-1234", "is one of those that are tried first"),
        ("123456789012", "is one of those that are tried first"),
        ("aaaaaaaaaaaab", "is one of those that are tried first"),
        ("비밀통로비밀통로-12345", "has the name in it"),
        ("the-minji-of-ours", "has the name in it"),
    ],
)
def test_a_password_that_anybody_would_try_is_refused(password: str, why: str) -> None:  # SEC-13
    name = "비밀" if why.startswith("has") and "비" in password else "minji"
    with pytest.raises(LoginRefused, match=f"the password of {name} {why}"):
        check(name, password)


@pytest.mark.parametrize(
    "password",
    [GOOD, "모래-언덕-고래-바람-7", "admin-orchid-93", "4I+sR0tQpX1!o7sL", "itsthemelody", f"{'1!7t' * 40}xq"],
)
def test_a_password_that_has_more_in_it_than_such_words_is_taken(password: str) -> None:
    check("minji", password)


@pytest.mark.parametrize("text", ["", "   ", "minji", "minji:", ":secret-and-long", "minji:a pass phrase"])
def test_what_is_no_login_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(LoginRefused, match=r"HAETAE_DASHBOARD_LOGIN|is shorter than 12"):
        users({"HAETAE_DASHBOARD_LOGIN": text})


def test_half_a_hash_is_no_password() -> None:
    with pytest.raises(LoginRefused, match=r"is not whole; make one: python -m haetae\.dashboards\.login minji"):
        Users("minji:" + hash_of(GOOD)[:-1])


def test_no_login_is_none() -> None:
    assert users({}) is None


def test_cookies_are_signed_anew_when_a_login_changes() -> None:
    secret = "0" * 32
    env = {"HAETAE_DASHBOARD_SECRET": secret, "HAETAE_DASHBOARD_LOGIN": "a:1"}
    assert signing_key(env) == signing_key(dict(env))
    assert signing_key(env) != signing_key({**env, "HAETAE_DASHBOARD_LOGIN": "a:2"})
    assert secret not in signing_key(env)
    assert signing_key({}) != signing_key({})
    with pytest.raises(LoginRefused, match="HAETAE_DASHBOARD_SECRET has 3 characters; it takes 32"):
        signing_key({"HAETAE_DASHBOARD_SECRET": "abc"})


def test_the_command_prints_what_the_environment_takes() -> None:
    command = [sys.executable, "-m", "haetae.dashboards.login", "minji"]
    env = {**os.environ, "PYTHONWARNINGS": ""}
    made = subprocess.run(command, input=f"{GOOD}\n", capture_output=True, text=True, check=True, env=env)
    assert knows(Users(made.stdout), "minji", GOOD)
    weak = subprocess.run(command, input="password1234\n", capture_output=True, text=True, check=False, env=env)
    assert (weak.returncode, weak.stdout) == (1, "")
    assert "tried first" in weak.stderr


class Hand:
    """A clock that is moved by hand."""

    at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_five_attempts_are_free_and_then_the_wait_doubles_up_to_a_minute() -> None:
    now = Hand()
    tried = Attempts(now)
    waits = []
    for _ in range(14):
        waits.append(tried.wait("address a", "name minji"))
        now.at += waits[-1]
        tried.failed("address a", "name minji")
    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert tried.wait("address b", "name minji") == 60  # from wherever it is tried
    assert tried.wait("address a", "name jun") == 60  # whoever is tried
    assert tried.wait("address b", "name jun") == 0


def test_a_right_password_and_a_quarter_of_an_hour_make_good() -> None:
    now = Hand()
    tried = Attempts(now)
    for _ in range(5):
        tried.failed("a", "b")
    tried.succeeded("a")
    assert (tried.wait("a"), tried.wait("b")) == (0, 1)
    now.at += 901
    tried.failed("b")
    assert tried.wait("b") == 0


def test_a_million_names_take_no_more_memory_than_ten_thousand() -> None:
    tried = Attempts(Hand())
    for number in range(10_050):
        tried.failed(f"name {number}")
    assert len(tried._failed) == 10_000
