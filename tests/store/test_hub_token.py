"""The access token: where it is kept, and that it is nowhere else."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import keyring
import pytest
from hub_repos import QUICK, go_online, write_repo
from hub_server import HubServer
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from desktop_app.core.errors import CheckpointError, StoreError
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub
from desktop_app.store.hub_token import HubToken

CANARY = "hf_CANARY0123456789"
REF = "org/name"


class MemoryKeyring(KeyringBackend):
    """A keyring as systems have them, but for this test alone."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("none")


class BrokenKeyring(MemoryKeyring):
    """One that is locked, say."""

    def get_password(self, service: str, username: str) -> str | None:
        raise OSError("locked")

    set_password = delete_password = get_password


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    go_online(monkeypatch)
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


def use(backend: KeyringBackend) -> None:
    keyring.set_keyring(backend)


def test_a_token_is_kept_in_the_keyring_until_it_is_cleared():
    use(MemoryKeyring())
    HubToken().set(f" {CANARY}\n")
    assert (HubToken().get(), HubToken().where()) == (CANARY, "keyring")
    HubToken().clear()
    assert (HubToken().get(), HubToken().where()) == (None, "")


def test_without_a_keyring_a_token_is_kept_until_the_program_ends():
    use(BrokenKeyring())
    token = HubToken()
    token.set(CANARY)
    assert (token.get(), token.where()) == (CANARY, "memory")
    assert HubToken().get() is None
    token.clear()
    assert token.get() is None


def test_the_token_of_the_environment_is_used_when_none_was_set(monkeypatch):
    use(MemoryKeyring())
    monkeypatch.setenv("HF_TOKEN", CANARY)
    token = HubToken()
    assert (token.get(), token.where()) == (CANARY, "environment")
    token.set("hf_other")
    assert (token.get(), token.where()) == ("hf_other", "keyring")
    token.clear()
    assert token.get() == CANARY


@pytest.mark.parametrize("text", ["", "  ", "two words", "hf_a\r\nX: y", "hf_ä", "x" * 600])
def test_what_is_no_token_is_refused_and_not_repeated(text):
    use(MemoryKeyring())
    with pytest.raises(StoreError) as caught:
        HubToken().set(text)
    assert not text.strip() or text not in str(caught.value)


def test_the_token_shows_in_no_text():
    use(MemoryKeyring())
    token = HubToken()
    token.set(CANARY)
    assert CANARY not in repr(token) + str(token) + str(vars(Hub(token=token.get)))


def texts_of(folder: Path) -> bytes:
    return b"".join(
        path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".safetensors" not in path.name
    )


def test_a_token_is_sent_to_the_endpoint_alone_and_is_left_nowhere(tmp_path, paths, caplog):
    use(BrokenKeyring())
    caplog.set_level(logging.DEBUG)
    token, errors = HubToken(), []
    token.set(CANARY)
    with HubServer(tmp_path / "hub") as server, HubServer(tmp_path / "other") as third:
        for name in ("one", "two", "three"):
            write_repo(server.root / "org" / name)
            server.gated[f"org/{name}"] = CANARY if name != "two" else "hf_another"
        server.fail("three/resolve/.*/unet/config.json", redirect_to=f"{third.url}/stolen", times=-1)
        downloads = CheckpointDownloads(
            paths, Hub(endpoint=server.url, token=token.get, patience=QUICK), patience=QUICK
        )
        for name in ("one", "two", "three"):
            try:
                downloads.fetch(downloads.plan(f"org/{name}"), lambda _: None, threading.Event())
            except CheckpointError as e:
                errors.append(f"{e!r} {e.__cause__!r} {e.to_json()}")
    asked = {seen.host for seen in server.requests if CANARY in seen.authorization}
    assert asked == {f"127.0.0.1:{server.port}"}
    assert {seen.host for seen in server.requests} > asked
    assert third.requests
    assert not any(CANARY in str(seen.headers) for seen in third.requests)
    assert len(errors) == 2
    assert CANARY.encode() not in texts_of(paths.data_dir)
    assert CANARY not in caplog.text + "".join(errors)


def test_a_keyring_that_takes_everything_and_keeps_nothing_is_none(monkeypatch):
    import keyring
    from keyring.backends.null import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    try:
        token = HubToken()
        token.set("hf_" + "a" * 30)
        assert (token.get(), token.where()) == ("hf_" + "a" * 30, "memory")
    finally:
        keyring.set_keyring(before)
