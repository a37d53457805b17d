"""What the JSON files of a folder in diffusers layout tell: its family, its parts and their sizes.

Classes are only named here, never imported; a class that is not in the table is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import KANDINSKY_PRIOR, family_of, signed_parts, unsupported
from desktop_app.core.family import Family
from desktop_app.core.kinds import StageKind
from desktop_app.core.memory import UPSCALER_ELEMENTS, PartSize
from desktop_app.core.params import clean_text
from desktop_app.store.checkpoint_files import (
    UNSAFE_SUFFIXES,
    check_inside,
    choose_variant,
    damaged,
    read_json,
    unsafe,
    weight_files,
)
from desktop_app.store.safetensors_header import read_header
from desktop_app.store.tokens import PIECES

INDEX_NAME = "model_index.json"
_CLIP_VISION = {f"transformers.CLIP{name}" for name in ("ImageProcessor", "ImageProcessorPil", "FeatureExtractor")}
_CLIP_TOKENIZERS = {"transformers.CLIPTokenizer", "transformers.CLIPTokenizerFast"}
_T5_TOKENIZERS = {"transformers.T5Tokenizer", "transformers.T5TokenizerFast"}
_QWEN_TOKENIZERS = {"transformers.Qwen2Tokenizer", "transformers.Qwen2TokenizerFast"}
_CLIP_TEXTS = {"transformers.CLIPTextModel", "transformers.CLIPTextModelWithProjection"}
_T5 = {"transformers.T5EncoderModel"}
_LANGUAGE_MODELS = {
    "transformers.Qwen2_5_VLForConditionalGeneration",
    "transformers.Qwen3ForCausalLM",
    "transformers.Qwen3Model",
    "transformers.Mistral3ForConditionalGeneration",
    "kolors.ChatGLMModel",
}
COMPONENTS: dict[str, set[str]] = {
    "unet": {"diffusers.UNet2DConditionModel", "diffusers.Kandinsky3UNet"},
    "transformer": {
        "diffusers.FluxTransformer2DModel",
        "diffusers.Flux2Transformer2DModel",
        "diffusers.QwenImageTransformer2DModel",
        "diffusers.SD3Transformer2DModel",
        "diffusers.ZImageTransformer2DModel",
    },
    "vae": {
        "diffusers.AutoencoderKL",
        "diffusers.AutoencoderKLFlux2",
        "diffusers.AutoencoderKLQwenImage",
        "diffusers.AutoencoderTiny",
    },
    "movq": {"diffusers.VQModel"},
    "prior": {"diffusers.PriorTransformer"},
    "text_encoder": _CLIP_TEXTS | _T5 | _LANGUAGE_MODELS,
    "text_encoder_2": _CLIP_TEXTS | _T5,
    "text_encoder_3": _T5,
    "tokenizer": _CLIP_TOKENIZERS
    | _T5_TOKENIZERS
    | _QWEN_TOKENIZERS
    | {"transformers.PixtralProcessor", "kolors.ChatGLMTokenizer"},
    "tokenizer_2": _CLIP_TOKENIZERS | _T5_TOKENIZERS,
    "tokenizer_3": _T5_TOKENIZERS,
    "processor": {"transformers.Qwen2VLProcessor"},
    "feature_extractor": _CLIP_VISION,
    "image_processor": _CLIP_VISION,
    "safety_checker": {"stable_diffusion.StableDiffusionSafetyChecker"},
    "image_encoder": {"transformers.CLIPVisionModelWithProjection"},
}
"""Parts of a pipeline, and the classes that each may have. A scheduler may be any of diffusers'."""

_BLOCKS = {"AutoencoderTiny": ("encoder_block_out_channels", 1), "AutoencoderKLQwenImage": ("temperal_downsample", 0)}
"""By class of the decoder, which entry of its configuration lists the blocks, and how many more of them there are than
times that it halves the picture.
"""

LATENT_CHANNELS = 4
"""Where a configuration does not say."""

LATENT_UPSCALER_SIZE = 512
"""Side, in pixels, of what a latent upscaler is given; its configuration does not say."""

USUAL_PRIORS = {KANDINSKY_PRIOR: "kandinsky-community/kandinsky-2-2-prior"}
"""By family of the prior, the one that is meant where a checkpoint names none."""

MAX_CARD_CHARS = 64 * 1024
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---", re.DOTALL)
_NAMED_PRIOR = re.compile(r"^prior:[ \t]*(?:\n[ \t]*-[ \t]*)?([^\s#][^\n]*)$", re.MULTILINE)
_TOKENIZER_FILES = (("tokenizer.json",), (PIECES,), ("vocab.json", "merges.txt"))
"""Files that a tokenizer may consist of."""

_SCHEDULER = re.compile(r"[A-Za-z0-9]+Scheduler")
_SCHEDULERS = ("scheduler", "low_res_scheduler")
WHAT_IS_POSSIBLE = (
    'Choose "starter", a .safetensors file, or a folder in diffusers layout '
    f"(it contains {INDEX_NAME}, and a folder for each part)."
)


def read_family(folder: Path) -> Family:
    """The family that ``model_index.json`` tells; its classes are all known, and no part is missing in it."""
    path = folder / INDEX_NAME
    if not path.is_file():
        raise _no_index(folder)
    index = read_json(folder, path)
    family = family_of(index, {part: read_config(folder, part) for part in signed_parts(index)})
    if family is None:
        raise unsupported(folder.name, str(index.get("_class_name"))[:80])
    for part, entry in index.items():
        if not part.startswith("_") and isinstance(entry, list):
            _check_class(path, part, entry, is_required=part in family.required)
    missing = [part for part in family.required if not isinstance(index.get(part), list)]
    if missing:
        raise damaged(path, f"it does not name {', '.join(missing)}")
    return family


def _no_index(folder: Path) -> CheckpointError:
    files = [path for path in folder.iterdir() if path.is_file()]
    if any(path.suffix.lower() in UNSAFE_SUFFIXES for path in files):
        return unsafe(folder.name)
    return CheckpointError("The folder is no checkpoint", f"{folder} has no {INDEX_NAME}", WHAT_IS_POSSIBLE)


def _check_class(path: Path, part: str, entry: list[Any], *, is_required: bool) -> None:
    """Only classes from the table: a class is imported by name later, so a stranger's name is never passed on."""
    if entry == [None, None] and not is_required:
        return
    library, name = entry if len(entry) == 2 and all(isinstance(text, str) for text in entry) else ("", str(entry))
    known_scheduler = part in _SCHEDULERS and library == "diffusers" and _SCHEDULER.fullmatch(name)
    if not known_scheduler and f"{library}.{name}" not in COMPONENTS.get(part, set()):
        raise CheckpointError(
            "The checkpoint asks for a class that is not known",
            f"{path.parent.name}/{path.name}: {part} is {library}.{name}"[:300],
            "Only the usual classes of diffusers and transformers are loaded, since others could run any program.",
        )


def read_config(folder: Path, part: str) -> dict[str, Any]:
    name = "scheduler_config.json" if part in _SCHEDULERS else "config.json"
    return read_json(folder, folder / part / name)


def read_parts(folder: Path, family: Family) -> dict[str, dict[str, Any]]:
    """Configurations of the parts with weights, by part. Raises `CheckpointError`, also for a denoiser that takes
    something else than its family does.
    """
    configs = {part: read_config(folder, part) for part in family.weighted}
    if family.packing and family.denoiser and family.decoder:
        takes = configs[family.denoiser].get("in_channels", LATENT_CHANNELS)
        latents = _latent_channels(folder, family.decoder, configs[family.decoder])
        if takes != _channels(family, latents):  # a mask, a depth map or another picture beside the latents
            counts = f"takes {str(takes)[:40]} channels, and latents have {str(latents)[:40]}"
            detail = f"{folder.name}: its {family.denoiser} {counts}"
            hint = "It is for inpainting, depth or instructions. Choose one for text-to-image."
            if StageKind.TEXT_TO_IMAGE not in family.kinds:
                hint = f"It is no checkpoint of the family {family.label}, as it says. Choose another."
            raise CheckpointError("The checkpoint is for another task", detail, hint)
    return configs


def _channels(family: Family, latents: int) -> int:
    """What its denoiser takes, where latents have so many channels."""
    if family.kinds == (StageKind.INPAINT,):
        return 2 * latents + 1  # the picture without what is masked, and the mask
    if family.kinds == (StageKind.UPSCALE,):
        return latents + 3  # the small picture's pixels
    if family.kinds == (StageKind.LATENT_UPSCALE,) or family.reads_controls:
        return 2 * latents  # the small picture's latents, or a control image
    return latents * family.packing


def _latent_channels(folder: Path, decoder: str, config: dict[str, Any]) -> int:
    key = "z_dim" if "z_dim" in config else "latent_channels"
    return _number(folder, decoder, {key: LATENT_CHANNELS, **config}, key)


def native_size(folder: Path, family: Family, configs: dict[str, dict[str, Any]]) -> int:
    """Side, in pixels, of the squares that it was trained on; 0 for what makes no pictures."""
    if family.native_size or not family.denoiser:
        return family.native_size
    config = configs[family.denoiser]
    if family.kinds == (StageKind.LATENT_UPSCALE,) and config.get("sample_size") is None:
        return LATENT_UPSCALER_SIZE
    return _number(folder, family.denoiser, config, "sample_size") * _latent_factor(folder, family, configs)


def multiple(folder: Path, family: Family, configs: dict[str, dict[str, Any]]) -> int:
    """Pixels that one latent, or one patch of latents, covers on a side.

    A latent upscaler doubles the latents before it halves them between its blocks, and cannot do with an odd number.
    """
    factor = _latent_factor(folder, family, configs) * family.patch
    if family.kinds == (StageKind.LATENT_UPSCALE,) and family.denoiser:
        blocks = configs[family.denoiser].get("block_out_channels")
        if not isinstance(blocks, list) or not 2 <= len(blocks) <= 8:
            raise damaged(folder / family.denoiser / "config.json", "block_out_channels is not a list of the blocks")
        return int(factor * 2 ** (len(blocks) - 2))
    return factor


def _latent_factor(folder: Path, family: Family, configs: dict[str, dict[str, Any]]) -> int:
    """Pixels that one latent covers, on a side. The kinds of VAE halve the picture between two of their blocks."""
    if not family.decoder:
        return 1
    config = configs[family.decoder]
    key, more = _BLOCKS.get(str(config.get("_class_name")), ("block_out_channels", 1))
    blocks = config.get(key)
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= 8:
        raise damaged(folder / family.decoder / "config.json", f"{key} is not a list of the blocks")
    return int(2 ** (len(blocks) - more))


def named_prior(folder: Path, family: Family) -> str:
    """REF of the prior that the card (``README.md``) names, else the usual one; empty where it takes none."""
    if not family.prior:
        return ""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            card = file.read(MAX_CARD_CHARS)
    except FileNotFoundError:
        card = ""
    front = _FRONT_MATTER.match(card)
    named = _NAMED_PRIOR.search(front[1]) if front else None
    return clean_text(named[1]).strip("\"' ") if named else USUAL_PRIORS[family.prior]


def part_sizes(folder: Path, family: Family) -> tuple[PartSize, ...]:
    """Parameters and bytes of each part with weights, from the headers of the files that would be loaded."""
    variant = choose_variant(folder, family.weighted)
    sizes = (_part_size(part, weight_files(folder, part, variant)) for part in family.weighted)
    return tuple(replace(size, elements=_elements(size.name, family)) for size in sizes)


def _elements(part: str, family: Family) -> int:
    """See `PartSize`."""
    return UPSCALER_ELEMENTS if family.kinds == (StageKind.UPSCALE,) and part == family.denoiser else 0


def _part_size(part: str, files: list[Path]) -> PartSize:
    headers = []
    for file in files:
        try:
            headers.append(read_header(file))
        except (OSError, ValueError) as e:
            raise damaged(file, "it is missing" if isinstance(e, FileNotFoundError) else str(e)) from e
    parameters = sum(math.prod(entry["shape"]) for header in headers for entry in header.values())
    return PartSize(part, parameters, sum(file.stat().st_size for file in files))


def max_tokens(folder: Path, family: Family, configs: dict[str, dict[str, Any]]) -> int:
    """How many tokens of a prompt all its text encoders and tokenizers take; 0 where it reads none."""
    limits = [
        family.max_tokens or _max_tokens(folder, encoder, tokenizer, configs[encoder])
        for encoder, tokenizer in zip(family.text_encoders, family.tokenizers, strict=True)
    ]
    return min(limits, default=0)


def _max_tokens(folder: Path, encoder: str, tokenizer: str, config: dict[str, Any]) -> int:
    positions = _number(folder, encoder, config, "max_position_embeddings")
    path = folder / tokenizer / "tokenizer_config.json"
    limit = read_json(folder, path).get("model_max_length") if path.is_file() else None
    return min(positions, limit) if isinstance(limit, int) and limit > 2 else positions


def find_tokenizer(folder: Path, part: str) -> Path | None:
    """The folder of the tokenizer ``part``; None where its files are not there."""
    tokenizer = folder / part
    ways = [[tokenizer / name for name in names] for names in _TOKENIZER_FILES]
    for file in {file for files in ways for file in files}:
        check_inside(folder, file)
    return tokenizer if any(all(file.is_file() for file in files) for files in ways) else None


def _number(folder: Path, part: str, config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65536:
        raise damaged(folder / part / "config.json", f"{key} is {str(value)[:40]}")
    return value
