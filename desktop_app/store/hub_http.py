"""Connections: plain HTTP by which a checkpoint's bytes come.

The standard library's http.client, and not a library of more comfort, since here the sockets are ours from
before they are connected: another thread shuts them, and whatever waits on them ends at once, be it the
connection, the TLS handshake or a server that sends no more. Certificates are checked as huggingface_hub's own
client does.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import functools
import http.client
import ipaddress
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from desktop_app import __version__
from desktop_app.core.errors import Cancelled
from desktop_app.store.hub_errors import Interrupted, Refused

MAX_REDIRECTS = 8
LOOK_S = 0.1
"""How often a thread that cannot be woken looks whether it shall stop."""

Origin = tuple[str, str, int]
"""Scheme, host and port."""

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_DIGITS = 18
"""Of a count of bytes that is believed: no file has more."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that may be others the next time."""


def origin(url: str) -> Origin:
    """Where ``url`` leads. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url[:100]!r} is no web address")
    return parts.scheme, parts.hostname.lower(), parts.port or _PORTS[parts.scheme]


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass
class Answer:
    """What a server answered to a GET, after redirects: status 200, 206 or 416. ``read`` gives more of the body."""

    status: int
    headers: Message
    origin: Origin
    _response: http.client.HTTPResponse
    _connections: Connections

    @property
    def length(self) -> int | None:
        """Bytes of the body as announced."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else None

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes, as soon as there are any; empty at the end. Raises `Interrupted`, `Cancelled`."""
        with self._connections.translated():
            return self._response.read1(count)


class Connections:
    """The connections of one download, over as many threads as like. `cut` ends them all, for good, from any thread."""

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._is_cut = threading.Event()

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        import httpx2

        return httpx2.create_ssl_context()

    def cut(self) -> None:
        """End what waits on a socket of these; nothing new begins."""
        self._is_cut.set()
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)  # past TLS, whose state is another thread's

    def check(self) -> None:
        """Raise `Cancelled` when all was cut."""
        if self._is_cut.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Sleep; raises `Cancelled` at once when all is cut."""
        if self._is_cut.wait(seconds):
            raise Cancelled

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Troubles of the network as `Interrupted`, or `Cancelled` when they come from `cut`."""
        try:
            yield
        except ssl.SSLCertVerificationError as e:
            self.check()
            raise Refused(0, f"with a certificate that is not valid ({e.verify_message})", is_endpoint=False) from e
        except TimeoutError as e:
            self.check()
            raise Interrupted("nothing comes any more") from e
        except (OSError, http.client.HTTPException, ValueError) as e:
            self.check()
            raise Interrupted(str(e) or type(e).__name__) from e
        self.check()  # what looks like the end may be a socket that was shut

    @contextlib.contextmanager
    def get(
        self,
        url: str,
        *,
        token: str | None = None,
        home: Origin | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Answer]:
        """GET ``url`` and whereto it leads. ``token`` is sent to ``home`` alone. Raises `Interrupted`, `Refused`,
        `Cancelled`; and of what is raised within, all.
        """
        with contextlib.ExitStack() as stack:
            for _ in range(MAX_REDIRECTS + 1):
                with self.translated():
                    place = origin(url)
                    secret = token if place == home else None
                    response = self._request(stack, url, secret, headers or {})
                    status, fields = response.status, response.headers
                    target = fields.get("Location") if status in _REDIRECTS else None
                if target is None:
                    _check_status(status, fields, is_endpoint=place == home)
                    yield Answer(status, fields, place, response, self)
                    return
                url = _next(url, target)
                stack.close()
            raise Interrupted("it leads from one address to the next without end")

    def _request(
        self, stack: contextlib.ExitStack, url: str, token: str | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        self.check()
        parts = urlsplit(url)
        proxy = _proxy_for(parts)
        connection = http.client.HTTPConnection(parts.hostname or "", origin(url)[2])
        stack.callback(connection.close)
        connection.sock = self._open(stack, parts, proxy)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {
            "User-Agent": f"Underpaint/{__version__}",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        }
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if proxy and parts.scheme == "http":
            path = f"http://{parts.netloc}{path}"
            sent.update(_proxy_headers(proxy))
        connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": parts.netloc.rpartition("@")[2], **sent}.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        stack.callback(response.close)
        return response

    def _open(self, stack: contextlib.ExitStack, parts: SplitResult, proxy: SplitResult | None) -> Any:
        """A connected socket; with TLS where the address says so, through the proxy where there is one."""
        scheme, host, port = origin(parts.geturl())
        raw = self._connect(stack, *((proxy.hostname or "", proxy.port or 80) if proxy else (host, port)))
        if scheme == "http":
            return raw
        if proxy:
            _open_tunnel(raw, host, port, proxy)
        secure = self._tls.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
        stack.callback(self._forget, secure)
        self._add(secure)
        secure.do_handshake()
        return secure

    def _connect(self, stack: contextlib.ExitStack, host: str, port: int) -> socket.socket:
        trouble: OSError = OSError(f"no server of the name {host} is found")
        for family, kind, protocol, _name, address in self._resolve(host, port):
            raw = socket.socket(family, kind, protocol)
            try:
                raw.settimeout(self._stall_s)
                self._add(raw)
                raw.connect(address)
            except BaseException as e:
                self._forget(raw)
                if not isinstance(e, OSError):
                    raise
                trouble = e
                self.check()
            else:
                stack.callback(self._forget, raw)
                return raw
        raise trouble

    def _resolve(self, host: str, port: int) -> list[Any]:
        """Addresses of ``host``. Asked for in a thread that is left alone on a cut, since nothing can wake it."""
        found: list[Any] = []

        def ask() -> None:
            try:
                found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except (OSError, UnicodeError):
                found.clear()

        thread = threading.Thread(target=ask, name="resolve", daemon=True)
        thread.start()
        end = time.monotonic() + self._stall_s
        while thread.is_alive() and time.monotonic() < end:
            self.check()
            thread.join(LOOK_S)
        return [] if thread.is_alive() else found

    def _add(self, each: socket.socket) -> None:
        with self._lock:
            self._sockets.add(each)
        self.check()

    def _forget(self, each: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(each)
        each.close()


def _check_status(status: int, headers: Message, *, is_endpoint: bool) -> None:
    if status in (200, 206, 416):
        return
    if status in _PASSING:
        raise Interrupted(f"the server answers {status}", _wait_asked(headers), status)
    if not is_endpoint:  # an address from a redirect may only have grown too old
        raise Interrupted(f"the server that keeps the files answers {status}")
    raise Refused(status, headers.get("X-Error-Code", "")[:60], is_endpoint=is_endpoint)


def _wait_asked(headers: Message) -> float | None:
    """Seconds, from Retry-After: a number of them, or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError, OSError):
        return None


def _next(url: str, target: str) -> str:
    """The address that a redirect leads to; never from a protected connection to one that is not."""
    try:
        target = urljoin(url, target)
        scheme = origin(target)[0]
    except ValueError as e:
        raise Interrupted(f"it leads to {target[:100]!r}, which is no web address") from e
    if scheme == "http" and url.startswith("https:"):
        raise Interrupted(f"it leads to {urlsplit(target).netloc} without protection (http)")
    return target


# Proxies -----------------------------------------------------------------------------------------


def _proxy_for(parts: SplitResult) -> SplitResult | None:
    """The proxy that the system or the environment names for this address. Raises ValueError for one of another
    kind.
    """
    text = urllib.request.getproxies().get(parts.scheme) or urllib.request.getproxies().get("all")
    if not text or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxy = urlsplit(text if "://" in text else f"http://{text}")
    if proxy.scheme != "http":
        raise ValueError(f"proxies of the kind {proxy.scheme[:10]} are not supported")
    return proxy


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _open_tunnel(raw: socket.socket, host: str, port: int, proxy: SplitResult) -> None:
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}", *(f"{k}: {v}" for k, v in _proxy_headers(proxy).items())]
    raw.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    response = http.client.HTTPResponse(raw, method="CONNECT")
    response.begin()
    if response.status != 200:
        raise OSError(f"the proxy answers {response.status}")
