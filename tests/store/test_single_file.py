"""What the header of a single-file checkpoint tells, what is refused, and the import of one."""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import shutil
import threading

import pytest
from single_file import rewrite, write_header, write_tiny_file
from support import PROJECT

from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.store.file_copy import safe_stem
from desktop_app.store.file_import import import_file, record_path, remove_file, verify_file
from desktop_app.store.single_file import layouts_dir, read_layout

NEVER = threading.Event()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Stable Diffusion 1."""
    return write_tiny_file(tmp_path_factory.mktemp("sd1"), "sd1")


@pytest.fixture(scope="module")
def tiny_two(tmp_path_factory):
    """Stable Diffusion 2, with configurations for 512 and for 768 pixels."""
    made = write_tiny_file(tmp_path_factory.mktemp("sd2"), "sd2")
    shutil.copytree(made.layouts / "sd2", made.layouts / "sd2-v")
    return made


@pytest.fixture(scope="module")
def tiny_xl(tmp_path_factory):
    """Stable Diffusion XL."""
    return write_tiny_file(tmp_path_factory.mktemp("sdxl"), "sdxl")


def silent(progress) -> None:
    """Nobody looks at the progress."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# What it is --------------------------------------------------------------------------------------


def test_a_layout_tells_family_format_and_sizes(tiny):
    layout = read_layout(tiny.file, tiny.layouts)
    assert (layout.name, layout.family, layout.pipeline) == ("sd1", "Stable Diffusion", "StableDiffusionPipeline")
    assert (layout.number_format, layout.is_inpainting, layout.is_velocity) == ("fp32", False, False)
    assert [size.name for size in layout.parts] == ["unet", "vae", "text_encoder"]
    assert sum(size.bytes for size in layout.parts) == 4 * sum(size.parameters for size in layout.parts)
    assert tiny.file.stat().st_size * 0.9 < sum(size.bytes for size in layout.parts) < tiny.file.stat().st_size


@pytest.mark.parametrize(
    ("stem", "metadata", "name", "is_assumed"),
    [
        ("512-base-ema", {}, "sd2", False),
        ("v2-1_768-ema-pruned", {}, "sd2-v", False),
        ("768-v-ema", {}, "sd2-v", False),
        ("illumi", {}, "sd2-v", True),
        ("illumi-512", {"modelspec.prediction_type": "v"}, "sd2-v", False),
        ("illumi", {"modelspec.prediction_type": "epsilon"}, "sd2", False),
        ("illumi", {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "sd2-v", False),
        ("illumi", {"modelspec.architecture": "stable-diffusion-v2-512"}, "sd2", False),
        ("illumi", {"modelspec.resolution": "768x768"}, "sd2-v", False),
        ("illumi", {"modelspec.resolution": "512x512"}, "sd2", False),
    ],
)
def test_whether_a_stable_diffusion_2_is_for_768_pixels_is_read_or_said_to_be_assumed(
    tiny_two, tmp_path, stem, metadata, name, is_assumed
):
    layout = read_layout(rewrite(tiny_two.file, tmp_path / f"{stem}.safetensors", **metadata), tiny_two.layouts)
    assert (layout.name, layout.is_velocity, layout.is_assumed) == (name, name == "sd2-v", is_assumed)
    assert bool(layout.note) == is_assumed


def test_the_name_of_a_checkpoint_for_velocity_is_believed(tiny_xl, tmp_path):
    shutil.copy(tiny_xl.file, tmp_path / "noobXL_vPred10.safetensors")
    layout = read_layout(tmp_path / "noobXL_vPred10.safetensors", tiny_xl.layouts)
    assert (layout.name, layout.is_velocity, layout.is_zero_snr) == ("sdxl", True, False)


def test_the_suffix_and_the_case_of_the_name_say_nothing(tiny, tmp_path):
    shutil.copy(tiny.file, tmp_path / "PICTURE.JPG")
    assert read_layout(tmp_path / "PICTURE.JPG", tiny.layouts).name == "sd1"


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("^first_stage_model", "no VAE"),
        ("^cond_stage_model", "no text encoder"),
        ("^(cond_stage|first_stage)", "no VAE and no text encoder"),
        ("first_stage_model.encoder.conv_in", "is missing"),
        ("^model.diffusion_model", "text encoder alone|VAE alone"),
    ],
)
def test_a_file_without_one_of_its_parts_is_refused(tiny, tmp_path, lost, said):
    file = rewrite(tiny.file, tmp_path / "pruned.safetensors", drop=lost)
    with pytest.raises(CheckpointError, match="not a whole checkpoint") as caught:
        read_layout(file, tiny.layouts)
    assert any(text in caught.value.detail for text in said.split("|"))
    assert caught.value.hint


def test_an_xl_without_its_second_text_encoder_is_not_taken_for_another(tiny_xl, tmp_path):
    file = rewrite(tiny_xl.file, tmp_path / "half.safetensors", drop="embedders.1.")
    with pytest.raises(CheckpointError, match="no second text encoder"):
        read_layout(file, tiny_xl.layouts)


@pytest.mark.parametrize(
    ("channels", "said"), [(5, "a depth map"), (7, "enlarging"), (8, "instructions"), (6, "another task")]
)
def test_a_checkpoint_for_another_task_is_refused(tiny, tmp_path, channels, said):
    import torch

    first = {"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(32, channels, 3, 3)}
    with pytest.raises(CheckpointError, match=said):
        read_layout(rewrite(tiny.file, tmp_path / "other.safetensors", add=first), tiny.layouts)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("edm_mean", "Playground"),
        ("edm_vpred.sigma_max", "Playground"),
        ("model.diffusion_model.input_blocks.1.0.in_layers.2.scale_weight", "compressed"),
    ],
)
def test_an_xl_that_works_in_another_way_is_refused(tiny_xl, tmp_path, mark, said):
    import torch

    file = rewrite(tiny_xl.file, tmp_path / "other.safetensors", add={mark: torch.ones(4)})
    with pytest.raises(CheckpointError, match=said):
        read_layout(file, tiny_xl.layouts)


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", "LoRA"),
        ("unet.down_blocks.0.attentions.0.proj_in.lora_A.weight", "LoRA"),
        ("lora_unet_input_blocks_4_1.hada_w1_a", "LoRA"),
        ("control_model.input_hint_block.0.weight", "ControlNet"),
        ("controlnet_cond_embedding.conv_in.weight", "ControlNet"),
        ("image_proj.proj.weight", "IP-Adapter"),
        ("adapter.body.0.in_conv.weight", "T2I-Adapter"),
        ("down_blocks.0.motion_modules.0.temporal_transformer.norm.bias", "AnimateDiff"),
        ("model.0.weight", "enlarger"),
        ("emb_params", "embedding"),
        ("clip_g", "embedding"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "Flux"),
        ("model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", "Flux"),
        ("distilled_guidance_layer.in_proj.bias", "Chroma"),
        ("model.diffusion_model.joint_blocks.0.context_block.adaLN_modulation.1.bias", "Stable Diffusion 3"),
        ("transformer_blocks.0.img_mlp.net.0.proj.weight", "Qwen-Image"),
        ("model.diffusion_model.context_refiner.0.attention.qkv.weight", "Z-Image"),
        ("blocks.0.cross_attn.k.weight", "Wan"),
        ("model.diffusion_model.patchify_proj.weight", "LTX"),
        ("encoder.down.0.block.0.norm1.weight", "a VAE alone"),
        ("decoder.up_blocks.0.resnets.0.norm1.weight", "a VAE alone"),
        ("down_blocks.0.resnets.0.norm1.weight", "the denoiser alone"),
        ("input_blocks.0.0.weight", "the denoiser alone"),
        ("text_model.embeddings.token_embedding.weight", "a text encoder alone"),
        ("something.else", "not known"),
    ],
)
def test_a_file_that_is_something_else_is_refused_by_its_name(tiny, tmp_path, tensor, what):
    file = write_header(tmp_path / "other.safetensors", {tensor: [4, 4]})
    with pytest.raises(CheckpointError) as caught:
        read_layout(file, tiny.layouts)
    assert what in caught.value.detail
    assert caught.value.title
    assert caught.value.hint
    assert ("--adapter" in caught.value.hint) == (what in ("LoRA", "IP-Adapter", "embedding"))


# Damage ------------------------------------------------------------------------------------------

ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def pack(header, body: bytes = bytes(8)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


DAMAGED = {
    "empty": b"",
    "four bytes": b"\x01\x02\x03\x04",
    "zeros": bytes(4096),
    "too long a header": (1 << 40).to_bytes(8, "little") + b"{" * 100,
    "header is no JSON": pack(b"{" + b"x" * 40),
    "header is no object": pack(b"[1, 2]"),
    "header is no text": pack(b'{"\xff\xfe": 1}'),
    "nested too deeply": pack(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "cut off": pack({"a": ENTRY}, bytes(5)),
    "more at the end": pack({"a": ENTRY}, bytes(11)),
    "overlap": pack({"a": ENTRY, "b": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)),
    "gap": pack({"a": ENTRY, "b": {**ENTRY, "data_offsets": [12, 20]}}, bytes(20)),
    "unknown number format": pack({"a": {**ENTRY, "dtype": "F33"}}),
    "shape does not fit": pack({"a": {**ENTRY, "shape": [3]}}),
    "endless shape": pack({"a": {**ENTRY, "shape": [int("9" * 4000)] * 1500}}),
    "negative shape": pack({"a": {**ENTRY, "shape": [-2]}}),
    "a tensor twice": pack(b'{"a": %b, "a": %b}' % (json.dumps(ENTRY).encode(), json.dumps(ENTRY).encode())),
    "entry is no object": pack({"a": 5}),
    "no offsets": pack({"a": {"dtype": "F32", "shape": [2]}}),
    "web page": b"\n<!DOCTYPE html><html><body>Not found</body></html>",
    "pointer of git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_refused_with_a_sentence(tiny, tmp_path, kind):
    file = tmp_path / "damaged.safetensors"
    file.write_bytes(DAMAGED[kind])
    with pytest.raises(CheckpointError, match="damaged") as caught:
        read_layout(file, tiny.layouts)
    assert len(caught.value.detail) > len("damaged.safetensors: ")
    assert caught.value.hint


def test_a_checkpoint_cut_off_anywhere_is_refused(tiny, tmp_path):
    data = tiny.file.read_bytes()
    file = tmp_path / "cut.safetensors"
    for length in range(0, len(data), len(data) // 40):
        file.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match="damaged"):
            read_layout(file, tiny.layouts)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x80\x02}q\x00.", b"7z\xbc\xaf'\x1c"])
def test_a_pickle_under_the_name_of_a_safetensors_file_is_called_unsafe(tiny, tmp_path, start):
    file = tmp_path / "model.SAFETENSORS"
    file.write_bytes(start + bytes(200))
    with pytest.raises(CheckpointError, match="unsafe"):
        read_layout(file, tiny.layouts)


def test_what_is_no_file_is_refused_at_once(tiny, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("pipe", "folder", "dangling", "loop", "missing"):
        with pytest.raises(CheckpointError):
            read_layout(tmp_path / name, tiny.layouts)
    with pytest.raises(CheckpointError, match="not a plain file"):
        import_file(tmp_path / "pipe", tmp_path, silent, NEVER, layouts=tiny.layouts)


# Import ------------------------------------------------------------------------------------------


@pytest.fixture
def bring(tiny, paths):
    """Imports a file, by default the tiny one."""

    def run(source=tiny.file, report=silent, cancel=NEVER):
        return import_file(source, paths.checkpoints, report, cancel, layouts=tiny.layouts)

    return run


def test_an_imported_file_is_a_checked_copy_with_a_record(tiny, bring, paths):
    seen = []
    file = bring(report=seen.append)
    assert file == paths.checkpoints / tiny.file.name
    assert file.read_bytes() == tiny.file.read_bytes()
    record = json.loads(record_path(file).read_text())
    assert (record["layout"], record["original_name"]) == ("sd1", tiny.file.name)
    assert (seen[-1].done, seen[-1].total) == (len(tiny.file.read_bytes()),) * 2
    assert verify_file(file, silent, NEVER)
    assert len(names(paths.checkpoints)) == 2


def test_a_changed_byte_is_found(bring):
    file = bring()
    with file.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        opened.write(b"\x7f")
    assert not verify_file(file, silent, NEVER)


def test_the_same_file_under_any_name_is_imported_once(tiny, bring, paths, tmp_path):
    file = bring()
    shutil.copy(tiny.file, tmp_path / "other name.safetensors")
    assert bring(tmp_path / "other name.safetensors") == file
    assert bring(file) == file
    assert len(names(paths.checkpoints)) == 2


def test_another_file_of_the_same_name_gets_a_number(tiny, bring, paths, tmp_path):
    import torch

    first = bring()
    kept = first.read_bytes()
    (tmp_path / "other").mkdir()
    second = bring(rewrite(tiny.file, tmp_path / "other" / tiny.file.name, add={"betas": torch.ones(3)}))
    assert second.name == f"{first.stem}-2.safetensors"
    assert first.read_bytes() == kept
    assert verify_file(second, silent, NEVER)
    assert len(names(paths.checkpoints)) == 4


def test_a_cancelled_import_leaves_nothing(bring, paths):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        bring(report=lambda progress: cancel.set(), cancel=cancel)
    assert names(paths.checkpoints) == []


def test_a_full_disk_is_told_before_anything_is_copied(bring, paths, monkeypatch):
    usage = shutil.disk_usage(paths.checkpoints)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=1_000_000))
    with pytest.raises(CheckpointError, match="too full"):
        bring()
    assert names(paths.checkpoints) == []


def test_a_disk_that_fails_meanwhile_leaves_nothing(bring, paths, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(Exception, match="disk is full"):
        bring()
    assert names(paths.checkpoints) == []


def test_a_file_that_grows_while_it_is_copied_is_refused(tiny, bring, paths, tmp_path):
    growing = tmp_path / "growing.safetensors"
    shutil.copy(tiny.file, growing)

    def grow(progress) -> None:
        with growing.open("ab") as file:
            file.write(b"more") if growing.stat().st_size == progress.total else None

    with pytest.raises(CheckpointError, match="changed"):
        bring(growing, report=grow)
    assert names(paths.checkpoints) == []


def test_what_is_no_checkpoint_is_not_copied(tiny, bring, paths, tmp_path):
    file = write_header(tmp_path / "lora.safetensors", {"lora_unet_x.lora_up.weight": [4, 4]})
    with pytest.raises(CheckpointError, match="LoRA"):
        bring(file)
    assert names(paths.checkpoints) == []


def test_the_record_that_a_killed_import_left_does_not_take_the_name(tiny, bring, paths):
    file = bring()
    file.unlink()
    assert bring() == file
    assert verify_file(file, silent, NEVER)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("a:b?c*", "a_b_c_"),
        ("con", "_con"),
        ("v1.5 . ", "v1.5"),
        ("...", "_"),
        ("x\u202egpj", "x_gpj"),
        ("é" * 200, "é" * 50),
    ],
)
def test_names_are_made_such_that_every_system_takes_them(stem, expected):
    assert safe_stem(stem) == expected


def test_only_what_was_imported_can_be_checked(tiny, tmp_path):
    shutil.copy(tiny.file, tmp_path / "mine.safetensors")
    with pytest.raises(CheckpointError, match="no record"):
        verify_file(tmp_path / "mine.safetensors", silent, NEVER)


def test_removing_takes_the_record_along(tiny, bring, paths):
    file = bring()
    assert remove_file(file) == tiny.file.stat().st_size
    assert names(paths.checkpoints) == []


# What ships --------------------------------------------------------------------------------------


def test_the_configurations_that_ship_are_those_that_the_script_writes():
    script = runpy.run_path(str(PROJECT / "packaging" / "layouts.py"))
    shipped = {path.relative_to(layouts_dir()).as_posix(): path for path in layouts_dir().glob("*/**/*.json")}
    for name, files in script["TABLE"].items():
        for path, config in files.items():
            assert json.loads(shipped.pop(f"{name}/{path}").read_text()) == config
    assert list(shipped) == ["tokenizer/vocab.json"]


def test_the_vocabulary_that_ships_is_byte_for_byte_the_one_of_the_checkpoints():
    script = runpy.run_path(str(PROJECT / "packaging" / "layouts.py"))
    for name, sha1 in script["GIT_SHA1"].items():
        data = (layouts_dir() / "tokenizer" / name).read_bytes()
        assert hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == sha1
