"""Checkpoints in one file: the same weights and the same pictures as from the folder, and nothing from the network."""

from __future__ import annotations

import json
import socket
import sys
from contextlib import suppress
from dataclasses import replace

import pytest
from single_file import NAMES, change_unet, rewrite, to_single_file, write_header, write_single_file, write_tiny_file
from support import make_picture
from tiny import write_stable_diffusion

from desktop_app.core.families import family_named
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.engine.single_file import _load_tokenizer, load_components
from desktop_app.store.single_file import layouts_dir, read_layout

PARAMETERS = {
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd1-inpainting": {"unet": 859_535_364, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sd2-v": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sd2-inpainting": {"unet": 865_925_124, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
    "sdxl-inpainting": {
        "unet": 2_567_478_084,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
    "sdxl-refiner": {"unet": 2_259_526_660, "vae": 83_653_863, "text_encoder_2": 694_659_840},
}
"""Of the real checkpoints."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Makes, once for each layout, a tiny checkpoint as a folder and as a file."""
    import torch

    torch.set_num_threads(1)
    quieten_libraries()
    made = {}

    def make(name):
        if name not in made:
            made[name] = write_tiny_file(tmp_path_factory.mktemp(name), name)
        return made[name]

    return make


def load(tiny_file, file=None, dtype=None):
    import torch

    file = file or tiny_file.file
    return load_components(file, read_layout(file, tiny_file.layouts), dtype or torch.float32)


def pipeline(components, name):
    import diffusers

    made = getattr(diffusers, name)(**components)
    made.set_progress_bar_config(disable=True)
    return made


def paint(made, size=64):
    import torch

    asked = {"num_inference_steps": 2, "generator": torch.Generator("cpu").manual_seed(3), "output_type": "np"}
    image = make_picture((size, size))
    if "Inpaint" in type(made).__name__:
        asked |= {"mask_image": make_picture((size, size), "L", 1), "height": size, "width": size}
    return made("a cat", image=image, strength=0.9, **asked).images


def align(pipeline):
    """Copy the weights: mapped from files they lie at odd addresses, where other kernels add in another order."""
    for part in pipeline.components.values():
        for weight in part.parameters() if hasattr(part, "parameters") else ():
            weight.data = weight.data.clone()


def same_weights(part, folder, number_format=None):
    import torch

    wanted = type(part).from_pretrained(folder, dtype=number_format or torch.float32).state_dict()
    found = part.state_dict()
    return wanted.keys() == found.keys() and all(torch.equal(wanted[name], found[name]) for name in wanted)


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_are_those_of_the_folder(tiny, name):
    made = tiny(name)
    components = load(made)
    for part in read_layout(made.file, made.layouts).tensors:
        assert same_weights(components[part], made.folder / part), part


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_bit_for_bit_what_diffusers_makes_of_the_folder(tiny, name):
    import diffusers
    import torch

    made = tiny(name)
    ways = {
        "Stable Diffusion": "StableDiffusionImg2ImgPipeline",
        "Stable Diffusion XL": "StableDiffusionXLImg2ImgPipeline",
        "Stable Diffusion XL refiner": "StableDiffusionXLImg2ImgPipeline",
    }
    layout = read_layout(made.file, made.layouts)
    way = layout.pipeline if layout.is_inpainting else ways[layout.family]
    components = load(made)
    bare = getattr(diffusers, way).from_pretrained(made.folder, dtype=torch.float32)
    bare.scheduler = type(components["scheduler"]).from_config(components["scheduler"].config)
    bare.set_progress_bar_config(disable=True)
    align(bare)
    assert (paint(pipeline(components, way)) == paint(bare)).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_real_size_is_known_by_the_layouts_that_ship(name, tmp_path):
    weights, configs = real_parts(name)
    counts = {part: sum(weight.numel() for weight in weights[part].values()) for part in weights}
    assert counts == PARAMETERS[name]
    shapes = {key: list(weight.shape) for key, weight in to_single_file(weights, configs, name).items()}
    stem = {"sd2": "512-base-ema", "sd2-v": "v2-1_768-ema-pruned"}.get(name, "model")
    layout = read_layout(write_header(tmp_path / f"{stem}.safetensors", shapes, "F16", 2))
    assert (layout.name, layout.number_format, layout.note) == (name, "fp16", "")
    assert {size.name: size.parameters for size in layout.parts} == PARAMETERS[name]
    assert family_named(layout.family) is not None


def real_parts(name):
    """Weights without content, and configurations, at the real sizes."""
    import diffusers
    import torch
    import transformers

    index = json.loads((layouts_dir() / name / "model_index.json").read_text())
    weights, configs = {}, {}
    for part in PARAMETERS[name]:
        library, class_name = index[part]
        configs[part] = json.loads((layouts_dir() / name / part / "config.json").read_text())
        kind = getattr({"diffusers": diffusers, "transformers": transformers}[library], class_name)
        with torch.device("meta"):
            made = (
                kind.from_config(configs[part])
                if library == "diffusers"
                else kind(kind.config_class.from_dict(configs[part]))
            )
        weights[part] = dict(made.named_parameters())
    return weights, configs


def test_the_tokenizer_that_ships_is_clips(tiny):
    import transformers

    layout = read_layout(tiny("sdxl").file, tiny("sdxl").layouts)
    real = replace(layout, folder=layouts_dir() / "sdxl", tokenizer=layouts_dir() / "tokenizer", tensors={})
    first, second = _load_tokenizer(real, "tokenizer"), _load_tokenizer(real, "tokenizer_2")
    assert isinstance(first, transformers.CLIPTokenizer)
    assert (len(first), first.model_max_length) == (49408, 77)
    assert first("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert (first.pad_token_id, second.pad_token_id) == (49407, 0)


CONNECTIONS = []
"""Where this module's hook writes connections down; a hook stays until the process ends."""


def test_no_connection_is_tried(tiny):
    made = tiny("sdxl")
    events = ("socket.connect", "socket.getaddrinfo")
    sys.addaudithook(lambda event, args: CONNECTIONS.append(event) if event in events else None)
    CONNECTIONS.clear()
    with socket.socket() as probe, suppress(OSError):
        probe.connect(("127.0.0.1", 9))
    assert CONNECTIONS == ["socket.connect"]
    load(made)
    assert len(CONNECTIONS) == 1


@pytest.mark.parametrize("number_format", ["float16", "bfloat16", "float8_e4m3fn"])
def test_other_number_formats_load_into_the_one_asked_for(tiny, tmp_path, number_format):
    import torch
    from safetensors.torch import load_file, save_file

    made = tiny("sd1")
    dtype = getattr(torch, number_format)
    file = tmp_path / "small.safetensors"
    save_file({name: weight.to(dtype) for name, weight in load_file(made.file).items()}, file)
    components = load(made, file)
    assert read_layout(file, made.layouts).number_format == {"float16": "fp16", "bfloat16": "bf16"}.get(
        number_format, "fp8"
    )
    kept = components["unet"].conv_in.weight
    assert kept.dtype == torch.float32
    assert torch.equal(kept, load(made)["unet"].conv_in.weight.to(dtype).float())


def test_what_training_left_beside_the_weights_is_left_out(tiny, tmp_path):
    import torch

    made = tiny("sd1")
    clip = "cond_stage_model.transformer.text_model."
    left = {f"model_ema.diffusion_modelblock{number}": torch.ones(2) for number in range(120)}
    left |= {clip + "embeddings.position_ids": torch.arange(77)[None], "model_ema.num_updates": torch.tensor(5)}
    left |= {"alphas_cumprod": torch.ones(1000), "first_stage_model.loss.logvar": torch.ones(1)}
    file = rewrite(made.file, tmp_path / "pruned.safetensors", add=left)
    assert read_layout(file, made.layouts).parts == read_layout(made.file, made.layouts).parts
    assert same_weights(load(made, file)["text_encoder"], made.folder / "text_encoder")


def test_a_text_encoder_by_its_oldest_names_is_read(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    made = tiny("sd1")
    old = {name.replace("text_model.", ""): weight for name, weight in load_file(made.file).items()}
    save_file(old, tmp_path / "old.safetensors")
    assert same_weights(load(made, tmp_path / "old.safetensors")["text_encoder"], made.folder / "text_encoder")


def test_of_openclip_the_last_layer_is_not_used_by_stable_diffusion_2(tiny, tmp_path):
    from safetensors.torch import load_file

    made = tiny("sd2")
    layers = {name: weight for name, weight in load_file(made.file).items() if ".resblocks.1." in name}
    more = {name.replace(".resblocks.1.", ".resblocks.2."): weight.clone() for name, weight in layers.items()}
    more["cond_stage_model.model.text_projection"] = next(iter(layers.values())).clone()
    file = rewrite(made.file, tmp_path / "512.safetensors", add=more)
    assert same_weights(load(made, file)["text_encoder"], made.folder / "text_encoder")


def test_a_projection_that_is_stored_as_in_transformers_is_not_turned(tiny, tmp_path):
    from safetensors.torch import load_file, save_file

    made = tiny("sdxl")
    weights = load_file(made.file)
    name = "conditioner.embedders.1.model.text_projection"
    weights[f"{name}.weight"] = weights.pop(name).T.contiguous()
    save_file(weights, tmp_path / "turned.safetensors")
    assert same_weights(load(made, tmp_path / "turned.safetensors")["text_encoder_2"], made.folder / "text_encoder_2")


@pytest.mark.parametrize(
    "lost",
    [
        r"input_blocks\.1\.0\.in_layers\.2\.weight",
        r"middle_block\.1\.norm\.bias",
        r"label_emb\.0\.0\.weight",
        r"decoder\.mid\.attn_1\.q\.weight",
        r"embedders\.0\..*layers\.1\.mlp\.fc1\.bias",
        r"embedders\.1\..*resblocks\.0\.attn\.in_proj_weight",
        r"text_projection",
    ],
)
def test_a_missing_weight_is_an_error_and_is_not_made_up(tiny, tmp_path, expect_log, lost):
    made = tiny("sdxl")
    if "embedders" in lost or lost == "text_projection":
        expect_log("LOAD REPORT")
    file = rewrite(made.file, tmp_path / "holes.safetensors", drop=lost)
    with pytest.raises(ValueError, match="lack"):
        load(made, file)


def test_a_weight_of_another_shape_is_an_error(tiny, tmp_path, expect_log):
    import torch

    made = tiny("sd1")
    expect_log("LOAD REPORT")
    name = "cond_stage_model.transformer.text_model.final_layer_norm.weight"
    file = rewrite(made.file, tmp_path / "odd.safetensors", add={name: torch.ones(33)})
    with pytest.raises(ValueError, match="text_encoder"):
        load(made, file)


def test_the_weights_outlive_their_file(tiny, tmp_path):
    made = tiny("sd1")
    file = rewrite(made.file, tmp_path / "passing.safetensors")
    components = load(made, file)
    with file.open("r+b") as opened:
        opened.truncate(100)
    assert same_weights(components["unet"], made.folder / "unet")


@pytest.mark.parametrize(("bias", "expected"), [(-5.0, "v_prediction"), (0.5, "epsilon")])
def test_how_a_stable_diffusion_2_denoises_is_measured_where_nothing_tells(tiny, tmp_path, bias, expected):
    import torch

    made = tiny("sd2-v")
    last = {"model.diffusion_model.out.2.weight": torch.zeros(4, 32, 3, 3)}
    last["model.diffusion_model.out.2.bias"] = torch.full((4,), bias)
    file = rewrite(made.file, tmp_path / "wonder.safetensors", add=last)
    layout = read_layout(file, made.layouts)
    assert layout.is_assumed
    assert "measured" in layout.note
    assert load(made, file)["scheduler"].config.prediction_type == expected


def test_what_predicts_velocity_from_nothing_but_noise_gets_the_schedule_for_it(tiny, tmp_path):
    import torch

    made = tiny("sdxl")
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    config = load(made, rewrite(made.file, tmp_path / "noob.safetensors", add=marks))["scheduler"].config
    assert config["prediction_type"] == "v_prediction"
    assert config["rescale_betas_zero_snr"]
    assert config["timestep_spacing"] == "trailing"


def test_a_denoiser_with_the_names_and_not_the_depth_of_its_family_is_refused(tiny, tmp_path):
    from desktop_app.core.errors import CheckpointError

    made = tiny("sd1")
    folder = write_stable_diffusion(tmp_path / "deep", safety_checker=False)
    change_unet(folder, transformer_layers_per_block=2)
    file = write_single_file(folder, tmp_path / "deep.safetensors", "sd1")
    with pytest.raises(CheckpointError, match="not supported"):
        read_layout(file, made.layouts)
