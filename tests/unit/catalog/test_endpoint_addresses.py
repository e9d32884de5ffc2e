from __future__ import annotations

import pytest

from haetae.core.addresses import forbidden, url_fault

# The same address, 169.254.169.254, as resolvers and URL parsers are known to accept it.
DISGUISES = [
    "169.254.169.254",
    "169.254.169.254.",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.43518",
    "１６９.254。169.254",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
]


@pytest.mark.parametrize("host", [*DISGUISES, "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200"])
def test_metadata_addresses_are_refused_however_they_are_spelled(host: str) -> None:  # SEC-01
    assert "link-local or metadata" in str(url_fault(f"http://{host}/v1"))


@pytest.mark.parametrize("host", ["metadata.google.internal", "METADATA.google.internal.", "metadata"])
def test_metadata_names_are_refused(host: str) -> None:
    assert "metadata service" in str(url_fault(f"http://{host}/"))


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:11434/v1",
        "http://127.0.0.1:8000",
        "http://[::1]/v1",
        "http://10.0.0.7",
        "https://a.b/v1",
        "http://a_b.internal.:80/v1",
        "https://모델.example/v1",
        f"http://{'a' * 63}.example/v1",
    ],
)
def test_models_on_this_machine_and_in_private_networks_are_allowed(url: str) -> None:
    assert url_fault(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://me:secret@host/v1", "user or password"),
        ("https://token@host/v1", "user or password"),
        ("file:///etc/passwd", "http or https"),
        ("gopher://x", "http or https"),
        ("//host/v1", "http or https"),
        ("http://", "no host"),
        ("http://a:99999", "not a URL"),
        ("http://%31%36%39.254.169.254", "percent-encoded"),
        ("http://a\r\nHost: b", "control characters"),
        ("http://a\\@b", "backslashes"),
        ("http://239.1.1.1/", "multicast"),
        ("http://a..b.example/v1", "no name that can be looked up"),
        (f"http://{'a' * 70}.example/v1", "no name that can be looked up"),
        ("http://./v1", "no name that can be looked up"),
    ],
)
def test_other_urls_are_refused_without_repeating_them(url: str, why: str) -> None:  # SEC-04
    fault = url_fault(url)
    assert fault is not None
    assert why in fault
    assert "secret" not in fault
    assert "token" not in fault


def test_a_transport_can_ask_about_a_resolved_address() -> None:
    assert forbidden("169.254.170.2") is not None
    assert forbidden("fe80::1%eth0") is not None
    assert forbidden("93.184.216.34") is None
