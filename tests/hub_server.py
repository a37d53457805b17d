"""HubServer: a Hugging Face hub on this machine, whose repositories are folders, and which fails as it is told.

with HubServer(root) as hub:                 # root/org/name/... is the repository org/name
    hub.fail("unet/.*safetensors", cut_after=1000, times=2)
    Hub(endpoint=hub.url)

Weights are sent from another host name ("localhost") after a redirect, as the real hub does. Nothing is left
running after `stop`. No Qt, no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

LFS_SUFFIXES = (".safetensors", ".bin", ".ckpt", ".onnx", ".msgpack")
CHUNK = 16 * 1024


@dataclass
class Fault:
    """Done to the next ``times`` requests (-1: to all) whose path matches ``pattern``; see `HubServer.fail`."""

    pattern: str
    times: int = 1
    status: int = 0
    retry_after: str = ""
    code: str = ""
    cut_after: int | None = None
    stall_after: int | None = None
    has_wrong_bytes: bool = False
    content: bytes | None = None
    short_by: int = 0
    is_range_ignored: bool = False
    has_length: bool = True
    redirect_to: str = ""


@dataclass(frozen=True)
class Seen:
    """One request."""

    method: str
    host: str
    path: str
    headers: dict[str, str]

    @property
    def authorization(self) -> str:
        """What it brought as its token."""
        return self.headers.get("authorization", "")


@dataclass
class Repo:
    """One revision of a repository. ``listing`` replaces parts of what is listed of files, by path."""

    folder: Path
    commit: str
    listing: dict[str, dict[str, Any]] = field(default_factory=dict)


class HubServer:
    """``rate``: bytes a second of each connection, 0 for no limit. ``requests``: all that came; ``sent``: bytes of
    bodies of files, by path within the repository. ``gated``: tokens that open a repository. ``licences``, by
    repository.
    """

    def __init__(self, root: Path, *, certificate: Path | None = None) -> None:
        self.root = root
        self._scheme = "https" if certificate else "http"
        self.rate = 0
        self.requests: list[Seen] = []
        self.sent: dict[str, int] = {}
        self.gated: dict[str, str] = {}
        self.licences: dict[str, str] = {}
        self._revisions: dict[tuple[str, str], Repo] = {}
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self._server = _Server(self, certificate)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="hub")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def files_url(self) -> str:
        """The other host, from which weights come."""
        return f"{self._scheme}://localhost:{self.port}"

    def start(self) -> HubServer:
        """Serve, on threads that `stop` ends."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all connections and threads."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def __enter__(self) -> HubServer:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def fail(self, pattern: str, **fault: Any) -> None:
        """From now on requests whose path matches ``pattern`` (searched in "/api/models/org/name/...",
        "/org/name/resolve/commit/path" or, for weights, "/files/org/name/path") go wrong, as the fields of
        `Fault` say: ``status`` (with ``retry_after``, ``code``, ``content``), ``redirect_to``, ``cut_after`` or
        ``stall_after`` so many bytes, ``has_wrong_bytes`` of the same length, another ``content``, ``short_by``
        bytes less, ``is_range_ignored``, not ``has_length``.
        """
        with self._lock:
            self._faults.append(Fault(pattern, **fault))

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def add_revision(self, repo: str, revision: str, folder: Path) -> str:
        """Let the branch, or the offered change "refs/pr/N", be what is in ``folder``; its commit."""
        commit = hashlib.sha1(f"{repo} {revision} {folder}".encode()).hexdigest()
        self._revisions[repo, revision] = Repo(folder, commit)
        return commit

    def repo(self, name: str, revision: str = "main") -> Repo | None:
        """What is served of ``name``: its revision or commit."""
        main = self.root / name
        if (name, "main") not in self._revisions and main.is_dir():
            self.add_revision(name, "main", main)
        known = {key[1]: repo for key, repo in self._revisions.items() if key[0] == name}
        return known.get(revision) or next((repo for repo in known.values() if repo.commit == revision), None)

    def revisions(self, name: str) -> list[tuple[str, str]]:
        """Revisions and commits of ``name``."""
        return [(key[1], repo.commit) for key, repo in self._revisions.items() if key[0] == name]

    def total_sent(self) -> int:
        """Bytes of bodies of files."""
        with self._lock:
            return sum(self.sent.values())

    def take_fault(self, path: str) -> Fault | None:
        """The fault for this request, counted down."""
        with self._lock:
            for fault in self._faults:
                if fault.times and re.search(fault.pattern, path):
                    fault.times -= 1
                    return fault
        return None

    def note(self, seen: Seen) -> None:
        """Keep a request."""
        with self._lock:
            self.requests.append(seen)

    def count(self, path: str, amount: int) -> None:
        """Add to the bytes that were sent."""
        with self._lock:
            self.sent[path] = self.sent.get(path, 0) + amount


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, hub: HubServer, certificate: Path | None) -> None:
        self.hub = hub
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _fault: Fault | None = None

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on the test's output."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path, hub = unquote(parts.path), self.server.hub
        headers = {name.lower(): value for name, value in self.headers.items()}
        hub.note(Seen(self.command, headers.get("host", ""), path, headers))
        fault = self._fault = hub.take_fault(path)
        if fault and fault.redirect_to:
            self._send(302, headers={"Location": fault.redirect_to})
        elif fault and fault.status:
            extra = {"Retry-After": fault.retry_after, "X-Error-Code": fault.code}
            self._send(fault.status, fault.content or b"{}", {name: value for name, value in extra.items() if value})
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(refs|revision/(.+)))?", path):
            self._api(match[1], match[2] or "", match[3] or "main", parse_qs(parts.query))
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([0-9a-f]{40}|[^/]+)/(.+)", path):
            self._resolve(match[1], match[2], match[3])
        elif match := re.fullmatch(r"/files/([^/]+/[^/]+)/([0-9a-f]{40})/(.+)", path):
            repo = hub.repo(match[1], match[2])
            self._file(repo.folder / match[3] if repo else None, match[3])
        else:
            self._send(404, b"{}")

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b'{"error": "no"}', {"X-Error-Code": code, "X-Error-Message": code})

    def _api(self, name: str, what: str, revision: str, query: dict[str, list[str]]) -> None:
        hub = self.server.hub
        repo = hub.repo(name, revision)
        if hub.repo(name) is None:
            self._refuse(401, "RepoNotFound")
        elif repo is None:
            self._refuse(404, "RevisionNotFound")
        elif what == "refs":
            self._send(200, json.dumps(_refs(hub.revisions(name))).encode())
        else:
            licence = hub.licences.get(name, "openrail")
            info = {"id": name, "sha": repo.commit, "gated": "auto" if name in hub.gated else False}
            card = {"tags": ["diffusers", f"license:{licence}"], "cardData": {"license": licence}}
            siblings = list(_siblings(repo, with_sizes="blobs" in query))
            self._send(200, json.dumps({**info, **card, "siblings": siblings}).encode())

    def _resolve(self, name: str, revision: str, path: str) -> None:
        hub = self.server.hub
        repo, token = hub.repo(name, revision), self.headers.get("Authorization")
        if hub.repo(name) is None or repo is None:
            self._refuse(404 if hub.repo(name) else 401, "RevisionNotFound" if hub.repo(name) else "RepoNotFound")
        elif name in hub.gated and token != f"Bearer {hub.gated[name]}":
            self._refuse(403 if token else 401, "GatedRepo")
        elif not (repo.folder / path).is_file():
            self._refuse(404, "EntryNotFound")
        elif path.endswith(LFS_SUFFIXES):
            tag = f'"{sha256_of(repo.folder / path)}"'
            target = f"{hub.files_url}/files/{name}/{repo.commit}/{quote(path)}"
            self._send(302, headers={"Location": target, "X-Repo-Commit": repo.commit, "X-Linked-Etag": tag})
        else:
            self._file(repo.folder / path, path)

    def _file(self, file: Path | None, path: str) -> None:
        if file is None or not file.is_file():
            self._send(404, b"{}")
            return
        fault = self._fault or Fault("")
        content = file.read_bytes() if fault.content is None else fault.content
        if fault.has_wrong_bytes:
            content = bytes(255 - byte for byte in content)
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        content = content[: len(content) - fault.short_by]
        start = self._start(len(content), tag, fault)
        if start is None:
            self._send(416, headers={"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if fault.has_length:
            self.send_header("Content-Length", str(len(content) - start + fault.short_by))
        else:
            self.close_connection = True
        self.end_headers()
        if self.command == "GET":
            self._body(content[start:], path, fault)

    def _start(self, size: int, tag: str, fault: Fault) -> int | None:
        """Where the client wants it to begin; None beyond the end."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if match is None or fault.is_range_ignored or self.headers.get("If-Range", tag) != tag:
            return 0
        return int(match[1]) if int(match[1]) < size else None

    def _body(self, content: bytes, path: str, fault: Fault) -> None:
        hub = self.server.hub
        ends = [end for end in (fault.cut_after, fault.stall_after) if end is not None]
        end = min([*ends, len(content)])
        for begin in range(0, end, CHUNK):
            chunk = content[begin : min(begin + CHUNK, end)]
            hub.count(path, len(chunk))
            self.wfile.write(chunk)
            if hub.rate and hub.stopping.wait(len(chunk) / hub.rate):
                break
        if fault.stall_after is not None:
            hub.stopping.wait()
        if ends or fault.short_by:
            self.close_connection = True


def _refs(revisions: list[tuple[str, str]]) -> dict[str, Any]:
    offers = [{"name": name, "ref": name, "targetCommit": at} for name, at in revisions if name.startswith("refs/pr/")]
    branches = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": at}
        for name, at in revisions
        if not name.startswith("refs/pr/")
    ]
    return {"branches": branches, "converts": [], "tags": [], "pullRequests": offers}


def _siblings(repo: Repo, *, with_sizes: bool) -> Iterator[dict[str, Any]]:
    names = {path.relative_to(repo.folder).as_posix() for path in repo.folder.rglob("*") if path.is_file()}
    for name in sorted(names | set(repo.listing)):
        entry: dict[str, Any] = {"rfilename": name}
        if with_sizes and name in names:
            file = repo.folder / name
            entry.update(size=file.stat().st_size, blobId=git_sha1_of(file))
            if name.endswith(LFS_SUFFIXES):
                entry["lfs"] = {"sha256": sha256_of(file), "size": file.stat().st_size, "pointerSize": 134}
        yield {**entry, **repo.listing.get(name, {})}


def sha256_of(file: Path) -> str:
    """As the hub lists weights."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def git_sha1_of(file: Path) -> str:
    """As the hub lists small files."""
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
