"""What ``doctor`` says of the network, and of checkpoints of every kind."""

from __future__ import annotations

import hashlib
import os
import re
import shutil

import pytest
from single_file import write_tiny_file
from support import STARTER
from tiny_kandinsky import write_prior

from desktop_app.__main__ import main
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import user_paths

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "hf_verysecret"


@pytest.fixture
def doctor(data_dir, tmp_path, monkeypatch, capsys):
    """Rows of the report by their names. The engine is not started; nothing of the user's own is set."""
    monkeypatch.setattr("desktop_app.cli.doctor._ask_engine", lambda paths: "not asked")
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN", "HF_HUB_CACHE", "UNDERPAINT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))

    def run(*flags: str) -> dict[str, str]:
        assert main(["--data-dir", str(data_dir), "doctor", *flags]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "Network" in lines
        rows = [line.strip() for line in lines if line.startswith("  ")]
        return {name: text.strip() for name, _, text in (row.partition("  ") for row in rows)} | {
            "all": "\n".join(rows)
        }

    return run


@pytest.fixture
def keyring(monkeypatch):
    """A keyring in memory, in the place of the system's."""
    import keyring
    from keyring.backend import KeyringBackend

    kept: dict[tuple[str, str], str] = {}

    class Memory(KeyringBackend):
        """Forgets all at the end."""

        priority = 1

        def get_password(self, service, username):
            return kept.get((service, username))

        def set_password(self, service, username, password):
            kept[service, username] = password

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())
    yield keyring
    keyring.set_keyring(before)


def put_into_cache(cache, name="org--icons"):
    """The starter as huggingface_hub would have fetched it."""
    snapshot = cache / f"models--{name}" / "snapshots" / COMMIT
    for file in (path for path in STARTER.rglob("*") if path.suffix in (".json", ".safetensors", ".txt")):
        blob = cache / f"models--{name}" / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        target = snapshot / file.relative_to(STARTER)
        for folder in (blob.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blob)
        target.symlink_to(os.path.relpath(blob, target.parent))
    (cache / f"models--{name}" / "refs").mkdir()
    (cache / f"models--{name}" / "refs" / "main").write_text(COMMIT)
    return snapshot


# The network -------------------------------------------------------------------------------------


def test_the_hub_is_named_and_nothing_else_is_needed(doctor, keyring):
    told = doctor()
    assert told["connections"].startswith("online")
    assert told["hub"] == "https://huggingface.co"
    assert told["access token"].startswith("none")


@pytest.mark.parametrize(
    ("flags", "variable", "words"),
    [
        (["--offline"], "", "none is tried (--offline)"),
        ([], "UNDERPAINT_OFFLINE", "none is tried (UNDERPAINT_OFFLINE)"),
        ([], "HF_HUB_OFFLINE", "no checkpoint is downloaded (HF_HUB_OFFLINE)"),
    ],
)
def test_what_keeps_the_network_off_is_named(doctor, keyring, monkeypatch, flags, variable, words):
    if variable:
        monkeypatch.setenv(variable, "1")
    assert doctor(*flags)["connections"] == f"offline: {words}"


def test_a_mirror_is_named_without_its_password(doctor, keyring, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", f"https://me:{SECRET}@mirror.example:8443/hub/?token={SECRET}")
    told = doctor()
    assert told["hub"] == "https://mirror.example:8443/hub/ (HF_ENDPOINT)"
    assert SECRET not in told["all"]
    monkeypatch.setenv("HF_ENDPOINT", f"mirror {SECRET}")
    told = doctor()
    assert told["hub"] == "CANNOT BE USED: The hub's address is wrong (HF_ENDPOINT)"
    assert SECRET not in told["all"]


def test_where_the_token_is_can_be_read_and_the_token_never(doctor, keyring, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    told = doctor()
    assert told["access token"] == "in the variable HF_TOKEN"
    assert SECRET not in told["all"]
    keyring.set_password("Underpaint", "Hugging Face access token", SECRET)
    told = doctor()
    assert told["access token"] == "in the system's keyring"
    assert SECRET not in told["all"]


# Checkpoints -------------------------------------------------------------------------------------


def test_hub_ids_are_listed_and_those_of_other_programs_as_shared(doctor, data_dir, tmp_path, monkeypatch):
    put_into_cache(data_dir / "checkpoints", "org--mine")
    put_into_cache(tmp_path / "cache", "org--theirs")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    told = doctor()
    assert "whole" in told["org/mine"]
    assert "shared" not in told["org/mine"]
    assert "20 MB of weights (shared, read-only); whole" in told["org/theirs"]


def test_files_and_folders_are_listed_where_they_are(doctor, data_dir, tmp_path, monkeypatch):
    made = write_tiny_file(tmp_path / "made", "sd1")
    monkeypatch.setattr("desktop_app.store.single_file.layouts_dir", lambda: made.layouts)
    own = data_dir / "checkpoints" / "own.safetensors"
    own.parent.mkdir()
    shutil.copy(made.file, own)
    CheckpointStore(user_paths(data_dir)).bring_in(made.folder)
    told = doctor()
    assert "own: Stable Diffusion" in told[str(own)]
    assert "(used in place); whole" in told[str(made.folder)]


def test_a_prior_is_listed_without_a_size_of_pictures(doctor, data_dir):
    write_prior(data_dir / "checkpoints" / "prior")
    told = doctor()[str(data_dir / "checkpoints" / "prior")]
    assert re.match(r"prior: Kandinsky 2\.2 prior, [\d.]+ [MG]B of weights; whole", told)


def test_pickles_of_another_program_are_told_with_the_command_that_converts_them(doctor, tmp_path, monkeypatch):
    snapshot = put_into_cache(tmp_path / "cache")
    for file in snapshot.rglob("*.safetensors"):
        stem = "pytorch_model" if file.stem == "model" else file.stem
        file.rename(file.with_name(f"{stem}.bin"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    told = doctor()["org/icons"]
    assert told.startswith("WILL NOT RUN: The weights of the checkpoint are pickled")
    assert told.endswith("underpaint checkpoints download org/icons")
