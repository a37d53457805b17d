"""Adapters on disk: told by their headers, imported as checked copies, found again by their contents."""

from __future__ import annotations

import json
import os
import shutil
import threading

import pytest
from hostile import payload, write_header, write_pickle
from tiny_adapters import training_metadata, write_ip_adapter, write_lora, write_textual_inversion

from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import Cancelled, CheckpointError, StoreError
from desktop_app.store import adapters
from desktop_app.store.adapter_header import read_adapter
from desktop_app.store.adapters import AdapterStore

LORA = AdapterKind.LORA


@pytest.fixture
def store(paths):
    return AdapterStore(paths)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    import torch
    from tiny import write_stable_diffusion

    from desktop_app.core.kinds import StageKind
    from desktop_app.engine.pipelines import load_pipelines, quieten_libraries

    quieten_libraries()
    folder = write_stable_diffusion(tmp_path_factory.mktemp("adapters") / "tiny")
    return load_pipelines(folder, torch.float32, "cpu")[StageKind.TEXT_TO_IMAGE]


@pytest.fixture
def lora(pipeline, tmp_path):
    return write_lora(pipeline, tmp_path / "outside" / "dog.safetensors", form="kohya", **training_metadata())


def write_shapes(path, metadata=None, **shapes):
    """A safetensors file of zeros, with tensors of these shapes."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes.items():
        count = 2
        for side in shape:
            count *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + count]}
        end += count
    path.parent.mkdir(parents=True, exist_ok=True)
    write_header(path, json.dumps(header).encode(), body=bytes(end))
    return path


def described(tmp_path, metadata=None, **shapes):
    return read_adapter(write_shapes(tmp_path / "made.safetensors", metadata, **shapes), "made")


def halves(name, width, rank=4):
    return {f"{name}.lora_A.weight": [rank, width], f"{name}.lora_B.weight": [width, rank]}


# What the header tells ---------------------------------------------------------------------------

SD_BLOCK = "unet.down_blocks.0.attentions.0.transformer_blocks.0"
XL_BLOCK = "unet.down_blocks.1.attentions.0.transformer_blocks.0"
KOHYA = {"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight": [8, 768]}
LINES = [
    (halves(f"{SD_BLOCK}.attn2.to_k", 768), ("Stable Diffusion",), 768),
    (halves(f"{SD_BLOCK}.attn2.to_k", 1024), ("Stable Diffusion",), 1024),
    (halves(f"{XL_BLOCK}.attn2.to_k", 2048), ("Stable Diffusion XL", "Kolors"), 2048),
    (
        halves(f"{XL_BLOCK}.attn2.to_k", 2048) | {"lora_te1_text_model_x.lora_down.weight": [4, 768]},
        ("Stable Diffusion XL",),
        2048,
    ),
    (halves(f"{XL_BLOCK}.attn2.to_k", 1280), ("Stable Diffusion XL refiner",), 1280),
    (halves(f"{SD_BLOCK}.attn1.to_q", 320), ("Stable Diffusion",), 0),
    (halves("unet.mid_block.attentions.0.transformer_blocks.7.attn1.to_q", 1280), ("Stable Diffusion XL", "Kolors"), 0),
    (halves("unet.mid_block.attentions.0.proj_in", 1280), ("Stable Diffusion", "Stable Diffusion XL"), 0),
    (KOHYA, ("Stable Diffusion",), 768),
    (halves("transformer.single_transformer_blocks.3.attn.to_q", 3072), ("Flux",), 0),
    ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": [16, 3072]}, ("Flux", "Flux 2 Klein"), 0),
    ({"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": [16, 6144]}, ("Flux 2",), 0),
    (halves("transformer.single_transformer_blocks.3.attn.to_qkv_mlp_proj", 6144), ("Flux 2",), 0),
    (halves("transformer.transformer_blocks.20.attn.to_q", 3072), ("Qwen-Image",), 0),
    (halves("transformer.transformer_blocks.20.attn.add_q_proj", 1536), ("Stable Diffusion 3",), 0),
    (halves("transformer.transformer_blocks.3.img_mlp.net.2", 3072), ("Qwen-Image",), 0),
    (halves("transformer.layers.3.attention.to_q", 3840), ("Z-Image",), 0),
    (halves("text_encoder.text_model.encoder.layers.0.self_attn.q_proj", 768), ("Stable Diffusion",), 768),
]


@pytest.mark.parametrize(("shapes", "families", "width"), LINES)
def test_the_layers_tell_the_families(tmp_path, shapes, families, width):
    info = described(tmp_path, **shapes)
    assert (info.kind, info.families, info.width) == (LORA, families, width)


def test_a_file_that_says_what_it_is_for_is_believed_among_what_is_possible(tmp_path):
    shapes = halves(f"{XL_BLOCK}.attn2.to_k", 2048)
    told = {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}
    assert described(tmp_path, told, **shapes).families == ("Stable Diffusion XL",)
    assert described(tmp_path, {"modelspec.architecture": "flux-1-dev/lora"}, **shapes).families[1:] == ("Kolors",)


def test_of_unknown_layers_it_is_said_that_nobody_knows(tmp_path):
    info = described(tmp_path, **halves("model.blocks.0.cross_attn.q", 1536))
    assert info.families == ()
    assert "not known" in info.reason


def test_rank_layers_and_words_are_read(pipeline, lora):
    info = read_adapter(lora, "dog")
    assert (info.rank, info.layers, info.title, info.trigger_words) == (4, 44, "My dog", ("sks dog",))


def test_words_that_the_maker_names_come_first(tmp_path):
    told = {"modelspec.trigger_phrase": "ohwx, by\x07 \u202eMe", "ss_tag_frequency": '{"a": {"b": 3}}'}
    assert described(tmp_path, told, **KOHYA).trigger_words == ("ohwx", "by Me")


@pytest.mark.parametrize("told", ["[" * 100_000, "{}", '{"a": [1]}', '{"a": {"b": "c"}}', '{"a": {"b": true}}', "no"])
def test_notes_of_training_that_make_no_sense_are_left_out(tmp_path, told):
    assert described(tmp_path, {"ss_tag_frequency": told}, **KOHYA).trigger_words == ()


def test_of_a_dora_it_is_said_what_is_not_read(tmp_path):
    shapes = KOHYA | {"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.dora_scale": [320, 1]}
    assert "DoRA" in described(tmp_path, **shapes).note


@pytest.mark.parametrize(
    ("shapes", "token", "vectors", "width", "encoders"),
    [
        ({"<sks>": [768]}, "<sks>", 1, 768, ()),
        ({"emb_params": [4, 1024]}, "made", 4, 1024, ()),
        ({"clip_l": [2, 768], "clip_g": [2, 1280]}, "made", 2, 0, ("text_encoder", "text_encoder_2")),
    ],
)
def test_a_textual_inversion_is_known(tmp_path, shapes, token, vectors, width, encoders):
    info = described(tmp_path, **shapes)
    assert info.kind is AdapterKind.TEXTUAL_INVERSION
    assert (info.token, info.vectors, info.width, info.encoders) == (token, vectors, width, encoders)


def ip_shapes(width, image, **parts):
    return {f"image_proj.{name}": shape for name, shape in parts.items()} | {
        "ip_adapter.1.to_k_ip.weight": [320, width],
        "ip_adapter.1.to_v_ip.weight": [320, width],
    }


WHOLE = {"proj.weight": [4 * 768, 1024], "proj.bias": [4 * 768], "norm.weight": [768], "norm.bias": [768]}
PLUS = {"latents": [1, 16, 768], "proj_in.weight": [768, 1280], "proj_out.weight": [768, 768]}
FULL = {"proj.0.weight": [1280, 1280], "proj.2.weight": [768, 1280], "proj.3.weight": [768]}


@pytest.mark.parametrize(
    ("parts", "image_width", "is_pooled"), [(WHOLE, 1024, True), (PLUS, 1280, False), (FULL, 1280, False)]
)
def test_an_ip_adapter_is_known(tmp_path, parts, image_width, is_pooled):
    info = described(tmp_path, **ip_shapes(768, image_width, **parts))
    assert (info.kind, info.families) == (AdapterKind.IP_ADAPTER, ("Stable Diffusion",))
    assert (info.width, info.image_width, info.is_pooled) == (768, image_width, is_pooled)


FACE = {"proj.0.weight": [1024, 512], "proj.2.weight": [3072, 1024], "norm.weight": [768]}
REFUSED = [
    (ip_shapes(768, 1024, **FACE), "FaceID"),
    (ip_shapes(768, 1024, **{"perceiver_resampler.proj_in.weight": [768, 1280]}), "FaceID"),
    (ip_shapes(4096, 1024, **{"strange.weight": [4, 4]}), "another family"),
    ({"lora_unet_x.hada_w1_a": [4, 4], "lora_unet_x.alpha": []}, "LoHa"),
    ({"lora_unet_x.lokr_w1": [4, 4]}, "LoKr"),
    ({"model.diffusion_model.input_blocks.0.0.weight": [4, 4, 3, 3], "other": [1]}, "not an adapter"),
    ({"control_model.input_blocks.0.0.weight": [4, 4], "other": [1], "third": [1]}, "ControlNet"),
    ({"a": [1], "b": [1], "c": [1]}, "names that are not known"),
    ({}, "it is empty"),
    ({"clip_l": [2, 768], "clip_g": [3, 1280]}, "different numbers of vectors"),
]


@pytest.mark.parametrize(("shapes", "reason"), REFUSED)
def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path, shapes, reason):
    with pytest.raises(CheckpointError) as caught:
        described(tmp_path, **shapes)
    assert reason in f"{caught.value}"
    assert caught.value.hint


# Files of those who mean harm ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.ckpt", "a.safetensors"])
def test_a_pickle_is_refused_and_never_opened(store, tmp_path, name):
    path = write_pickle(tmp_path / name, payload(tmp_path / "canary"))
    with pytest.raises(CheckpointError, match="unsafe format") as caught:
        store.bring_in(path)
    assert ".safetensors" in caught.value.hint
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08",
        (2**60).to_bytes(8, "little") + b"{}",
        (200_010).to_bytes(8, "little") + b'{"a":' + b"[" * 100_002 + b"]" * 100_002 + b"}",
        (2).to_bytes(8, "little") + b"[]",
        (60).to_bytes(8, "little") + b'{"lora_A": {"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'[:60],
        (30).to_bytes(8, "little") + b'{"__metadata__": [1], "a": {}}',
        b"<html>404</html>",
    ],
)
def test_a_damaged_header_is_told(store, tmp_path, data):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="damaged"):
        store.bring_in(path)
    assert store.survey() == {}


def test_a_pipe_is_no_adapter(store, tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError):
        store.bring_in(tmp_path / "pipe.safetensors")


def test_a_link_out_of_the_folder_is_not_followed(store, paths, lora):
    (paths.adapters / "link.safetensors").symlink_to(lora)
    assert isinstance(store.survey()["link.safetensors"], CheckpointError)


@pytest.mark.parametrize("ref", ["", "\0", "../outside.safetensors", "a" * 5000, "no.safetensors", "."])
def test_a_ref_that_names_nothing_is_told(store, ref):
    with pytest.raises(CheckpointError, match="cannot be found"):
        store.describe(ref)


# Coming and going ---------------------------------------------------------------------------------


def test_an_import_is_a_copy_that_is_listed(store, paths, lora):
    ref = store.bring_in(lora)
    lora.unlink()
    assert ref == "dog.safetensors"
    assert [(info.ref, info.label, info.kind) for info in store.list()] == [(ref, "dog", LORA)]
    assert store.resolve(ref) == paths.adapters / ref


def test_the_same_file_is_imported_once_and_another_beside_it(store, pipeline, lora, tmp_path):
    other = write_lora(pipeline, tmp_path / "other" / "dog.safetensors", seed=3)
    assert store.bring_in(lora) == store.bring_in(lora) == "dog.safetensors"
    assert store.bring_in(other) == "dog-2.safetensors"


def test_a_file_is_used_in_place_and_forgotten(store, lora):
    ref = store.bring_in(lora, in_place=True)
    assert [info.ref for info in store.list()] == [ref] == [str(lora)]
    assert store.remove(ref) == 0
    assert lora.exists()
    assert store.list() == []


def test_an_own_file_is_removed(store, lora):
    ref = store.bring_in(lora)
    assert store.remove(ref) == lora.stat().st_size
    assert store.list() == []


@pytest.mark.parametrize("ref", ["/etc/passwd", "../checkpoints/x.safetensors"])
def test_nothing_outside_is_removed(store, ref):
    with pytest.raises(StoreError, match="does not belong"):
        store.remove(ref)


def test_an_ending_in_capitals_is_made_small_by_the_import(store, lora):
    shutil.move(lora, lora.with_suffix(".SAFETENSORS"))
    assert store.bring_in(lora.with_suffix(".SAFETENSORS")) == "dog.safetensors"
    with pytest.raises(CheckpointError, match="does not end in"):
        store.bring_in(lora.with_suffix(".SAFETENSORS"), in_place=True)


def test_a_cancelled_import_leaves_nothing(store, paths, lora):
    flag = threading.Event()
    flag.set()
    with pytest.raises(Cancelled):
        store.bring_in(lora, None, flag)
    assert list(paths.adapters.iterdir()) == []


def test_a_full_disk_is_told_before_anything_is_copied(store, paths, lora, monkeypatch):
    usage = shutil.disk_usage(paths.adapters)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=1_000_000))
    with pytest.raises(CheckpointError, match="too full for this adapter"):
        store.bring_in(lora)
    assert list(paths.adapters.iterdir()) == []


def test_folders_within_are_looked_into_but_those_of_image_encoders(store, paths, pipeline):
    write_lora(pipeline, paths.adapters / "styles" / "ink.safetensors")
    write_ip_adapter(pipeline.unet, paths.adapters / "look.safetensors")
    assert [info.ref for info in store.list()] == ["look.safetensors", "styles/ink.safetensors"]


# Image encoders ----------------------------------------------------------------------------------


def test_with_an_ip_adapter_its_image_encoder_comes_along(store, pipeline, tmp_path):
    source = write_ip_adapter(pipeline.unet, tmp_path / "published" / "look.safetensors")
    info = store.describe(store.bring_in(source))
    shutil.rmtree(source.parent)
    assert info.image_encoder == store.folder / "image_encoder" / "look"
    assert store.describe(info.ref).image_encoder == info.image_encoder


def test_an_image_encoder_that_tells_too_little_is_not_taken(store, pipeline, tmp_path):
    source = write_ip_adapter(pipeline.unet, tmp_path / "published" / "look.safetensors", encoder=False)
    write_ip_adapter(pipeline.unet, source.with_name("other.safetensors"), image_width=16)
    info = store.describe(store.bring_in(source))
    assert info.image_encoder is None
    assert "image_encoder" in info.note


@pytest.mark.parametrize("place", ["image_encoder", "image_encoder/any"])
def test_an_image_encoder_in_the_folder_of_adapters_is_found(store, paths, pipeline, tmp_path, place):
    source = write_ip_adapter(pipeline.unet, tmp_path / "published" / "look.safetensors")
    (paths.adapters / place).parent.mkdir(exist_ok=True)
    shutil.move(source.parent / "image_encoder", paths.adapters / place)
    assert store.describe(store.bring_in(source, in_place=True)).image_encoder == paths.adapters / place


# By their contents -------------------------------------------------------------------------------


def adapter(store, ref, **more):
    return Adapter(LORA, ref, sha256=store.hash_of(ref), **more)


def test_a_hash_is_kept_until_the_file_changes(store, pipeline, lora):
    first = store.hash_of(str(lora))
    again = AdapterStore(paths_of(store))
    assert again.describe(str(lora)).sha256 == first
    write_lora(pipeline, lora, seed=8)
    os.utime(lora, (1, 1))
    assert again.describe(str(lora)).sha256 == ""
    assert again.hash_of(str(lora)) != first


def paths_of(store):
    from desktop_app.store.paths import user_paths

    return user_paths(store.folder.parent)


def test_a_file_with_other_contents_is_refused(store, pipeline, lora):
    chosen = adapter(store, store.bring_in(lora))
    write_lora(pipeline, store.resolve(chosen.ref), seed=5)
    os.utime(store.resolve(chosen.ref), (1, 1))
    with pytest.raises(CheckpointError, match="has changed"):
        store.find(chosen)


def test_what_moved_is_found_by_its_contents_and_that_is_said(store, lora):
    chosen = adapter(store, store.bring_in(lora))
    store.resolve(chosen.ref).rename(store.folder / "renamed.safetensors")
    found = store.find(chosen)
    assert found.path == store.folder / "renamed.safetensors"
    assert "is gone" in found.note


def test_where_the_name_is_another_ones_now_the_same_contents_are_taken(store, pipeline, lora):
    chosen = adapter(store, store.bring_in(lora))
    store.resolve(chosen.ref).rename(store.folder / "renamed.safetensors")
    write_lora(pipeline, store.folder / chosen.ref, seed=5)
    assert store.find(chosen).path.name == "renamed.safetensors"


def test_without_a_hash_the_file_is_taken_as_it_is_and_told_how_to_find_it_again(store, lora, monkeypatch):
    ref = store.bring_in(lora)
    assert store.find(Adapter(LORA, ref)).note == ""
    assert (store.find(Adapter(LORA, ref)).info.ref, store.find(Adapter(LORA, ref)).info.sha256) == (
        ref,
        store.hash_of(ref),
    )
    monkeypatch.chdir(lora.parent)
    assert store.find(Adapter(LORA, lora.name)).info.ref == ref  # the folder of adapters comes first
    lora.rename(lora.with_name("other.safetensors"))
    assert store.find(Adapter(LORA, "other.safetensors")).info.ref == str(lora.with_name("other.safetensors"))


def test_a_header_is_read_once_as_long_as_the_file_stays(store, lora, pipeline, monkeypatch):
    read = []
    monkeypatch.setattr(adapters, "read_adapter", lambda path, ref: read.append(path) or read_adapter(path, ref))
    ref = store.bring_in(lora, in_place=True)
    read.clear()
    assert store.describe(ref) == store.survey()[ref]
    assert read == [lora]
    write_lora(pipeline, lora, rank=2)
    assert store.describe(ref).rank == 2


def test_a_checkpoint_is_not_taken_for_an_adapter(store, tmp_path, lora):
    checkpoint = write_shapes(tmp_path / "c.safetensors", **{"model.diffusion_model.input_blocks.0.0.weight": [4, 4]})
    assert not store.is_adapter(checkpoint)
    assert store.is_adapter(lora)
    assert store.is_adapter(write_textual_inversion(tmp_path / "t.safetensors"))
    assert store.is_adapter(write_shapes(tmp_path / "h.safetensors", **{"lora_unet_x.hada_w1_a": [4, 4]}))
