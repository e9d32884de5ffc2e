"""Which addresses no request may go to: those of a cloud's metadata service, however they are spelled.

Haetae is a client on its user's machine, so loopback and private networks are allowed: models run
there. Link-local addresses are never a model; they are where clouds hand out credentials. What a server
sends by itself, to addresses that answers may redirect, goes to public addresses only: `not_public`.
"""

from __future__ import annotations

import socket
import unicodedata
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

_METADATA = frozenset(
    {
        ip_address("100.100.100.200"),  # Alibaba Cloud
        ip_address("192.0.0.192"),  # Oracle Cloud
        ip_address("168.63.129.16"),  # Azure's wire server
        ip_address("fd00:ec2::254"),  # AWS over IPv6
        ip_address("fd20:ce::254"),  # Google Cloud over IPv6
    }
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_GIVEN_OUT = (IPv6Network("2000::/3"), _NAT64[0])
"""Where all public addresses of IPv6 are, and those of IPv4 behind the public NAT64."""
_DOCUMENTATION = IPv6Network("3fff::/20")
"""Python 3.11 takes it for a public network."""
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""What stands before the IPv4 address in the last half of an address of ISATAP."""


def forbidden(host: str) -> str | None:
    """Why no request may go to this host (a name or an address as text), or None.

    A transport asks again with the address that a name resolved to.
    """
    host = unicodedata.normalize("NFKC", host).replace("。", ".").strip("[]").rstrip(".").lower()
    if host in _METADATA_NAMES:
        return f"{host} is a cloud's metadata service"
    address = _address(host)
    if address is None:
        return None
    for meant in (address, *_embedded(address)):
        if meant.is_link_local or meant in _METADATA:
            return f"{meant} is a link-local or metadata address"
        if meant.is_multicast:
            return f"{meant} is a multicast address"
    return None


def not_public(text: str) -> str | None:
    """Why nothing is sent by itself to this address of a connection, or None where all of the internet may reach it.

    A name is no such address: what it resolves to when it is asked again may be another one.
    """
    address = _address(text)
    if address is None:
        return "it is a name, and only an address can be judged"
    if why := forbidden(text):
        return why
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    for meant in (mapped or address, *_embedded(address)):
        if not meant.is_global or not _is_given_out(meant):
            what = "a loopback" if meant.is_loopback else "a private" if meant.is_private else "no public"
            return f"{meant} is {what} address"
    return None


def _is_given_out(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address of IPv6 is of a network that anybody may be given; of IPv4 `is_global` knows."""
    if isinstance(address, IPv4Address):
        return True
    return address not in _DOCUMENTATION and any(address in network for network in _GIVEN_OUT)


def url_fault(url: str) -> str | None:
    """Why a URL cannot be an endpoint's, or None. The URL itself is not repeated: it may hold a secret."""
    if not url.isprintable() or any(sign in url for sign in ' \\"<>'):
        return "a URL has no spaces, backslashes, quotes or control characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        return f"not a URL: {exc}"
    if parts.scheme.lower() not in ("http", "https"):
        return f"expected an http or https URL, got {parts.scheme + ':' if parts.scheme else 'no scheme'}"
    if "@" in parts.netloc:
        return "a URL may not hold a user or password; put the key in api_key: ${NAME}"
    if not host:
        return "the URL names no host"
    if "%" in host:
        return "the host may not be percent-encoded or have a zone"
    return forbidden(host) or _name_fault(host)


def _name_fault(host: str) -> str | None:
    """Why no resolver takes a name; addresses pass."""
    try:
        host.encode("idna")
    except UnicodeError:
        return "the host is no name that can be looked up: between its dots are 1 to 63 letters, digits and hyphens"
    return None


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address a text stands for: also 0xa9fea9fe, 2852039166 and 0251.0376.43518, as resolvers read them."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


def _embedded(address: IPv4Address | IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address carries: mapped, translated, compatible, NAT64, 6to4, Teredo, ISATAP."""
    if isinstance(address, IPv4Address):
        return ()
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    of_isatap = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    if of_isatap or any(address in network for network in (_COMPATIBLE, _TRANSLATED, *_NAT64)):
        carried.append(low)
    return tuple(inner for inner in carried if inner is not None)
