"""ControlNets and annotators: folders with one part in them, found, checked, described and fetched."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy
import pytest
from hub_repos import QUICK, go_online, write_files, write_repo
from hub_server import HubServer
from safetensors.numpy import save

from desktop_app.core.conditions import ControlMode
from desktop_app.core.errors import CheckpointError, CheckpointMissing
from desktop_app.store.any_checkpoint import sizes_at
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.control_checkpoints import read_annotator, read_control_net
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub

REF = "org/control"
NET = {"_class_name": "ControlNetModel", "cross_attention_dim": 768}
XL = {"_class_name": "ControlNetModel", "cross_attention_dim": 2048, "addition_embed_type": "text_time"}
DEPTH = {"architectures": ["DPTForDepthEstimation"], "model_type": "dpt"}
THINGS = {"architectures": ["UperNetForSemanticSegmentation"], "id2label": {str(each): "x" for each in range(150)}}
WEIGHTS = save({"weight": numpy.zeros((3, 4), dtype=numpy.float32)})


def write(folder: Path, config: dict, *names: str) -> Path:
    stem = "diffusion_pytorch_model" if "_class_name" in config else "model"
    files = {"config.json": json.dumps(config), **dict.fromkeys(names or (f"{stem}.safetensors",), WEIGHTS)}
    if "architectures" in config:
        files["preprocessor_config.json"] = "{}"
    return write_files(folder, files)


@pytest.fixture
def store(paths) -> CheckpointStore:
    return CheckpointStore(paths)


# On the disk -------------------------------------------------------------------------------------


def test_a_control_net_is_described_with_what_it_fits(store, tmp_path):
    info = store.describe(str(write(tmp_path / "net", NET)))
    assert (info.family, info.label, info.text_width, info.kinds) == ("ControlNet", "net", 768, ())
    assert info.fits == ("Stable Diffusion inpainting", "Stable Diffusion")
    assert [(part.name, part.parameters) for part in info.parts] == [("controlnet", 12)]
    assert info.size_bytes == len(WEIGHTS)
    assert store.describe(str(write(tmp_path / "xl", XL))).fits == ("Stable Diffusion XL",)


@pytest.mark.parametrize(("config", "mode"), [(DEPTH, ControlMode.DEPTH), (THINGS, ControlMode.SEGMENTATION)])
def test_an_annotator_is_described_with_what_it_makes(store, tmp_path, config, mode):
    folder = write(tmp_path / "eye", config)
    info = store.describe(str(folder))
    assert (info.family, info.mode, info.kinds, info.fits) == ("Annotator", mode, (), ())
    assert read_annotator(folder).class_name == config["architectures"][0]
    assert sizes_at(folder) == info.parts


def test_one_with_weights_of_16_bits_alone_is_whole(store, tmp_path):
    folder = write(tmp_path / "net", NET, "diffusion_pytorch_model.fp16.safetensors")
    assert store.resolve(str(folder)) == folder


def test_they_are_listed_beside_the_checkpoints_that_paint(store, paths):
    write(paths.checkpoints / "net", NET)
    write(paths.checkpoints / "eye", DEPTH)
    write(paths.checkpoints / "some-vae", {"_class_name": "AutoencoderKL"})
    assert [info.label for info in store.list()][1:] == ["eye", "net"]
    assert len(store.survey()) == 3


def test_a_pipeline_with_a_stray_configuration_stays_a_pipeline(store, tmp_path):
    folder = write_repo(tmp_path / "pipeline")
    write(folder, NET)
    with pytest.raises(CheckpointError, match="damaged"):  # its weights are of chance
        store.resolve(str(folder))


DAMAGES = {
    "cut": (lambda f: (f / "diffusion_pytorch_model.safetensors").write_bytes(WEIGHTS[:-3]), "damaged"),
    "no weights": (lambda f: (f / "diffusion_pytorch_model.safetensors").unlink(), "damaged"),
    "pickle": (
        lambda f: (f / "diffusion_pytorch_model.safetensors").rename(f / "diffusion_pytorch_model.bin"),
        "unsafe",
    ),
    "no width": (lambda f: write(f, {**NET, "cross_attention_dim": [1, 2]}), "damaged"),
    "union": (lambda f: write(f, {"_class_name": "ControlNetUnionModel"}), "not supported"),
    "other family": (lambda f: write(f, {"_class_name": "FluxControlNetModel"}), "not supported"),
    "adapter": (lambda f: write(f, {"_class_name": "T2IAdapter"}), "not supported"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_what_cannot_be_used_is_refused_with_its_reason(store, tmp_path, name):
    folder = write(tmp_path / "net", NET)
    damage, words = DAMAGES[name]
    damage(folder)
    for look in (store.resolve, store.describe):
        with pytest.raises(CheckpointError, match=words) as caught:
            look(str(folder))
        assert caught.value.hint


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({**THINGS, "id2label": {"0": "cat"}}, "1 kinds"),
        ({**THINGS, "id2label": None}, "no kinds"),
        ({**DEPTH, "use_timm_backbone": True}, "weights from elsewhere"),
        ({**DEPTH, "use_pretrained_backbone": True}, "weights from elsewhere"),
    ],
)
def test_an_annotator_that_could_not_do_its_work_is_refused(store, tmp_path, config, words):
    with pytest.raises(CheckpointError, match=words):
        store.resolve(str(write(tmp_path / "eye", config)))


def test_an_annotator_without_its_processor_is_damaged(store, tmp_path):
    folder = write(tmp_path / "eye", DEPTH)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match=r"preprocessor_config.json"):
        store.resolve(str(folder))


def test_each_is_refused_in_the_place_of_the_other(tmp_path):
    net, eye = write(tmp_path / "net", NET), write(tmp_path / "eye", DEPTH)
    with pytest.raises(CheckpointError, match="no annotator"):
        read_annotator(net)
    with pytest.raises(CheckpointError, match="no ControlNet"):
        read_control_net(eye)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"architectures": "x"}', '{"_class_name": 3}'])
def test_a_configuration_that_is_none_is_no_control_net(store, tmp_path, text):
    folder = write(tmp_path / "net", NET)
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="no checkpoint"):
        store.resolve(str(folder))


# From the hub ------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, monkeypatch):
    go_online(monkeypatch)
    with HubServer(tmp_path / "hub") as running:
        yield running


@pytest.fixture
def hub(server) -> Hub:
    return Hub(endpoint=server.url, patience=QUICK)


def planned(hub: Hub, **options) -> set[str]:
    return {file.path for file in hub.plan(REF, **options).files}


def write_all_flavours(folder: Path) -> Path:
    stem = "diffusion_pytorch_model"
    names = [f"{stem}{flavour}.{kind}" for flavour in ("", ".fp16") for kind in ("safetensors", "bin")]
    more = {"README.md": "---\nlicense: openrail\n---\n", "images/a.png": "x", "control_net_canny.py": "print()"}
    return write_files(write(folder, NET, *names), more)


def test_of_a_control_net_its_configuration_and_one_flavour_of_its_weights_are_fetched(hub, server):
    write_all_flavours(server.root / REF)
    assert planned(hub) == {"config.json", "README.md", "diffusion_pytorch_model.fp16.safetensors"}
    assert planned(hub, variant="") == {"config.json", "README.md", "diffusion_pytorch_model.safetensors"}
    assert not hub.plan(REF).is_pickled


def test_of_an_annotator_its_processor_comes_too(hub, server):
    write(server.root / REF, DEPTH, "model.safetensors", "pytorch_model.bin")
    assert planned(hub) == {"config.json", "preprocessor_config.json", "model.safetensors"}


def test_a_fetched_one_is_found_described_and_listed_by_its_name(hub, server, paths, store):
    folder = write_all_flavours(server.root / REF)
    with pytest.raises(CheckpointMissing):
        store.describe(REF)
    downloads = CheckpointDownloads(paths, hub, patience=QUICK)
    snapshot = downloads.fetch(downloads.plan(REF), lambda _: None, threading.Event())
    assert store.resolve(REF) == snapshot
    assert (store.describe(REF).label, store.describe(REF).family) == ("control", "ControlNet")
    assert REF in store.survey()
    assert (snapshot / "config.json").read_bytes() == (folder / "config.json").read_bytes()


def test_one_that_is_pickled_is_fetched_from_an_offered_change_or_refused(hub, server, tmp_path):
    write(server.root / REF, NET, "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled") as caught:
        hub.plan(REF)
    assert caught.value.hint
    commit = server.add_revision(REF, "refs/pr/4", write(tmp_path / "other", NET))
    plan = hub.plan(REF)
    assert (plan.commit, plan.is_pickled) == (commit, False)


def test_an_offered_change_with_another_configuration_is_not_taken(hub, server, tmp_path):
    write(server.root / REF, NET, "diffusion_pytorch_model.bin")
    server.add_revision(REF, "refs/pr/4", write(tmp_path / "other", {**NET, "cross_attention_dim": 1024}))
    with pytest.raises(CheckpointError, match="pickled"):
        hub.plan(REF)


def test_one_without_weights_that_can_be_used_is_told(hub, server):
    write(server.root / REF, NET, "diffusion_pytorch_model.non_ema.safetensors")
    with pytest.raises(CheckpointError, match="lacks weights"):
        hub.plan(REF)


def test_a_single_file_beside_another_configuration_is_still_found(hub, server):
    write(server.root / REF, {"_class_name": "AutoencoderKL"}, "diffusion_pytorch_model.bin", "painter.safetensors")
    assert planned(hub) == {"painter.safetensors"}


def test_a_control_net_in_the_cache_of_other_programs_counts_only_with_safe_weights(
    server, paths, store, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    for name, file in (("safe", "diffusion_pytorch_model.safetensors"), ("pickled", "diffusion_pytorch_model.bin")):
        repo = tmp_path / "cache" / f"models--org--{name}"
        write(repo / "snapshots" / ("a" * 40), NET, file)
        write_files(repo, {"refs/main": "a" * 40})
    assert store.describe("org/safe").family == "ControlNet"
    assert {ref for ref in store.survey() if ref.startswith("org/")} == {"org/safe"}
