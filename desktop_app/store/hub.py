"""Hub: asks the Hugging Face hub, or a mirror of it, what a checkpoint consists of. Bytes of weights come by
`desktop_app.store.downloads`; here is only the listing, through huggingface_hub.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from desktop_app.core.download import DownloadPlan, RemoteFile
from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoint_files import HALF
from desktop_app.store.checkpoint_index import INDEX_NAME
from desktop_app.store.control_checkpoints import CONFIG_NAME
from desktop_app.store.hub_errors import (
    HubUnavailable,
    Interrupted,
    Patience,
    Refused,
    bad_token,
    from_refusal,
    gated,
    given_up,
    hostile,
    no_revision,
    not_found,
    offline,
    too_many_requests,
    unexpected,
    unreachable,
    unreadable,
)
from desktop_app.store.hub_files import (
    MAX_FILES,
    Choice,
    check_file,
    choose_control,
    choose_files,
    choose_single_file,
    is_hostile_name,
    is_one_part,
    pickled_control,
)
from desktop_app.store.hub_http import Connections, Origin, is_loopback, origin
from desktop_app.store.hub_token import clean_token

DEFAULT_ENDPOINT = "https://huggingface.co"
MAIN = "main"
MAX_INDEX_BYTES = 2**20
MAX_CANDIDATES = 8
"""How many other revisions are looked at when the weights of the main one are pickled."""

LISTING = Patience(tries=3, first_s=0.5, longest_s=2.0, longest_asked_s=5.0, stall_s=10.0)

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_]|[.-](?![.-])){0,95}"
_REF = re.compile(rf"(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>\w[\w.-]*(?:/\w[\w.-]*)*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRUE = {"1", "true", "yes", "on"}
_home: ContextVar[Origin | None] = ContextVar("_home", default=None)
"""Where a listing that is going on may send its token; None while there is none."""


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    repo: str
    commit: str
    files: dict[str, RemoteFile]
    licence: str


def read_ref(ref: str) -> tuple[str, str | None]:
    """Repository and revision (None: the main one) of "org/name" or "org/name@revision". Raises `CheckpointError`."""
    match = _REF.fullmatch(ref)
    if not match or ".." in ref or len(ref) > 300:
        hint = "It looks like organisation/name, or organisation/name@revision."
        raise CheckpointError("This is no name of a checkpoint on the hub", repr(ref[:200]), hint)
    return match["repo"], match["revision"]


def is_commit(revision: str) -> bool:
    """Whether ``revision`` names one commit for ever."""
    return _COMMIT.fullmatch(revision) is not None


class Hub:
    """One hub. Usable from any thread. ``endpoint`` empty: HF_ENDPOINT, else the Hugging Face hub. ``token`` is asked
    at each use; it is sent to the endpoint alone. While ``is_online`` says no, or when HF_HUB_OFFLINE was set as
    this was made, no connection is tried.
    """

    def __init__(
        self,
        *,
        endpoint: str = "",
        token: Callable[[], str | None] = lambda: None,
        is_online: Callable[[], bool] = lambda: True,
        patience: Patience = LISTING,
    ) -> None:
        set_by_user = os.environ.get("HF_ENDPOINT", "").strip()
        self.endpoint = (endpoint or set_by_user or DEFAULT_ENDPOINT).rstrip("/")
        self._is_http_wanted = self.endpoint == set_by_user.rstrip("/")
        self._token = token
        self._is_online = is_online
        self._is_forced_offline = os.environ.get("HF_HUB_OFFLINE", "").strip().lower() in _TRUE
        self._patience = patience

    def check_online(self) -> None:
        """Raise `HubUnavailable` when no connection may be tried."""
        if self._is_forced_offline or not self._is_online():
            raise offline()
        if "@" in self.endpoint.partition("://")[2].partition("/")[0]:
            hint = "Take it out of the variable HF_ENDPOINT, and give the hub token in the window Checkpoints."
            raise CheckpointError("The hub's address holds a user name or a password", "", hint)

    def token(self) -> str | None:
        """The user's access token, if there is one."""
        return clean_token(self._token())

    @property
    def home(self) -> Origin:
        """The only place that the token is sent to. Raises `CheckpointError` for an address that is none, or not
        safe.
        """
        try:
            place = origin(self.endpoint)
        except ValueError as e:
            raise CheckpointError("The hub's address is wrong", str(e), "Check the variable HF_ENDPOINT.") from e
        if place[0] == "http" and not (self._is_http_wanted or is_loopback(place[1])):
            hint = "Use an address with https://."
            raise CheckpointError("The hub's address is not safe", f"{self.endpoint} is not protected", hint)
        return place

    def file_url(self, repo: str, commit: str, path: str) -> str:
        """Where the bytes of a file are."""
        return f"{self.endpoint}/{repo}/resolve/{commit}/{quote(path)}"

    def plan(self, ref: str, *, variant: str = HALF) -> DownloadPlan:
        """What to fetch for ``ref``, at the commit of now. Weights of ``variant`` where there are some; pass "" for
        full precision. Where the main revision has pickled weights and another has them as safetensors, that one
        is taken.

        Raises `CheckpointError`; `HubUnavailable` of these when a later try may succeed.
        """
        repo, revision = read_ref(ref)
        self.check_online()
        listing = self._list(repo, revision or MAIN)
        choice = self._choose(listing, variant)
        if choice.is_pickled and revision is None:
            listing, choice = self._find_safe(listing, choice, variant) or (listing, choice)
        if choice.is_pickled and INDEX_NAME not in listing.files:
            raise pickled_control(repo)
        files = tuple(listing.files[path] for path in choice.paths)
        _check_plan(repo, files)
        return DownloadPlan(ref, listing.commit, files, is_pickled=choice.is_pickled, licence=listing.licence)

    def _choose(self, listing: Listing, variant: str) -> Choice:
        repo, files = listing.repo, listing.files
        if INDEX_NAME in files:
            return choose_files(repo, files, self._read_object(listing, INDEX_NAME), variant)
        config = self._read_object(listing, CONFIG_NAME) if is_one_part(files) else {}
        return choose_control(repo, files, config, variant) or choose_single_file(repo, files, variant)

    def _find_safe(self, main: Listing, pickled: Choice, variant: str) -> tuple[Listing, Choice] | None:
        """Another revision with safetensors: a branch of the authors, or an offered change that leaves all else as
        it is.
        """
        try:
            with self._asking(main.repo, "") as api:
                refs = api.list_repo_refs(main.repo, include_pull_requests=True)
        except HubUnavailable:
            raise
        except CheckpointError:  # a mirror that keeps only the main revision
            return None
        branches = sorted(
            (b.ref for b in refs.branches if b.name != MAIN), key=lambda ref: not ref.endswith(f"/{HALF}")
        )
        offers = sorted((p.ref for p in refs.pull_requests or []), key=_number, reverse=True)
        for ref in (*branches, *offers)[:MAX_CANDIDATES]:
            try:
                listing = self._list(main.repo, ref.removeprefix("refs/heads/"))
                choice = self._choose(listing, variant)
            except HubUnavailable:
                raise
            except CheckpointError:  # that one cannot be used
                continue
            if not choice.is_pickled and (ref in branches or _is_same_but_weights(main, pickled, listing, choice)):
                return listing, choice
        return None

    def _list(self, repo: str, revision: str) -> Listing:
        with self._asking(repo, revision) as api:
            info = api.model_info(repo, revision=revision, files_metadata=True, timeout=self._patience.stall_s)
            siblings = info.siblings or []
            if len(siblings) > 50 * MAX_FILES:
                raise hostile(repo, f"it lists {len(siblings)} files")
            files = [_remote_file(sibling) for sibling in siblings]
            commit, licence = str(info.sha), _licence(info)
        if not is_commit(commit):
            raise unreadable(repo, f"its commit is {commit[:60]!r}")
        for file in files:
            if is_hostile_name(file.path):
                raise hostile(repo, f"it has a file with the name {file.path[:100]!r}")
        return Listing(repo, commit, {file.path: file for file in files}, licence)

    @contextlib.contextmanager
    def _asking(self, repo: str, revision: str) -> Iterator[Any]:
        """huggingface_hub's API, that tries again where it helps; its errors in the user's words."""
        has_token = self.token() is not None
        restore = _home.set(self.home)
        try:
            yield _Patient(_make_api(self.endpoint, self.token()), self._patience)
        except _troubles() as e:
            raise _translated(e, repo, revision, self.endpoint, has_token=has_token) from e
        finally:
            _home.reset(restore)

    def _read_object(self, listing: Listing, name: str) -> dict[str, Any]:
        """The object in the JSON file ``name``: what names the parts, or says what the one part is."""
        file = listing.files[name]
        check_file(listing.repo, file)
        if file.size > MAX_INDEX_BYTES:
            raise hostile(listing.repo, f"its {name} is too large")
        content = self._read(listing, file)
        header = b"" if file.sha256 else b"blob %d\0" % len(content)
        digest = (hashlib.sha256 if file.sha256 else hashlib.sha1)(header + content).hexdigest()
        if digest != (file.sha256 or file.git_sha1):
            raise unreadable(listing.repo, f"its {name} is not what it lists")
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as e:
            raise unreadable(listing.repo, f"its {name} is damaged ({str(e)[:100]})") from e
        if not isinstance(found, dict):
            raise unreadable(listing.repo, f"its {name} is no JSON object")
        return found

    def _read(self, listing: Listing, file: RemoteFile) -> bytes:
        url, token = self.file_url(listing.repo, listing.commit, file.path), self.token()
        tries = 0
        while True:
            connections = Connections(self._patience.stall_s)
            try:
                with connections.get(url, token=token, home=self.home) as answer:
                    content = b""
                    while len(content) <= file.size and (more := answer.read(file.size + 1 - len(content))):
                        content += more
                if len(content) >= file.size:
                    return content
                raise Interrupted("the connection was cut")
            except Refused as e:
                raise from_refusal(e, listing.repo, listing.commit, self.endpoint, has_token=token is not None) from e
            except Interrupted as e:
                tries += 1
                if tries >= self._patience.tries:
                    raise given_up(e, url, file.path) from e
                time.sleep(self._patience.delay(tries, e.wait_s))


class _Patient:
    """huggingface_hub's API, of which a call is tried again when the hub is busy or cannot be reached."""

    def __init__(self, api: Any, patience: Patience) -> None:
        self._api = api
        self._patience = patience

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return functools.partial(self._call, getattr(self._api, name))

    def _call(self, method: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        for tries in range(1, self._patience.tries):
            try:
                return method(*arguments, **options)
            except _troubles() as e:
                if not _is_passing(e):
                    raise
                time.sleep(self._patience.delay(tries, _asked(e)))
        return method(*arguments, **options)


def _make_api(endpoint: str, token: str | None) -> Any:
    _prepare_library()
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint, token=token or False, library_name="underpaint")


@functools.cache
def _prepare_library() -> None:
    """Once in a process: nothing is told to the hub about the user, no token is taken from elsewhere, and the library's
    client makes no connection but for a listing of ours.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    os.environ.setdefault("HF_HUB_DISABLE_UPDATE_CHECK", "1")
    import httpx2
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.errors import OfflineModeIsEnabled

    constants.HF_HUB_DISABLE_TELEMETRY = True  # where it was imported before; else it looks for who runs the program
    constants.HF_HUB_OFFLINE = True  # for all that asks it in this process; listings do not ask

    def check(request: Any) -> None:
        home = _home.get()
        if home is None:
            raise OfflineModeIsEnabled("only listings of checkpoints go over the network")
        if origin(str(request.url)) != home:
            request.headers.pop("authorization", None)

    def make_client() -> Any:
        return httpx2.Client(
            event_hooks={"request": [check]},
            follow_redirects=True,
            timeout=LISTING.stall_s,
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    set_client_factory(make_client)


def _troubles() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises, also at an answer that is not as it should be."""
    import httpx2

    return (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, KeyError, TypeError, AttributeError)


def _is_passing(error: Exception) -> bool:
    import httpx2

    status = getattr(getattr(error, "response", None), "status_code", 0)
    return isinstance(error, httpx2.TransportError) or status in (408, 425, 429, 500, 502, 503, 504)


def _asked(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", {})
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() and len(text) < 9 else None


def _translated(error: Exception, repo: str, revision: str, endpoint: str, *, has_token: bool) -> CheckpointError:
    """An exception of huggingface_hub and what is below it, in the user's words."""
    import httpx2
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", 0)
    if isinstance(error, errors.GatedRepoError):
        return gated(repo, endpoint, has_token=has_token)
    if isinstance(error, errors.RevisionNotFoundError):
        return no_revision(repo, revision)
    if isinstance(error, errors.RepositoryNotFoundError):
        return not_found(repo)
    if status == 429:
        return too_many_requests(endpoint, _asked(error))
    if status == 401 and has_token:
        return bad_token(repo, endpoint)
    if status >= 500:
        return unreachable(endpoint, f"it answers {status}")
    if status:
        return from_refusal(Refused(status), repo, revision, endpoint, has_token=has_token)
    if isinstance(error, httpx2.TimeoutException):
        return unreachable(endpoint, "it does not answer")
    if isinstance(error, (httpx2.TransportError, OSError)):
        return unreachable(endpoint, str(error)[:200] or type(error).__name__)
    if isinstance(error, httpx2.HTTPError):
        return unexpected(repo, str(error)[:200])
    return unreadable(repo, f"{type(error).__name__}: {error}"[:200])


def _remote_file(sibling: Any) -> RemoteFile:
    """An entry of the listing, still to be checked."""
    lfs = sibling.lfs
    is_size = type(sibling.size) is int and (lfs is None or lfs.size == sibling.size)
    sha256 = "" if lfs is None else str(lfs.sha256) or "none"
    return RemoteFile(str(sibling.rfilename), sibling.size if is_size else -1, str(sibling.blob_id), sha256)


def _licence(info: Any) -> str:
    """The licence as the card names it, else as a tag does."""
    card = info.card_data
    name = getattr(card, "license", None) or next(
        (tag.partition(":")[2] for tag in info.tags or [] if str(tag).startswith("license:")), ""
    )
    if name == "other":
        name = getattr(card, "license_name", None) or name
    return ", ".join(map(str, name))[:100] if isinstance(name, list) else str(name)[:100]


def _number(ref: str) -> int:
    last = ref.rpartition("/")[2]
    return int(last) if last.isdecimal() else 0


def _is_same_but_weights(main: Listing, pickled: Choice, other: Listing, choice: Choice) -> bool:
    """Whether every file that both take is the same, bit for bit: then only the format of the weights has changed.
    Anyone can offer a change, so weights that do not weigh about the same are not taken for the same.
    """
    texts = {path for path in pickled.paths if not path.endswith((".bin", ".index.json")) and "/" in path}
    first = INDEX_NAME if INDEX_NAME in main.files else CONFIG_NAME
    if any(main.files[path] != other.files.get(path) for path in (first, *texts)):
        return False
    old, new = (
        sum(listing.files[path].size for path in each.paths if path.endswith((".bin", ".safetensors")))
        for listing, each in ((main, pickled), (other, choice))
    )
    return 0.4 * old <= new <= 1.1 * old


def _check_plan(repo: str, files: tuple[RemoteFile, ...]) -> None:
    if len(files) > MAX_FILES:
        raise hostile(repo, f"it needs {len(files)} files")
    for file in files:
        check_file(repo, file)
    if len({file.path.casefold() for file in files}) != len(files):
        raise hostile(repo, "it has files whose names differ only by capitals")
