"""Checkpoints in one .safetensors file, as CompVis and Stability AI write them: what the header of one tells. Nothing
is loaded.

What such a file does not carry, configurations and the tokenizer, ships with the program in ``resources/layouts``.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.errors import CheckpointError
from desktop_app.core.memory import PartSize
from desktop_app.store.checkpoint_files import read_json, unsafe
from desktop_app.store.other_files import what_else
from desktop_app.store.paths import resources_dir
from desktop_app.store.safetensors_header import read_header

NUMBER_FORMATS = {
    "F64": "fp64",
    "F32": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
}
"""Of weights that can be loaded: as the header calls them, and as the user reads it."""

UNET, VAE = "model.diffusion_model.", "first_stage_model."
_CLIP, _OPEN_CLIP = "cond_stage_model.transformer.", "cond_stage_model.model."
_CLIP_XL, _OPEN_CLIP_XL = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
_OPEN_CLIP_REFINER = "conditioner.embedders.0.model."

_IN_CHANNELS = {4: "", 9: "-inpainting"}
_OTHER_CHANNELS = {5: "pictures with a depth map", 7: "enlarging pictures", 8: "instructions"}
"""What the denoiser takes: latents, latents with a mask and a masked picture, and what no layout is for."""

_LAYER = re.compile(r"(?:resblocks|encoder\.layers)\.(\d+)\.")
_IGNORED = re.compile(r"(?:^|\.)(?:position_ids|logit_scale)$")
_USED = {
    "unet": ("time_embed.", "label_emb.", "input_blocks.", "middle_block.", "output_blocks.", "out."),
    "vae": ("encoder.", "decoder.", "quant_conv.", "post_quant_conv."),
}
"""How the names of the weights begin; what training left beside them is not loaded."""

_WHAT_IS_READ = (
    "Read are whole checkpoints of Stable Diffusion 1 and 2, XL and its refiner, as one .safetensors file; others in "
    "diffusers layout."
)


@dataclass(frozen=True)
class Kind:
    """A family of single files: its label in `core.families`, and where in the file the parts are."""

    name: str
    family: str
    prefixes: Mapping[str, str]


_UNET_AND_VAE = {"unet": UNET, "vae": VAE}
_KINDS = (
    Kind(
        "sdxl",
        "Stable Diffusion XL",
        {**_UNET_AND_VAE, "text_encoder": _CLIP_XL, "text_encoder_2": _OPEN_CLIP_XL},
    ),
    Kind("sdxl-refiner", "Stable Diffusion XL refiner", {**_UNET_AND_VAE, "text_encoder_2": _OPEN_CLIP_REFINER}),
    Kind("sd2", "Stable Diffusion", {**_UNET_AND_VAE, "text_encoder": _OPEN_CLIP}),
    Kind("sd1", "Stable Diffusion", {**_UNET_AND_VAE, "text_encoder": _CLIP}),
)
"""The one whose text encoder's prefix is found first is meant."""


_INPAINTING = "-inpainting"
"""How the names of layouts end whose denoiser takes a mask too."""


@dataclass(frozen=True)
class Layout:
    """What a single-file checkpoint is.

    ``folder`` has the configurations of its parts and its ``model_index.json``, ``tokenizer`` CLIP's vocabulary;
    ``family`` is a label in `core.families`, ``pipeline`` the class of diffusers in the index. ``tensors`` are, for
    each part, the names of its weights within the part and in the file.

    ``is_velocity``: it predicts velocity instead of noise; while ``is_assumed`` that is not known, and can only be
    found out by running it. ``is_zero_snr``: its schedule starts from nothing but noise. ``note`` is a sentence for
    the user, or empty.
    """

    name: str
    folder: Path
    tokenizer: Path
    family: str
    pipeline: str
    number_format: str
    parts: tuple[PartSize, ...]
    tensors: Mapping[str, Mapping[str, str]]
    is_velocity: bool = False
    is_assumed: bool = False
    is_zero_snr: bool = False
    note: str = ""

    @property
    def is_inpainting(self) -> bool:
        """Whether its denoiser takes a mask and a masked picture beside the latents."""
        return self.name.endswith(_INPAINTING)


def layouts_dir() -> Path:
    """The configurations that ship with the program."""
    return resources_dir() / "layouts"


def read_layout(path: Path, layouts: Path | None = None) -> Layout:
    """What the checkpoint in the file ``path`` is. ``layouts`` has a folder for each layout, by default the program's
    own. Raises `CheckpointError` where it is none, or none that can be loaded.
    """
    layouts = layouts or layouts_dir()
    header, metadata = _open(path)
    kind = _kind(path, header)
    name, is_velocity, is_assumed = _name(path, kind, header, metadata)
    folder = layouts / name
    configs = {part: read_json(folder, folder / part / "config.json") for part in kind.prefixes}
    tensors = {part: _tensors(header, part, prefix, configs[part]) for part, prefix in kind.prefixes.items()}
    _check_formats(path, header, tensors)
    _check_shapes(path, kind, header, configs)
    return Layout(
        name=name,
        folder=folder,
        tokenizer=layouts / "tokenizer",
        family=f"{kind.family} inpainting" if name.endswith(_INPAINTING) else kind.family,
        pipeline=str(read_json(folder, folder / "model_index.json")["_class_name"]),
        number_format=_number_format(header, tensors["unet"].values()),
        parts=tuple(_size(part, header, names.values()) for part, names in tensors.items()),
        tensors=tensors,
        is_velocity=is_velocity,
        is_assumed=is_assumed,
        is_zero_snr=is_velocity and "ztsnr" in header,
        note=_ASSUMED if is_assumed else "",
    )


# The file ----------------------------------------------------------------------------------------

_SIGNS = (
    (b"version https://git-lfs", "it only says where the file is: it was fetched without git-lfs"),
    (b"<", "it is a web page"),
)
_PICKLES = (b"PK\x03\x04", b"\x80", b"7z\xbc\xaf")
"""How files of torch begin: a zip archive, a bare pickle; and what hides one from scanners."""


def _open(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Entries of the tensors, by name; and what the file says of itself."""
    try:
        if path.exists() and not path.is_file():
            raise _refused(path, "The file is not a checkpoint", "it is not a plain file")
        header = read_header(path)
        return header, _read_metadata(path)
    except FileNotFoundError as e:
        raise _refused(path, "The checkpoint cannot be found", str(path), "") from e
    except OSError as e:
        hint = "Make the file readable for you, and check its disk."
        raise _refused(path, "The checkpoint cannot be read", e.strerror or str(e), hint) from e
    except ValueError as e:
        start = _read_start(path)
        if start.startswith(_PICKLES):
            raise unsafe(path.name) from e
        reason = next((text for sign, text in _SIGNS if start.lstrip().startswith(sign)), str(e))
        raise _refused(path, "The checkpoint is damaged", reason, "Fetch this file again.") from e


def _read_metadata(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        found = json.loads(file.read(int.from_bytes(file.read(8), "little"))).get("__metadata__")
    return found if isinstance(found, dict) else {}


def _read_start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _refused(path: Path, title: str, reason: str, hint: str = _WHAT_IS_READ) -> CheckpointError:
    detail = reason if reason == str(path) else f"{path.name}: {reason}"
    return CheckpointError(title, detail[:400], hint)


def _unsupported(path: Path, reason: str) -> CheckpointError:
    return _refused(path, "This kind of single-file checkpoint is not supported", reason)


# What it is --------------------------------------------------------------------------------------


def _kind(path: Path, header: Mapping[str, Any]) -> Kind:
    """The family of the file, which has all of its parts."""
    if not _has(header, UNET + "input_blocks."):
        if found := what_else(header):
            raise _refused(path, found.title, found.reason, found.hint or _WHAT_IS_READ)
        raise _unsupported(path, "its weights have names that are not known")
    kind = next((kind for kind in _KINDS if _has(header, _text_prefix(kind))), None)
    if kind is None and _has(header, _CLIP_XL):
        kind = _KINDS[0]
    names = {"vae": "VAE", "text_encoder": "text encoder", "text_encoder_2": "second text encoder"}
    prefixes = kind.prefixes if kind else {"vae": VAE, "text_encoder": _CLIP}
    missing = [names[part] for part, prefix in prefixes.items() if part in names and not _has(header, prefix)]
    if missing or kind is None:
        hint = "Look for the whole checkpoint; this file can only be used inside of one."
        raise _refused(path, "The file is not a whole checkpoint", f"it has no {' and no '.join(missing)}", hint)
    if "edm_mean" in header or "edm_vpred.sigma_max" in header:
        raise _unsupported(path, "it denoises in another way than Stable Diffusion XL, as Playground 2.5 and CosXL do")
    if _has(header, "noise_augmentor.") or (kind.name in ("sd1", "sd2") and _has(header, UNET + "label_emb.")):
        raise _unsupported(path, "it takes another picture as its prompt (unCLIP), or enlarges pictures")
    return kind


def _text_prefix(kind: Kind) -> str:
    """Of the last text encoder, which no other family has."""
    return list(kind.prefixes.values())[-1]


def _has(header: Mapping[str, Any], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in header)


def _name(path: Path, kind: Kind, header: Mapping[str, Any], metadata: Mapping[str, Any]) -> tuple[str, bool, bool]:
    """The layout's folder, whether it predicts velocity, and whether that is only assumed."""
    shape = _shape(header, UNET + "input_blocks.0.0.weight")
    channels = shape[1] if len(shape) == 4 else 0
    ending = _IN_CHANNELS.get(channels)
    if ending is None or (ending and kind.name == "sdxl-refiner"):
        use = _OTHER_CHANNELS.get(channels, "another task")
        raise _unsupported(path, f"it is for {use}: its denoiser takes {channels} channels")
    said = _says_velocity(path, header, metadata, by_size=kind.name == "sd2" and not ending)
    if kind.name != "sd2" or ending:
        return kind.name + ending, bool(said), False
    return ("sd2" if said is False else "sd2-v"), said is not False, said is None


_ASSUMED = (
    "Whether this checkpoint of Stable Diffusion 2 is for 512 or 768 pixels is not written in it: 768 are assumed. "
    "How it denoises is measured when it is loaded."
)
_VELOCITY_NAME = re.compile(r"v[-_. ]?pred|768[-_]v|v[-_]ema", re.IGNORECASE)


def _says_velocity(path: Path, header: Mapping[str, Any], metadata: Mapping[str, Any], *, by_size: bool) -> bool | None:
    """Whether it predicts velocity; None where neither the file nor its name tells.

    ``by_size``: of Stable Diffusion 2, what was trained for 768 pixels does and what was trained for 512 does not.
    """
    if "v_pred" in header:
        return True
    told = str(metadata.get("modelspec.prediction_type", "")).lower()
    if told:
        return told.startswith("v")
    if _VELOCITY_NAME.search(path.stem):
        return True
    if not by_size:
        return None
    for text in (str(metadata.get("modelspec.architecture", "")), path.stem):
        if "768" in text:
            return True
        if "512" in text:
            return False
    size = str(metadata.get("modelspec.resolution", ""))
    return True if "768" in size else False if "512" in size else None


# Its tensors -------------------------------------------------------------------------------------


def _tensors(header: Mapping[str, Any], part: str, prefix: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Names of the weights of ``part`` that are loaded: within the part, and in the file.

    Of OpenCLIP's layers Stable Diffusion 2 uses all but the last, and of Stable Diffusion 1 no text encoder ends in a
    projection; both may be in the file.
    """
    found = {name[len(prefix) :]: name for name in header if name.startswith(prefix)}
    if part in _USED:
        return {short: name for short, name in found.items() if short.startswith(_USED[part])}
    layers = config["num_hidden_layers"]
    is_projecting = "CLIPTextModelWithProjection" in config["architectures"]
    return {
        short: name
        for short, name in found.items()
        if not _IGNORED.search(short)
        and ((layer := _LAYER.search(short)) is None or int(layer[1]) < layers)
        and (is_projecting or not short.startswith("text_projection"))
    }


def _size(part: str, header: Mapping[str, Any], names: Iterable[str]) -> PartSize:
    entries = [header[name] for name in names]
    spans = (entry["data_offsets"] for entry in entries)
    return PartSize(part, sum(math.prod(entry["shape"]) for entry in entries), sum(end - begin for begin, end in spans))


def _number_format(header: Mapping[str, Any], names: Iterable[str]) -> str:
    """That of most weights."""
    counts: Counter[str] = Counter()
    for name in names:
        counts[NUMBER_FORMATS[header[name]["dtype"]]] += math.prod(header[name]["shape"])
    return counts.most_common(1)[0][0]


def _check_formats(path: Path, header: Mapping[str, Any], tensors: Mapping[str, Mapping[str, str]]) -> None:
    for names in tensors.values():
        for name in names.values():
            if header[name]["dtype"] not in NUMBER_FORMATS or name.endswith((".scale_weight", ".weight_scale")):
                raise _unsupported(path, f"its weights are compressed ({header[name]['dtype']}, {name})")


def _shape(header: Mapping[str, Any], name: str) -> list[int]:
    return list(header[name]["shape"]) if name in header else []


def _check_shapes(path: Path, kind: Kind, header: Mapping[str, Any], configs: Mapping[str, dict[str, Any]]) -> None:
    """Refuse what has the names of the family and another structure: distilled and widened kinds."""
    for name, shape in _expected_shapes(kind, configs).items():
        found = _shape(header, name)
        if not found:
            raise _refused(path, "The file is not a whole checkpoint", f"{name} is missing", "Fetch the whole file.")
        if found != shape:
            raise _unsupported(path, f"{name} has the shape {found}, where {kind.family} has {shape}")
    unet = configs["unet"]
    blocks = {name.split(".")[3] for name in header if name.startswith(UNET + "input_blocks.")}
    attentions = [name for name in header if name.startswith(UNET) and name.endswith(".attn2.to_k.weight")]
    wanted = len(unet["block_out_channels"]) * (unet["layers_per_block"] + 1), _count_attentions(unet)
    if (len(blocks), len(attentions)) != wanted:
        counts = f"{len(blocks)} blocks with {len(attentions)} layers of attention"
        raise _unsupported(path, f"its denoiser has {counts}, where {kind.family} has {wanted[0]} with {wanted[1]}")
    for name in attentions:
        if (width := _shape(header, name)[-1:]) != [unet["cross_attention_dim"]]:
            raise _unsupported(path, f"it reads prompts of width {width}, where {kind.family} has another")


def _expected_shapes(kind: Kind, configs: Mapping[str, dict[str, Any]]) -> dict[str, list[int]]:
    """Of some weights of each part, which every file of this layout has."""
    unet, vae = configs["unet"], configs["vae"]
    width, coder = unet["block_out_channels"][0], vae["block_out_channels"]
    shapes = {
        UNET + "input_blocks.0.0.weight": [width, unet["in_channels"], 3, 3],
        UNET + "out.2.weight": [unet["out_channels"], width, 3, 3],
        VAE + "encoder.conv_in.weight": [coder[0], vae["in_channels"], 3, 3],
        VAE + "decoder.conv_in.weight": [coder[-1], vae["latent_channels"], 3, 3],
    }
    for part, prefix in kind.prefixes.items():
        if part.startswith("text_encoder") and prefix.endswith(".model."):
            shapes[prefix + "token_embedding.weight"] = [configs[part]["vocab_size"], configs[part]["hidden_size"]]
    return shapes


def _count_attentions(unet: Mapping[str, Any]) -> int:
    """Layers of attention to the prompt: on the way down, in the middle, and on the way up, one more on each level."""
    levels = len(unet["block_out_channels"])
    depths = unet.get("transformer_layers_per_block", 1)
    depths = depths if isinstance(depths, list) else [depths] * levels
    layers = unet["layers_per_block"]
    attends = [
        depth * kind.startswith("CrossAttn") for depth, kind in zip(depths, unet["down_block_types"], strict=True)
    ]
    return int(sum(depth * (2 * layers + 1) for depth in attends) + depths[-1])
