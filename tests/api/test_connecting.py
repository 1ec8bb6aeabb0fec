"""Proxies and certificates, on real sockets with real TLS: which are used, and what is said when there is no way."""

from __future__ import annotations

import sys
from pathlib import Path
from shutil import which

import pytest

from demo.server import free_port
from ringg_provider.api.connecting import CA_VARIABLES, client_options, origin_of
from ringg_provider.api.download import download
from ringg_provider.exceptions import InvalidRequest, NetworkError, ProxyRefused, TransientError, UntrustedCertificate
from tests.api.sending import ACT, READ, Send, Waits
from tests.support.http_server import Answer, ScriptedServer
from tests.support.tls import Certificates, ConnectProxy

FAR = "https://platform.example/ca/api/v0"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


# --- certificates -------------------------------------------------------------------------------------------


def test_an_untrusted_certificate_is_told_at_once_and_with_the_way_out(
    send: Send, waits: Waits, certificates: Certificates
) -> None:
    with ScriptedServer(tls=certificates.server()) as server, pytest.raises(UntrustedCertificate) as raised:
        send(server.base_url, READ)
    assert not waits
    assert not server.asked
    assert raised.value.sent is False
    assert isinstance(raised.value, TransientError)
    said = str(raised.value)
    assert said.startswith(
        f"GET /thing was not sent: the certificate of https://127.0.0.1:{server.port} is not trusted"
    )
    for word in ("unable to get local issuer certificate", "verify", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        assert word in said


@pytest.mark.parametrize(
    ("host", "days", "reason"),
    [("127.0.0.1", -1, "expired"), ("other.example", 1, "IP address mismatch|not valid for")],
)
def test_a_certificate_that_ran_out_or_is_anothers_is_told_with_its_reason(
    send: Send, certificates: Certificates, host: str, days: int, reason: str
) -> None:
    with (
        ScriptedServer(tls=certificates.server(host, days=days)) as server,
        pytest.raises(UntrustedCertificate, match=reason),
    ):
        send(server.base_url, ACT, verify=str(certificates.ca))


def test_a_ca_that_is_named_is_trusted(send: Send, certificates: Certificates) -> None:
    with ScriptedServer(Answer(body={"ok": 1}), tls=certificates.server()) as server:
        assert send(server.base_url, READ, verify=str(certificates.ca)).body() == {"ok": 1}


@pytest.mark.parametrize("variable", CA_VARIABLES)
def test_the_environments_ca_is_trusted_as_by_other_http_hooks(
    send: Send, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, variable: str, tmp_path: Path
) -> None:
    path = certificates.ca
    if variable == "SSL_CERT_DIR":
        if which("openssl") is None:
            pytest.skip("names the files of the folder")
        path = tmp_path
        certificates.hash_into(tmp_path)
    monkeypatch.setenv(variable, str(path))
    with ScriptedServer(Answer(body={"ok": 1}), tls=certificates.server()) as server:
        assert send(server.base_url, READ).body() == {"ok": 1}
        with download(server.origin) as answer:
            assert answer.status_code == 200


def test_what_the_connection_names_counts_more_than_the_environment(
    send: Send, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = Certificates(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others.ca))
    with ScriptedServer(Answer(body={"ok": 1}), tls=certificates.server()) as server:
        with pytest.raises(UntrustedCertificate):
            send(server.base_url, READ)
        assert send(server.base_url, READ, verify=str(certificates.ca)).body() == {"ok": 1}


def test_the_public_certificates_are_read_once_and_named_ones_each_time(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trusted(url: str = "https://platform.invalid") -> object:
        return client_options(url)["verify"]

    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    public = trusted()
    assert trusted("http://127.0.0.1:8000") is public
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    named = trusted()
    assert named is not public
    assert trusted() is not named, "the file may be another one by now"
    monkeypatch.delenv("SSL_CERT_FILE")
    assert trusted() is public


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("source", ["verify", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_that_cannot_be_read_is_named_before_anything_is_sent(
    send: Send, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, content: bytes | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    options = {"verify": str(path)} if source == "verify" else {}
    if source != "verify":
        monkeypatch.setenv(source, str(path))
    with pytest.raises(InvalidRequest, match=f"^{source} must be a file or a folder") as raised:
        send(FAR, READ, **options)
    assert raised.value.field == source


def test_a_download_tells_of_an_untrusted_certificate_without_its_link(certificates: Certificates) -> None:
    with ScriptedServer(tls=certificates.server()) as server:
        with pytest.raises(UntrustedCertificate, match="not trusted") as raised, download(f"{server.origin}/secret"):
            pass
        assert "secret" not in str(raised.value)


# --- proxies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_gone_through(
    send: Send, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    tls = certificates.server("platform.example")
    with ScriptedServer(Answer(body={"ok": 1}), tls=tls) as server, ConnectProxy(to=server.port) as proxy:
        monkeypatch.setenv(variable, f"http://someone:s3cret@{proxy.address}")
        assert send(FAR, READ, verify=str(certificates.ca)).body() == {"ok": 1}
    assert proxy.asked[0].startswith("CONNECT platform.example:443 ")
    assert "Proxy-Authorization: Basic" in proxy.asked[0]


def test_a_proxy_that_signs_anew_is_named_with_the_certificate(
    send: Send, waits: Waits, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certificates.server("platform.example")
    with ScriptedServer(tls=tls) as server, ConnectProxy(to=server.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.address)
        with pytest.raises(UntrustedCertificate) as raised:
            send(FAR, READ)
    assert f"https://platform.example:443 through the proxy http://{proxy.address} (HTTPS_PROXY)" in str(raised.value)
    assert not waits


def test_a_host_that_no_proxy_names_is_not_gone_to_through_it(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    with ConnectProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", ".invalid")
        with pytest.raises(NetworkError, match=r"the name cannot be resolved\. Check the network") as raised:
            send("https://platform.invalid", READ)
    assert not proxy.asked
    assert "proxy" not in str(raised.value)


def test_a_dead_proxy_is_named_without_its_password(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://someone:s3cret@127.0.0.1:{port}")
    with pytest.raises(NetworkError) as raised:
        send(FAR, ACT)
    assert str(raised.value) == (
        "POST /act was not sent: no connection to https://platform.example:443 through the proxy "
        f"http://127.0.0.1:{port} (HTTPS_PROXY): refused. Check the proxy, or name the host in NO_PROXY."
    )
    assert raised.value.sent is False


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden by s3cret rule"])
def test_a_proxy_that_lets_nobody_through_is_told_at_once(
    send: Send, waits: Waits, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    with ConnectProxy(refusal=status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://someone:s3cret@{proxy.address}")
        with pytest.raises(ProxyRefused) as raised:
            send(FAR, READ)
        assert len(proxy.asked) == 1
    assert not waits
    assert raised.value.sent is False
    assert f"http://{proxy.address} (HTTPS_PROXY), which answered {status[:3]}." in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_proxy_that_cannot_reach_the_platform_is_asked_again(
    send: Send, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(refusal="502 Bad Gateway") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        with pytest.raises(NetworkError, match=r"it answered 502\. Check the proxy"):
            send(FAR, READ, max_attempts=2)
        assert len(proxy.asked) == 2


@pytest.mark.skipif("socksio" in sys.modules, reason="the package for SOCKS is here")
def test_a_socks_proxy_without_its_package_is_named_before_anything_is_sent(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://someone:s3cret@127.0.0.1:1080")
    with pytest.raises(InvalidRequest, match=r"^ALL_PROXY must be a proxy .*httpx\[socks\]") as raised:
        send(FAR, READ)
    assert raised.value.field == "ALL_PROXY"
    assert "s3cret" not in str(raised.value)
    with pytest.raises(InvalidRequest), download("https://files.example/"):
        pass


@pytest.mark.parametrize("url", ["ftp://someone:s3cret@h:1", "http://someone:s3cret@h:port", "http://[::1"])
def test_what_is_no_proxy_is_named_before_anything_is_sent(
    send: Send, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(InvalidRequest, match=r"^HTTPS_PROXY must be") as raised:
        send(FAR, READ)
    assert "s3cret" not in str(raised.value)


# --- where to -----------------------------------------------------------------------------------------------


def test_no_connection_names_scheme_host_and_port(send: Send) -> None:
    port = free_port()
    with pytest.raises(NetworkError) as raised:
        send(f"http://127.0.0.1:{port}/ca", READ, max_attempts=1)
    assert str(raised.value) == (
        f"GET /thing was not sent: no connection to http://127.0.0.1:{port}: refused. Check the network."
    )


def test_plain_http_behind_an_https_address_is_told_as_such(send: Send) -> None:
    with ScriptedServer() as server, pytest.raises(NetworkError, match=r"no TLS \(WRONG_VERSION_NUMBER\)"):
        send(f"https://127.0.0.1:{server.port}", READ, max_attempts=1)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:secret@host/path?q", "https://host:443"),
        ("http://[::1]:8090/x", "http://[::1]:8090"),
        ("socks5://host:1080", "socks5://host:1080"),
        ("socks5://host", "socks5://host"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin
