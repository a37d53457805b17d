"""What is planned of a repository: which files, of which revision; and what the hub cannot or must not give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hub_repos import INDEX, QUICK, connections_tried, go_online, write_files, write_repo
from hub_server import HubServer
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import REFUSED
from desktop_app.store.hub import Hub, read_ref
from desktop_app.store.hub_errors import HubUnavailable
from desktop_app.store.hub_files import check_name

REF = "org/name"
TEXT_PARTS = {
    "model_index.json",
    "README.md",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/vocab.json",
    "tokenizer/merges.txt",
    "unet/config.json",
    "vae/config.json",
}


@pytest.fixture
def server(tmp_path, monkeypatch):
    go_online(monkeypatch)
    with HubServer(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def repo(server) -> Path:
    return server.root / REF


@pytest.fixture
def hub(server) -> Hub:
    return Hub(endpoint=server.url, patience=QUICK)


def planned(hub: Hub, ref: str = REF, **options) -> set[str]:
    return {file.path for file in hub.plan(ref, **options).files}


def weights(hub: Hub, ref: str = REF, **options) -> set[str]:
    return {path for path in planned(hub, ref, **options) if path.endswith((".safetensors", ".bin"))}


# Which files -------------------------------------------------------------------------------------


def test_only_what_a_checkpoint_needs_is_planned(hub, repo):
    write_repo(repo, kinds=("safetensors", "bin"), variants=("", "fp16", "non_ema"))
    others = (
        "name.ckpt",
        "name.safetensors",
        "unet/model.onnx",
        "unet/flax.msgpack",
        "unet/run.py",
        "vae_old/a.safetensors",
    )
    write_files(repo, dict.fromkeys((*others, "unet/deep/diffusion_pytorch_model.safetensors", "x.json"), "x"))
    half = {f"{part}.fp16.safetensors" for part in ("text_encoder/model", "unet/diffusion_pytorch_model")}
    assert planned(hub) == {*TEXT_PARTS, *half, "vae/diffusion_pytorch_model.fp16.safetensors"}


def test_the_plan_knows_commit_sizes_hashes_and_licence(hub, repo, server):
    write_repo(repo, size=5000)
    server.licences[REF] = "creativeml-openrail-m"
    plan = hub.plan(REF)
    unet = next(file for file in plan.files if file.path == "unet/diffusion_pytorch_model.safetensors")
    assert (plan.commit, plan.licence) == (server.repo(REF).commit, "creativeml-openrail-m")
    assert (unet.size, len(unet.sha256), plan.is_pickled) == (5000, 64, False)
    assert plan.total_bytes == sum((repo / file.path).stat().st_size for file in plan.files)


def test_full_precision_is_planned_when_asked_for(hub, repo):
    write_repo(repo, variants=("", "fp16"))
    assert not any(".fp16." in path for path in weights(hub, variant=""))


def test_a_part_without_the_variant_gets_plain_weights(hub, repo):
    write_repo(repo, variants=("", "fp16"))
    (repo / "vae/diffusion_pytorch_model.fp16.safetensors").unlink()
    assert "vae/diffusion_pytorch_model.safetensors" in weights(hub)
    assert "unet/diffusion_pytorch_model.safetensors" not in weights(hub)


@pytest.mark.parametrize(
    ("names", "index"),
    [
        ("model-0000{}-of-00002.safetensors", "model.safetensors.index.json"),
        ("model.fp16-0000{}-of-00002.safetensors", "model.safetensors.index.fp16.json"),
        ("model-0000{}-of-00002.fp16.safetensors", "model.safetensors.index.fp16.json"),
    ],
)
def test_shards_come_together_with_their_index(hub, repo, names, index):
    write_repo(repo)
    (repo / "text_encoder/model.safetensors").unlink()
    shards = [f"text_encoder/{names.format(number)}" for number in (1, 2)]
    write_files(repo, dict.fromkeys((*shards, f"text_encoder/{index}"), "{}"))
    assert {*shards, f"text_encoder/{index}"} <= planned(hub)
    (repo / shards[0]).unlink()
    with pytest.raises(CheckpointError, match="text_encoder has"):
        hub.plan(REF)


def test_an_unusual_variant_alone_is_refused_before_anything_is_fetched(hub, repo):
    write_repo(repo, variants=("bf16",))
    with pytest.raises(CheckpointError, match=r"has only .*bf16"):
        hub.plan(REF)


def test_a_family_that_is_not_known_is_refused_before_anything_is_fetched(hub, repo):
    write_files(write_repo(repo), {"model_index.json": json.dumps({**INDEX, "_class_name": "AudioPipeline"})})
    with pytest.raises(CheckpointError, match="AudioPipeline"):
        hub.plan(REF)


def test_a_family_that_is_known_but_not_opened_is_refused_with_the_reason(hub, repo):
    write_files(write_repo(repo), {"model_index.json": json.dumps({**INDEX, "_class_name": "IFPipeline"})})
    with pytest.raises(CheckpointError, match="not supported") as refused:
        hub.plan(REF)
    assert refused.value.detail == f"{REF} is for IFPipeline. {REFUSED['IFPipeline']}"
    labels = refused.value.hint.removeprefix("Supported are: ").rstrip(".").split(", ")
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["name.safetensors"], "name.safetensors"),
        (["v1-5-pruned.safetensors", "v1-5-pruned-emaonly.safetensors"], "v1-5-pruned-emaonly.safetensors"),
        (["name.safetensors", "name_lora.safetensors", "vae.safetensors"], "name.safetensors"),
        (["name.safetensors", "name-inpainting.safetensors"], "name.safetensors"),
    ],
)
def test_a_repository_without_index_gives_its_one_file(hub, repo, names, best):
    write_files(repo, dict.fromkeys((*names, "name.ckpt", "README.md"), "x"))
    assert planned(hub) == {best, "README.md"}


@pytest.mark.parametrize(
    "names",
    [
        ["one.safetensors", "two.safetensors"],
        ["only.ckpt"],
        ["pytorch_lora_weights.safetensors"],
        ["diffusion_pytorch_model.safetensors", "config.json"],
    ],
)
def test_a_repository_without_index_and_without_one_best_file_is_refused(hub, repo, names):
    write_files(repo, dict.fromkeys(names, "x"))
    with pytest.raises(CheckpointError):
        hub.plan(REF)


# Pickled weights ---------------------------------------------------------------------------------


def test_pickled_weights_are_planned_and_said_so_when_there_are_no_others(hub, repo):
    write_repo(repo, kinds=("bin",))
    assert hub.plan(REF).is_pickled
    assert weights(hub) == {
        "text_encoder/pytorch_model.bin",
        "unet/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.bin",
    }


@pytest.mark.parametrize("revision", ["fp16", "refs/pr/3"])
def test_a_revision_with_safetensors_is_preferred_to_pickles(hub, repo, server, tmp_path, revision):
    write_repo(repo, kinds=("bin",))
    commit = server.add_revision(REF, revision, write_repo(tmp_path / "other"))
    plan = hub.plan(REF)
    assert (plan.ref, plan.commit, plan.is_pickled) == (REF, commit, False)


def test_an_offered_change_that_changes_more_than_the_format_is_not_taken(hub, repo, server, tmp_path):
    write_repo(repo, kinds=("bin",))
    other = write_files(write_repo(tmp_path / "other"), {"unet/config.json": '{"sample_size": 65}'})
    server.add_revision(REF, "refs/pr/1", other)
    server.add_revision(REF, "refs/pr/2", write_repo(tmp_path / "large", size=50_000))
    assert hub.plan(REF).is_pickled


def test_a_revision_that_was_asked_for_is_taken_as_it_is(hub, repo, server, tmp_path):
    write_repo(repo)
    commit = server.add_revision(REF, "refs/pr/3", write_repo(tmp_path / "other", kinds=("bin",)))
    plan = hub.plan(f"{REF}@refs/pr/3")
    assert (plan.commit, plan.is_pickled) == (commit, True)
    assert hub.plan(f"{REF}@{commit}").commit == commit


# Hostile listings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "../out.json",
        "/etc/x.json",
        "unet/../../x",
        "unet\\x.json",
        "unet/a\0.json",
        "C:/x",
        "unet//x",
        "unet/\u202etxt.x",
    ],
)
def test_a_listing_with_a_name_that_leads_out_is_refused(hub, repo, server, name):
    write_repo(repo)
    server.repo(REF).listing[name] = {"size": 1, "blobId": "0" * 40}
    with pytest.raises(CheckpointError, match="refused"):
        hub.plan(REF)


@pytest.mark.parametrize(
    "name", ["unet/con.json", "unet/x:y.json", f"unet/{'x' * 300}.json", "unet/x\u200b.json", "unet/CONFIG.json"]
)
def test_a_needed_file_with_a_name_that_not_every_system_can_have_is_refused(hub, repo, server, name):
    write_repo(repo)
    server.repo(REF).listing[name] = {"size": 1, "blobId": "0" * 40}
    with pytest.raises(CheckpointError, match="refused"):
        hub.plan(REF)


@pytest.mark.parametrize(
    "entry",
    [
        {"size": -1},
        {"size": None},
        {"size": 2**60, "lfs": {"sha256": "0" * 64, "size": 2**60, "pointerSize": 1}},
        {"size": 7},
        {"lfs": {"sha256": "../../x", "size": 5000, "pointerSize": 1}},
        {"lfs": None, "blobId": "x"},
    ],
)
def test_a_listing_with_absurd_sizes_or_hashes_is_refused(hub, repo, server, entry):
    write_repo(repo)
    server.repo(REF).listing["unet/diffusion_pytorch_model.safetensors"] = entry
    with pytest.raises(CheckpointError, match="refused"):
        hub.plan(REF)


@given(
    st.lists(st.sampled_from(["/", "..", ".", "\\", "~", "a", "con", ":", "\0", " ", "\u202e", "%2e"]), max_size=8).map(
        "".join
    )
)
def test_no_name_that_passes_leads_out_of_its_folder(name):
    root = Path("root").resolve()
    try:
        check_name(REF, name)
    except CheckpointError:
        return
    assert (root / name).resolve() == root.joinpath(*name.split("/"))
    assert (root / name) != root


@pytest.mark.parametrize("index", ["[]", "{", '"x"', "[" * 100_000])
def test_an_index_that_is_no_index_is_refused(hub, repo, index):
    write_files(write_repo(repo), {"model_index.json": index})
    with pytest.raises(CheckpointError):
        hub.plan(REF)


def test_an_index_with_other_bytes_than_listed_is_refused(hub, repo, server):
    write_repo(repo)
    server.fail("resolve/.*/model_index.json", has_wrong_bytes=True)
    with pytest.raises(CheckpointError, match="not what it lists"):
        hub.plan(REF)


@pytest.mark.parametrize(
    "content", ["<html>", "[]", "{}", '{"id": "x", "siblings": [{}]}', '{"id": "x", "sha": "main", "siblings": []}']
)
def test_a_hub_that_answers_nonsense_is_refused(hub, server, content):
    server.fail("/api/", status=200, content=content.encode())
    with pytest.raises(CheckpointError):
        hub.plan(REF)


@pytest.mark.parametrize(
    "ref",
    ["", "name", "org/name/more", "../name", "org/..", "org/na--me", "org/name@", "org/name@../x", "o/n@a//b", "o/n\n"],
)
def test_what_is_no_name_on_a_hub_is_refused(ref):
    with pytest.raises(CheckpointError, match="no name"):
        read_ref(ref)


# Errors ------------------------------------------------------------------------------------------


def title(hub: Hub, ref: str = REF) -> str:
    with pytest.raises(CheckpointError) as caught:
        hub.plan(ref)
    assert caught.value.detail
    assert caught.value.hint
    return caught.value.title


def test_a_missing_repository_and_a_missing_revision_are_told_apart(hub, repo):
    write_repo(repo)
    assert title(hub, "org/other") == "The checkpoint is not on the hub"
    assert title(hub, f"{REF}@other") == "The revision is not on the hub"


def test_a_gated_repository_says_how_to_get_it(server, repo):
    write_repo(repo)
    server.gated[REF] = "hf_right"
    for token in (None, "hf_wrong"):
        with pytest.raises(CheckpointError, match="conditions") as caught:
            Hub(endpoint=server.url, patience=QUICK, token=lambda token=token: token).plan(REF)
        assert f"{server.url}/{REF}" in caught.value.hint
    assert Hub(endpoint=server.url, patience=QUICK, token=lambda: "hf_right").plan(REF).files


@pytest.mark.parametrize("pattern", ["/api/", "model_index.json"])
@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "asks for a pause"), (503, "cannot be reached"), (500, "cannot be reached"), (418, "cannot deliver")],
)
def test_a_status_of_the_hub_is_told_in_words(hub, repo, server, pattern, status, words):
    write_repo(repo)
    server.fail(pattern, status=status, times=-1)
    assert words in title(hub)


def test_a_token_that_the_hub_does_not_know_is_told(server, repo):
    write_repo(repo)
    server.fail("/api/", status=401, times=-1)
    assert "access token" in title(Hub(endpoint=server.url, patience=QUICK, token=lambda: "hf_old"))


@pytest.mark.parametrize("pattern", ["/api/", "model_index.json"])
def test_a_hub_that_is_busy_for_a_moment_is_asked_again(hub, repo, server, pattern):
    write_repo(repo)
    server.fail(pattern, status=429, retry_after="0")
    server.fail(pattern, status=503)
    assert hub.plan(REF).files


def test_a_hub_that_is_not_there_is_told(server, hub):
    server.stop()
    server.__class__.stop = HubServer.stop
    assert title(hub) == "The hub cannot be reached"


@pytest.mark.parametrize("way", ["switch", "variable"])
def test_offline_means_that_no_connection_is_tried(server, monkeypatch, way):
    if way == "variable":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub = Hub(endpoint=server.url, is_online=lambda: way != "switch")
    with connections_tried() as tried, pytest.raises(HubUnavailable, match="switched off"):
        hub.plan(REF)
    assert not tried


def test_the_library_makes_no_connection_but_for_a_listing_of_ours(hub, repo):
    write_repo(repo)
    hub.plan(REF)
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    assert constants.is_offline_mode()
    with pytest.raises(OfflineModeIsEnabled):
        HfApi(endpoint=hub.endpoint).model_info(REF)


def test_a_mirror_without_protection_is_used_only_when_the_user_set_it(monkeypatch):
    go_online(monkeypatch)
    assert "not safe" in title(Hub(endpoint="http://mirror.invalid"))
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.invalid/")
    assert Hub().home == ("http", "mirror.invalid", 80)
    monkeypatch.setenv("HF_ENDPOINT", "ftp://mirror.invalid")
    with pytest.raises(CheckpointError, match="address is wrong"):
        _ = Hub().home


def test_listing_and_bytes_go_through_the_users_proxy(server, repo, monkeypatch):
    import huggingface_hub

    write_repo(repo)
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.invalid")
    monkeypatch.setenv("http_proxy", server.url)
    huggingface_hub.close_session()  # reads the proxies when it is opened
    assert Hub(patience=QUICK).plan(REF).files
    assert {seen.host for seen in server.requests} == {"mirror.invalid"}
    huggingface_hub.close_session()


def test_an_address_with_a_password_is_refused_and_not_shown(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    with pytest.raises(CheckpointError, match="holds a user name") as caught:
        Hub(endpoint="https://me:secret@hub.example.org").plan("org/name")
    assert "secret" not in f"{caught.value} {caught.value.hint}"
