"""Addresses of alerts: what is one, what may be reached, and that nothing of a wrong one is repeated."""

from __future__ import annotations

import pytest

from haetae.core.addresses import not_public
from haetae.core.alert_address import alert_addresses
from haetae.errors import ConfigError
from haetae.settings import load_settings

_NOT_PUBLIC = """
127.0.0.1 127.8.9.10 ::1 0.0.0.0 :: 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 169.254.169.254
fe80::1%eth0 fd00::1 ::ffff:10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1 2002:7f00:1:: ::127.0.0.1
0x7f000001 2130706433 0177.0.0.1 224.0.0.1 255.255.255.255 192.0.2.1 198.51.100.7 203.0.113.9
198.18.0.1 240.0.0.1 2001:db8::1 ff02::1 localhost
fec0::1 ::ffff:0:10.0.0.1 ::ffff:0:169.254.169.254 ::ffff:0:1.1.1.1 2606:4700::5efe:a00:1 2606:4700::200:5efe:a9fe:a9fe
5f00::1 3fff::1 100::1 4000::1 64:ff9b:1::1
"""


def test_addresses_stand_apart_by_blanks_and_lines_and_are_named_by_place_and_schema() -> None:
    found = alert_addresses("slack://a/b/c  mailtos://me:pass@example.com\n\tHTTPS://hooks.slack.com/services/x\n")
    assert [each.name for each in found] == ["address 1 (slack)", "address 2 (mailtos)", "address 3 (https)"]
    assert "pass" not in repr(found)
    assert alert_addresses(" \n") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slack://a canary-of-a-token", "address 2 is none"),
        ("canary:", "address 1 is none"),
        ("file:///etc/canary", "address 1 is of file:"),
        ("gopher://canary", "address 1 is of gopher:"),
        ("ftp://canary", "address 1 is of ftp:"),
        ("json://ok syslog://canary", "address 2 is of syslog:"),
        ("DBUS://canary", "address 1 is of dbus:"),
        ("slack://canary/b/c?template=/etc/passwd", "names a file"),
        ("mailto://canary@x.com?pgpkey=/root/key", "names a file"),
        ("mailtos://canary@x.com?pgppub=/root/key", "names a file"),
        ("mailtos://canary@x.com?to=a@b.c&PgpPrv=/root/key", "names a file"),
        ("vapid://canary@x.com/b?subfile=/etc/passwd", "names a file"),
        ("slack://canary/b/c/?tem%70late=/etc/passwd", "names a file"),
        ("slack://canary/b/c/?a=b;templat%45+=/etc/passwd", "names a file"),
        ("fcm://canary/dev?mode=oauth2&%6beyfile=/etc/passwd", "names a file"),
    ],
)
def test_a_wrong_address_is_named_by_its_place_and_not_by_its_text(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as wrong:
        load_settings({"HAETAE_HOME": "/nowhere", "HAETAE_ALERTS": text})
    assert "HAETAE_ALERTS" in str(wrong.value)
    assert "canary" not in str(wrong.value)


def test_what_only_looks_like_the_name_of_a_file_is_an_option_like_any_other() -> None:
    url = "slack://a/b/c/?to=template&filename=x&%2574emplate=y slack://a/template=b/c"
    assert [each.name for each in alert_addresses(url)] == ["address 1 (slack)", "address 2 (slack)"]


def test_each_option_of_apprise_that_names_a_file_is_refused() -> None:
    plugins = pytest.importorskip("apprise").plugins.N_MGR.plugins()
    names = {name for plugin in plugins for name in plugin.template_args}
    of_files = {name for name in names if "file" in name or name.startswith("pgp") or name == "template"}
    harmless = {"pgp", "filename", "profile", "file_url"}  # a switch, what a receiver shows, fetches or keeps itself
    for name in of_files - harmless:
        with pytest.raises(ValueError, match="names a file"):
            alert_addresses(f"slack://a/b/c/?{name}=x")
    assert {"template", "keyfile", "subfile", "pgppub", "pgpprv"} <= of_files


def test_settings_hold_addresses_and_show_none() -> None:
    env = {"HAETAE_HOME": "/nowhere", "HAETAE_ALERTS": "json://canary", "HAETAE_ALERTS_ALLOW": "10.0.0.0/8, chat.local"}
    settings = load_settings({**env, "HAETAE_LINK": "https://haetae.example/"})
    assert (settings.alerts_allow, settings.link) == (("10.0.0.0/8", "chat.local"), "https://haetae.example")
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HAETAE_ALERTS_ALLOW", "https://chat.local/x"),
        ("HAETAE_ALERTS_ALLOW", "127.0.0.1/99"),
        ("HAETAE_ALERTS_ALLOW", "chat.local/8"),
        ("HAETAE_LINK", "https://user:pw@host"),
    ],
)
def test_what_is_no_host_or_no_link_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load_settings({"HAETAE_HOME": "/nowhere", name: value})


@pytest.mark.parametrize("address", _NOT_PUBLIC.split())  # SEC-01
def test_what_is_not_public_however_it_is_written(address: str) -> None:
    assert not_public(address) is not None


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2606:4700::5efe:101:101"]
)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert not_public(address) is None
