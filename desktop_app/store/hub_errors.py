"""What can go wrong between here and the hub, in the user's words; and how long it is worth trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from urllib.parse import urlsplit

from desktop_app.core.errors import CheckpointError, StoreError


class HubUnavailable(CheckpointError):
    """The hub cannot be asked now; what was begun can go on later."""


class Interrupted(Exception):
    """The transfer was cut off by something that may be over soon. ``str`` says what; ``wait_s`` is how long the server
    asks to wait, None where it does not say; ``status`` its answer, 0 where there was none.
    """

    def __init__(self, reason: str, wait_s: float | None = None, status: int = 0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.status = status


class Refused(Exception):
    """The server answered with a status that trying again does not change. ``code`` is the hub's own word for it."""

    def __init__(self, status: int, code: str = "", *, is_endpoint: bool = True) -> None:
        super().__init__(f"the server answers {status} {code}".rstrip())
        self.status = status
        self.code = code
        self.is_endpoint = is_endpoint


@dataclass(frozen=True)
class Patience:
    """``tries`` without any progress, then it is given up; ``first_s`` is the wait after the first, doubled each
    time up to ``longest_s``; ``longest_asked_s`` the longest that a server's own wish is followed; ``stall_s``
    how long nothing at all may come.
    """

    tries: int = 8
    first_s: float = 0.5
    longest_s: float = 30.0
    longest_asked_s: float = 120.0
    stall_s: float = 20.0

    def delay(self, tries: int, wait_s: float | None = None) -> float:
        """Seconds to wait after so many tries; by chance up to a half shorter, so that not all come back at once."""
        if wait_s is not None:
            return min(max(wait_s, 0.0), self.longest_asked_s)
        return min(self.first_s * 2.0 ** min(tries - 1, 30), self.longest_s) * random.uniform(0.5, 1.0)


def size_text(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def offline() -> HubUnavailable:
    return HubUnavailable(
        "Networking is switched off",
        "No connection was tried",
        "Switch it on to download. What is on this machine can be used as it is.",
    )


def unreachable(place: str, reason: str) -> HubUnavailable:
    hint = "Check the network connection, then try again; what is here already is not fetched again."
    return HubUnavailable("The hub cannot be reached", f"{place}: {reason}", hint)


def too_many_requests(place: str, wait_s: float | None = None) -> HubUnavailable:
    hint = f"Try again in {wait_s:.0f} seconds." if wait_s else "Try again in some minutes."
    return HubUnavailable("The hub asks for a pause", f"{place} answers that there were too many requests", hint)


def given_up(trouble: Interrupted, url: str, path: str) -> HubUnavailable:
    """What to say when trying again was of no use."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc}"
    if trouble.status == 429:
        return too_many_requests(place, trouble.wait_s)
    return unreachable(place, f"{path}: {trouble}")


def not_found(repo: str) -> CheckpointError:
    return CheckpointError(
        "The checkpoint is not on the hub",
        f"There is no {repo}, or it is private",
        "Check the spelling (organisation/name). A private one needs your access token.",
    )


def gated(repo: str, endpoint: str, *, has_token: bool) -> CheckpointError:
    page = f"{endpoint}/{repo}"
    if has_token:
        detail = f"The hub knows your access token, and it does not open {repo}"
        hint = f"Open {page} in a browser with the same account and accept the conditions; some are granted after days."
    else:
        detail = f"{repo} is given only to those who have accepted its licence"
        hint = (
            f"Open {page} in a browser, accept the conditions, and make an access token at {endpoint}/settings/tokens. "
            "Put the token into the window Checkpoints, or into the variable HF_TOKEN."
        )
    return CheckpointError("The checkpoint has conditions to accept first", detail, hint)


def bad_token(repo: str, endpoint: str) -> CheckpointError:
    hint = f"Make a new one at {endpoint}/settings/tokens, or remove it: most checkpoints need none."
    return CheckpointError("The hub does not accept your access token", repo, hint)


def no_revision(repo: str, revision: str) -> CheckpointError:
    detail = f"{repo} has no {revision[:100]!r}"
    return CheckpointError("The revision is not on the hub", detail, "Leave it out to get the newest.")


def unexpected(repo: str, reason: str) -> CheckpointError:
    return CheckpointError("The hub cannot deliver the checkpoint", f"{repo}: {reason}", "Try again later.")


def unreadable(repo: str, reason: str) -> CheckpointError:
    return CheckpointError(
        "The hub's answer cannot be used",
        f"{repo}: {reason}",
        "If a mirror is set by HF_ENDPOINT, try without it.",
    )


def hostile(repo: str, reason: str) -> CheckpointError:
    return CheckpointError(
        "The checkpoint is refused", f"{repo}: {reason}"[:300], "It may be an attack. Choose another checkpoint."
    )


def wrong_bytes(repo: str, path: str) -> CheckpointError:
    return CheckpointError(
        "What was downloaded is not what the hub lists",
        f"{repo}: {path} came twice with wrong contents, and was thrown away",
        "Try again later, without a mirror or a proxy if you use one.",
    )


def no_space(folder: str, needed: int, free: int) -> CheckpointError:
    return CheckpointError(
        "There is not enough space on the disk",
        f"{size_text(needed)} are needed in {folder}, and {size_text(free)} are free",
        "Free some space, remove a checkpoint, or choose another data folder with --data-dir.",
    )


def from_disk(error: StoreError) -> CheckpointError:
    """An error of the disk, as one of the checkpoint's."""
    return CheckpointError(error.title, error.detail, error.hint)


def from_refusal(refusal: Refused, repo: str, revision: str, endpoint: str, *, has_token: bool) -> CheckpointError:
    """What a status of the hub means to the user."""
    if refusal.code == "GatedRepo" or (refusal.status == 403 and not refusal.code):
        return gated(repo, endpoint, has_token=has_token)
    if refusal.code == "RevisionNotFound":
        return no_revision(repo, revision)
    if refusal.code == "RepoNotFound" or (refusal.status == 404 and not refusal.code):
        return not_found(repo)
    if refusal.status == 401:
        return bad_token(repo, endpoint) if has_token else gated(repo, endpoint, has_token=False)
    if refusal.status == 429:
        return too_many_requests(endpoint)
    return unexpected(repo, str(refusal))
