"""How a platform is reached: through which proxy, by whose certificates; and in words, why it was not."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ringg_provider.api.addresses import is_loopback
from ringg_provider.api.messages import Request
from ringg_provider.exceptions import InvalidRequest, NetworkError, ProxyRefused, UntrustedCertificate

#: Where the certificates to trust are looked for, after the connection's own `verify`: what requests reads, then what
#: OpenSSL reads. The first that is set counts.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: What a proxy answers that lets nobody through as he is.
_REFUSALS = ("401", "403", "407")


def client_options(url: str, verify: str | None = None) -> dict[str, Any]:
    """By which proxy and whose certificates a client of httpx reaches a URL.

    :param verify: as in `trusted_certificates`.

    Raises `InvalidRequest` when what the environment names cannot be used.
    """
    proxy = proxy_for(url)
    plain = url.startswith("http:") and proxy is None
    certificates = public_certificates() if plain else trusted_certificates(verify)
    return {
        "verify": certificates,
        "proxy": None if proxy is None else proxy.for_httpx(certificates),
        "trust_env": False,  # what the environment wants is in the two above
    }


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, without user and password."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, '')}".rstrip(":")


# --- certificates -------------------------------------------------------------------------------------------


@cache
def public_certificates() -> ssl.SSLContext:
    """The certificates that browsers believe; read once, which takes as long as several requests."""
    return httpx.create_ssl_context(trust_env=False)


def trusted_certificates(verify: str | None = None) -> ssl.SSLContext:
    """Whose certificates are believed.

    :param verify: a file or folder of CA certificates; default what the environment names, else the public ones.

    Raises `InvalidRequest` when there are none to be read.
    """
    named = [("verify", verify), *((name, os.environ.get(name)) for name in CA_VARIABLES)]
    name, path = next(((name, path) for name, path in named if path), (None, None))
    if name is None or path is None:
        return public_certificates()
    try:
        folder = Path(path).is_dir()
        return ssl.create_default_context(capath=path if folder else None, cafile=None if folder else path)
    except OSError as error:
        raise InvalidRequest(
            f"{name} must be a file or a folder of CA certificates that this machine can read; {path} is not.",
            field=name,
        ) from error


def distrust_in(error: BaseException) -> str | None:
    """Why a certificate was not trusted; None when that is not what went wrong."""
    found = next((cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError)), None)
    return None if found is None else str(found.verify_message)


# --- proxies ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proxy:
    """A proxy that the environment names.

    :param variable: which variable does.
    :param url: with user and password, where it has them.
    """

    variable: str
    url: str = field(repr=False)

    def __str__(self) -> str:
        try:
            return f"the proxy {origin_of(self.url)} ({self.variable})"
        except ValueError:
            return f"the proxy of {self.variable}"

    def for_httpx(self, certificates: ssl.SSLContext) -> httpx.Proxy:
        """Raises `InvalidRequest` when it cannot be used."""
        if self.url.startswith("socks") and find_spec("socksio") is None:
            raise InvalidRequest(
                f"{self.variable} must be a proxy that can be used: {self} needs the package httpx[socks], which is "
                "not installed.",
                field=self.variable,
            )
        try:
            return httpx.Proxy(self.url, ssl_context=certificates if self.url.startswith("https:") else None)
        except (ValueError, httpx.InvalidURL):
            raise InvalidRequest(
                f"{self.variable} must be a proxy as http://, https:// or socks5://host:port.", field=self.variable
            ) from None


def proxy_for(url: str) -> Proxy | None:
    """The proxy by which the environment wants a URL reached; None for this very machine, key and all."""
    parts = urlsplit(url)
    if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    for name in (parts.scheme, "all"):
        if found := proxies.get(name):
            variable = f"{name}_proxy" if f"{name}_proxy" in os.environ else f"{name}_proxy".upper()
            return Proxy(variable, found if "://" in found else f"http://{found}")
    return None


# --- why there is no connection -----------------------------------------------------------------------------


def not_sent(request: Request, error: httpx.TransportError, url: str) -> NetworkError:
    """The error for a request that certainly never left for a URL, with the next step."""
    proxy = proxy_for(url)
    way = origin_of(url) if proxy is None else f"{origin_of(url)} through {proxy}"
    if (distrust := distrust_in(error)) is not None:
        return UntrustedCertificate(
            f"{request} was not sent: the certificate of {way} is not trusted ({distrust}). If a proxy of yours signs "
            "it, name its CA: in the connection's extra verify, or in REQUESTS_CA_BUNDLE or SSL_CERT_FILE.",
            sent=False,
        )
    if proxy is None:
        advice = "Try again later." if isinstance(error, httpx.PoolTimeout) else "Check the network."
    elif isinstance(error, httpx.ProxyError) and str(error).startswith(_REFUSALS):
        return ProxyRefused(
            f"{request} was not sent: no connection to {way}, which answered {str(error)[:3]}. Check the user and the"
            f" password in {proxy.variable}, and that the proxy lets this host through.",
            sent=False,
        )
    else:
        advice = "Check the proxy, or name the host in NO_PROXY."
    return NetworkError(f"{request} was not sent: no connection to {way}: {_reason(error)}. {advice}", sent=False)


def _reason(error: httpx.TransportError) -> str:
    for cause in _causes(error):
        match cause:
            case socket.gaierror():
                return "the name cannot be resolved"
            case ConnectionRefusedError():
                return "refused"
            case ssl.SSLError():
                return f"no TLS ({cause.reason or type(cause).__name__})"
            case httpx.PoolTimeout():
                return "all connections are in use"
            case httpx.TimeoutException():
                return "it took too long"
            case httpx.ProxyError() if str(cause)[:3].isdecimal():
                return f"it answered {str(cause)[:3]}"
    return type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and everything that led to it."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [found for found in (cause.__cause__, cause.__context__) if found is not None]
        waiting += cause.exceptions if isinstance(cause, BaseExceptionGroup) else []
