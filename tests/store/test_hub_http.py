"""Protected connections: certificates, handshakes that stall, proxies, and what is sent along."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_repos import go_online, write_repo
from hub_server import HubServer

from desktop_app.core.errors import Cancelled
from desktop_app.store.hub_errors import Interrupted, Patience, Refused
from desktop_app.store.hub_http import Connections, origin

x509 = pytest.importorskip("cryptography.x509")
PATH = "/org/name/resolve/main/unet/config.json"


def write_certificate(folder: Path) -> Path:
    """Key and certificate of this machine, signed by itself."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def certificate(tmp_path, monkeypatch) -> Path:
    """Of the server; the program trusts no other."""
    go_online(monkeypatch)
    path = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return path


@pytest.fixture
def server(tmp_path, certificate) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub", certificate=certificate) as running:
        write_repo(running.root / "org/name")
        yield running


def get(connections: Connections, url: str, **options) -> bytes:
    with connections.get(url, **options) as answer:
        content = b""
        while more := answer.read(1000):
            content += more
        return content


class Listener(contextlib.AbstractContextManager["Listener"]):
    """Accepts connections and does with each what ``talk`` does."""

    def __init__(self, talk) -> None:
        self._talk = talk
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._run)]

    def __enter__(self) -> Listener:
        self._threads[0].start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                self._talk(connection)


def test_a_protected_connection_is_used_when_its_certificate_is_trusted(server):
    assert server.url.startswith("https:")
    assert get(Connections(5), server.url + PATH) == (server.root / "org/name/unet/config.json").read_bytes()


def test_a_certificate_that_is_not_trusted_is_refused_at_once(server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(Refused, match="certificate"):
        get(Connections(5), server.url + PATH)
    assert not server.requests


def test_a_length_of_thousands_of_digits_is_not_believed(monkeypatch):
    go_online(monkeypatch)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nbytes"

    def talk(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(answer)

    with Listener(talk) as listener, Connections(5).get(f"http://{listener.url}/x") as found:
        assert found.length is None


def test_a_protected_connection_never_leads_to_one_that_is_not(server):
    server.fail("unet/config.json", redirect_to=f"http://127.0.0.1:1{PATH}")
    with pytest.raises(Interrupted, match="without protection"):
        get(Connections(5), server.url + PATH)


def test_a_token_stays_with_its_host_and_its_port(server, tmp_path, certificate):
    with HubServer(tmp_path / "other", certificate=certificate) as other:
        server.fail("unet/config.json", redirect_to=other.url + "/x")
        server.fail("vae/config.json", redirect_to="/org/name/resolve/main/README.md")
        for path in (PATH, PATH.replace("unet", "vae")):
            with contextlib.suppress(Interrupted):
                get(Connections(5), server.url + path, token="hf_x", home=origin(server.url))
    assert [seen.authorization for seen in server.requests] == ["Bearer hf_x"] * 3
    assert [seen.authorization for seen in other.requests] == [""]


@pytest.mark.timeout(10)
def test_a_cut_ends_the_wait_for_a_handshake(certificate):
    connections = Connections(60)

    def talk(connection: socket.socket) -> None:
        connection.recv(100)
        connections.cut()
        connection.recv(100_000)

    with Listener(talk) as listener, pytest.raises(Cancelled):
        get(connections, f"https://{listener.url}/")


def test_after_a_cut_nothing_begins(server):
    connections = Connections(5)
    connections.cut()
    with pytest.raises(Cancelled):
        get(connections, server.url + PATH)
    assert not server.requests


def test_a_protected_connection_goes_through_the_tunnel_of_a_proxy(server, monkeypatch):
    heads: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        heads.append(connection.recv(10_000))
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            connection.sendall(b"HTTP/1.1 200 Fine\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, connection))
            back.start()
            pump(connection, onward)
            back.join()

    with Listener(talk) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@{proxy.url}")
        monkeypatch.setenv("no_proxy", "")
        assert get(Connections(5), f"https://localhost:{server.port}{PATH}", token="hf_x", home=origin(server.url))
    assert heads[0].startswith(f"CONNECT localhost:{server.port} HTTP/1.1".encode())
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0" in heads[0]
    assert "proxy-authorization" not in server.requests[0].headers


def pump(source: socket.socket, target: socket.socket) -> None:
    """Everything from one socket to the other, until one ends."""
    with contextlib.suppress(OSError):
        while content := source.recv(10_000):
            target.sendall(content)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def test_a_proxy_of_another_kind_is_told(server, monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(Interrupted, match="socks5"):
        get(Connections(5), server.url + PATH)


def test_the_context_of_the_program_checks_names_and_certificates(certificate):
    context = Connections(5)._tls
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("7", 7, 7), ("Wed, 21 Oct 2099 07:28:00 GMT", 1e6, 1e11), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)],
)
def test_how_long_a_server_asks_to_wait_is_known(server, text, low, high):
    server.fail("unet/config.json", status=429, retry_after=text)
    with pytest.raises(Interrupted, match="429") as caught:
        get(Connections(5), server.url + PATH)
    assert low <= caught.value.wait_s <= high


def test_waits_grow_up_to_a_limit_and_follow_the_server_up_to_another():
    patience = Patience(first_s=1, longest_s=30, longest_asked_s=100)
    waits = [patience.delay(tries) for tries in range(1, 60)]
    assert all(min(2**number, 30) / 2 <= wait <= min(2**number, 30) for number, wait in enumerate(waits))
    assert len(set(waits)) > 50
    assert [patience.delay(1, asked) for asked in (0.0, 7.0, 1e9, -1.0)] == [0.0, 7.0, 100.0, 0.0]
