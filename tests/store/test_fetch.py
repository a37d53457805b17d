"""Fetching from a real server on this machine, and the addresses that are never connected to."""

from __future__ import annotations

import base64
import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import make_picture

from desktop_app.core.errors import Cancelled, ImageError
from desktop_app.core.image import encode_png
from desktop_app.store import fetch
from desktop_app.store.fetch import fetch_image

PICTURE = encode_png(make_picture((12, 8)))


class Handler(BaseHTTPRequestHandler):
    """Answers each path in its own way."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/to/"):
            self._send(302, location=self.path.removeprefix("/to/"))
        elif path == "/loop":
            self._send(302, location="/loop")
        elif path == "/page":
            self._send(200, b"<html>", "text/html; charset=utf-8")
        elif path == "/missing":
            self._send(404, b"none", "text/plain")
        elif path == "/cut":
            self._send(200, PICTURE, length=len(PICTURE) + 100)
        elif path == "/said-large":
            self._send(200, PICTURE, length=fetch.MAX_BYTES + 1)
        else:
            self._send(200, PICTURE)

    def _send(
        self, status: int, body: bytes = b"", kind: str = "image/png", location: str = "", length: int = -1
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on the test's output."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_a_picture_comes_with_its_name(server):
    assert fetch_image(f"{server}/a%20b/my%20cat.png?size=1", allow_private=True) == (PICTURE, "my cat.png")


def test_redirects_are_followed(server):
    assert fetch_image(f"{server}/to/{server}/cat.png", allow_private=True) == (PICTURE, "cat.png")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/page", "web page"),
        ("/missing", "404"),
        ("/cut", "cut"),
        ("/said-large", "larger"),
        ("/loop", "without end"),
        ("/to/file:///etc/passwd", "no web address"),
        ("/to/ftp://127.0.0.1/x", "no web address"),
    ],
)
def test_what_is_no_picture_is_told(server, path, words):
    with pytest.raises(ImageError, match=words) as caught:
        fetch_image(server + path, allow_private=True)
    assert caught.value.hint


def test_a_body_that_grows_too_large_is_dropped(server, monkeypatch):
    monkeypatch.setattr(fetch, "MAX_BYTES", 10)
    with pytest.raises(ImageError, match="larger"):
        fetch_image(f"{server}/cat.png", allow_private=True)


def test_a_cancel_ends_it(server):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        fetch_image(f"{server}/cat.png", allow_private=True, cancel=cancel)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """Takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def cancel_soon() -> Iterator[threading.Event]:
    """Is set while the fetch waits."""
    cancel = threading.Event()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    yield cancel
    timer.join()


@pytest.mark.timeout(8)
def test_a_cancel_ends_the_wait_for_a_silent_server(silent_server, cancel_soon):
    with pytest.raises(Cancelled):
        fetch_image(f"{silent_server}/cat.png", allow_private=True, cancel=cancel_soon)


@pytest.mark.timeout(8)
def test_all_of_it_has_a_time_limit(silent_server, monkeypatch):
    monkeypatch.setattr(fetch, "TOTAL_S", 0.3)
    with pytest.raises(ImageError, match="too slowly"):
        fetch_image(f"{silent_server}/cat.png", allow_private=True)


@pytest.mark.timeout(8)
def test_a_cancel_ends_the_wait_within_a_secure_connection(silent_server, cancel_soon):
    with pytest.raises(Cancelled):
        fetch_image(f"{silent_server.replace('http', 'https')}/cat.png", allow_private=True, cancel=cancel_soon)


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(ImageError, match="cannot be fetched"):
        fetch_image("http://127.0.0.1:9/cat.png", allow_private=True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.org/cat.png", "http is not protected"),
        ("ftp://example.org/cat.png", "no web address"),
        ("cat.png", "no web address"),
        ("https:///cat.png", "names no server"),
        ("https://user:secret@example.org/cat.png", "password"),
        ("https://example.org:70000/", "."),
        ("https://127.0.0.1/cat.png", "private"),
        ("https://localhost/cat.png", "private"),
        ("https://[::1]/cat.png", "private"),
        ("data:text/html,hello", "no picture"),
    ],
)
def test_an_address_that_may_not_be_fetched_is_refused(url, words):
    with pytest.raises(ImageError, match=words) as caught:
        fetch_image(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1",
        "2002:0a00:0001::1", "64:ff9b::a00:1",
    ],
)  # fmt: skip
def test_private_addresses_are_known(address):
    assert not fetch._is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_public_addresses_are_known(address):
    assert fetch._is_public(address)
    assert ipaddress.ip_address(address)


def test_a_redirect_to_a_private_network_is_refused(server, monkeypatch):
    """The first address counts as public for once; the second one does not."""
    real = fetch._is_public
    monkeypatch.setattr(fetch, "_is_public", lambda text: text == "127.0.0.1" or real(text))
    monkeypatch.setattr(fetch, "_check_address", lambda address, **_: fetch.urlsplit(address))
    with pytest.raises(ImageError, match="private"):
        fetch_image(f"{server}/to/http://[::1]:{server.rpartition(':')[2]}/cat.png")


def test_a_picture_inside_its_address_is_unpacked():
    encoded = base64.b64encode(PICTURE).decode()
    assert fetch_image(f"data:image/png;base64,{encoded}")[0] == PICTURE
    assert fetch_image("data:image/gif,GIF89a%21")[0] == b"GIF89a!"
