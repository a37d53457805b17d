"""Fetching a picture from the web, when the user asked for it: https only, small, quick, never from a private network.

Names are resolved here and the connection goes to the address that was checked, so a name cannot point elsewhere
between the check and the connection. The same holds for every redirect.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urljoin, urlsplit

from desktop_app import __version__
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, ImageError

MAX_BYTES = 50 * 1024 * 1024
MAX_REDIRECTS = 5
TIMEOUT_S = 10.0
"""For connecting, and for each wait for more of the picture."""

TOTAL_S = 60.0
CHUNK = 64 * 1024
LOOK_S = 0.1
"""How often the cancel flag and the clock are looked at."""

_REDIRECTS = {301, 302, 303, 307, 308}
_SAVE_IT = "Open the address in a browser, save the picture, and drop the file here."


def fetch_image(url: str, *, allow_private: bool = False, cancel: CancelFlag | None = None) -> tuple[bytes, str]:
    """The bytes behind ``url`` (https, or data:), and a name for them. Raises `ImageError`, `Cancelled`.

    ``allow_private`` lets tests fetch from this machine, over plain http as well.
    """
    address = url.strip()
    if address[:5].lower() == "data:":
        return _read_data_url(address), "Dropped picture"
    deadline = time.monotonic() + TOTAL_S
    for _ in range(MAX_REDIRECTS + 1):
        parts = _check_address(address, allow_private=allow_private)
        try:
            content, redirect = _fetch_once(parts, deadline, cancel, allow_private=allow_private)
        except ImageError:
            _check_time(parts, deadline, cancel)
            raise
        if redirect is None:
            return content, _name(parts)
        address = urljoin(parts.geturl(), redirect)
    raise _refused(address, "it leads from one address to the next without end", _SAVE_IT)


def _refused(address: str, reason: str, hint: str) -> ImageError:
    return ImageError("The picture cannot be fetched", f"{_short(address)}: {reason}", hint)


def _short(address: str) -> str:
    return address if len(address) <= 120 else f"{address[:117]}…"


# Addresses ---------------------------------------------------------------------------------------


def _check_address(address: str, *, allow_private: bool) -> SplitResult:
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        raise _refused(address, str(e), "Check the address.") from e
    if parts.scheme == "http" and not allow_private:
        hint = "Put https:// in front, or save the picture with a browser and drop the file here."
        raise _refused(address, "http is not protected against being read and changed on the way", hint)
    if parts.scheme not in ("https", "http"):
        raise _refused(address, "it is no web address", "A web address begins with https://.")
    if not host or any(char.isspace() for char in address):
        raise _refused(address, "it names no server", "Check the address.")
    if parts.username is not None or parts.password is not None:
        raise _refused(f"{parts.scheme}://{host}", "it holds a user name or a password", "Leave it out.")
    return parts


def _resolve(parts: SplitResult, *, allow_private: bool) -> tuple[int, tuple[Any, ...]]:
    """Family and address to connect to. Every address of the name must be public."""
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        hint = "Check the address and the network connection."
        raise _refused(host, "no server of that name is found", hint) from e
    for _family, _kind, _protocol, _canonical, address in found:
        if not (allow_private or _is_public(str(address[0]))):
            raise _refused(host, f"{address[0]} belongs to a private network", _SAVE_IT)
    return found[0][0], found[0][4]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


# One request -------------------------------------------------------------------------------------


def _fetch_once(
    parts: SplitResult, deadline: float, cancel: CancelFlag | None, *, allow_private: bool
) -> tuple[bytes, str | None]:
    """The contents, or where the server sends on to."""
    with _watched(deadline, cancel) as sockets:
        return _exchange(parts, deadline, cancel, sockets, allow_private=allow_private)


@contextlib.contextmanager
def _watched(deadline: float, cancel: CancelFlag | None) -> Iterator[list[socket.socket]]:
    """The socket put last into the list is shut at the deadline or on a cancel, which ends what waits on it."""
    sockets: list[socket.socket] = []
    is_done = threading.Event()

    def watch() -> None:
        while not is_done.wait(LOOK_S):
            if time.monotonic() > deadline or (cancel is not None and cancel.is_set()):
                for each in sockets[-1:]:
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(each, socket.SHUT_RDWR)  # past TLS, whose state is the other thread's

    thread = threading.Thread(target=watch, name="fetch", daemon=True)
    thread.start()
    try:
        yield sockets
    finally:
        is_done.set()
        thread.join()


def _exchange(
    parts: SplitResult,
    deadline: float,
    cancel: CancelFlag | None,
    sockets: list[socket.socket],
    *,
    allow_private: bool,
) -> tuple[bytes, str | None]:
    connection: http.client.HTTPConnection | None = None
    try:
        connection = _connect(parts, sockets, allow_private=allow_private)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": f"Underpaint/{__version__}", "Accept": "image/*", "Accept-Encoding": "identity"}
        connection.request("GET", _ascii(path), headers=headers)
        with connection.getresponse() as response:
            if response.status in _REDIRECTS and response.headers.get("Location"):
                return b"", response.headers["Location"]
            _check_response(parts, response)
            return _read(parts, response, deadline, cancel), None
    except TimeoutError as e:
        raise _refused(parts.geturl(), "the server does not answer", "Try again later.") from e
    except ssl.SSLError as e:
        raise _refused(parts.geturl(), f"the connection is not safe ({e.reason or e})", _SAVE_IT) from e
    except (OSError, http.client.HTTPException, ValueError) as e:
        hint = "Check the address and the network connection."
        raise _refused(parts.geturl(), str(e) or type(e).__name__, hint) from e
    finally:
        if connection:
            connection.close()


def _connect(parts: SplitResult, sockets: list[socket.socket], *, allow_private: bool) -> http.client.HTTPConnection:
    """A connection to the checked address, that asks for the host by its name."""
    family, address = _resolve(parts, allow_private=allow_private)
    raw = socket.socket(family, socket.SOCK_STREAM)
    sockets.append(raw)
    try:
        raw.settimeout(TIMEOUT_S)
        raw.connect(address)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            raw = secure = context.wrap_socket(raw, server_hostname=parts.hostname, do_handshake_on_connect=False)
            sockets.append(secure)
            secure.do_handshake()
    except BaseException:
        raw.close()
        raise
    default = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = default(parts.hostname or "", parts.port)
    connection.sock = raw
    return connection


def _ascii(path: str) -> str:
    return re.sub(r"[^\x21-\x7e]", lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), path)


def _check_response(parts: SplitResult, response: http.client.HTTPResponse) -> None:
    if response.status != 200:
        detail = f"the server answers {response.status} {response.reason}"
        raise _refused(parts.geturl(), detail, "Check the address with a browser.")
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        hint = "Copy the address of the picture itself: right-click it in the browser."
        raise _refused(parts.geturl(), "this is a web page, not a picture", hint)
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise _too_large(parts)


def _read(parts: SplitResult, response: http.client.HTTPResponse, deadline: float, cancel: CancelFlag | None) -> bytes:
    content = bytearray()
    while chunk := response.read1(CHUNK):
        content += chunk
        _check_time(parts, deadline, cancel)
        if len(content) > MAX_BYTES:
            raise _too_large(parts)
    _check_time(parts, deadline, cancel)  # what looks like the end may be the socket that was shut
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and len(content) < int(length):
        raise _refused(parts.geturl(), "the connection was cut", "Try again.")
    return bytes(content)


def _check_time(parts: SplitResult, deadline: float, cancel: CancelFlag | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Cancelled
    if time.monotonic() > deadline:
        raise _refused(parts.geturl(), "it comes too slowly", _SAVE_IT)


def _too_large(parts: SplitResult) -> ImageError:
    return _refused(parts.geturl(), f"it is larger than {MAX_BYTES // 1024**2} MiB", _SAVE_IT)


def _name(parts: SplitResult) -> str:
    last = unquote(parts.path).replace("\\", "/").rstrip("/").rpartition("/")[2]
    return "".join(char for char in last if char.isprintable())[:100] or parts.hostname or "Picture from the web"


# Data addresses ----------------------------------------------------------------------------------


def _read_data_url(address: str) -> bytes:
    head, comma, body = address.partition(",")
    if not comma or not head.lower().startswith("data:image/"):
        raise _refused(address[:40], "it holds no picture", "Copy the picture itself.")
    if len(body) > 2 * MAX_BYTES:
        raise ImageError("The picture cannot be fetched", f"it is larger than {MAX_BYTES // 1024**2} MiB", _SAVE_IT)
    decode: Callable[[str], bytes] = _decode_base64 if head.lower().endswith(";base64") else unquote_to_bytes
    return decode(body)


def _decode_base64(body: str) -> bytes:
    try:
        return base64.b64decode(unquote_to_bytes(body), validate=False)
    except (binascii.Error, ValueError) as e:
        raise _refused("data:", "it is cut off", "Copy the picture itself.") from e
