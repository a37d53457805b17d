"""Generation text as AUTOMATIC1111's programs write it: our requests to it, and anybody's text to values of `Params`.

::

    a prompt, over one or more lines <lora:name:0.8>
    Negative prompt: ...
    Steps: 20, Sampler: DDIM, CFG scale: 4, Seed: 7, Size: 64x64, Model: starter, Denoising strength: 0.6

A LoRA is named there by its file alone: `LoraTag` says so, and who knows the files finds it.
What that form has no words for (cards of a chain, adapters but LoRAs, pictures) stands in the request alone.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from desktop_app import __version__
from desktop_app.core.conditions import MAX_ADAPTER_WEIGHT, AdapterKind, Control, ControlMode
from desktop_app.core.errors import RequestError
from desktop_app.core.params import DEFAULT_SCHEDULER, PARAM_SPECS, Params, clean_text
from desktop_app.core.request import Request, Stage, StageKind
from desktop_app.core.schedulers import SCHEDULERS
from desktop_app.core.validation import validate

MAX_TEXT_CHARS = 64 * 1024

_NEGATIVE = "Negative prompt:"
_PAIR = re.compile(r'(\w[\w \-/]{1,40}):[ \t]*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_MARKS = {"Steps", "Sampler", "CFG scale", "Seed", "Size", "Denoising strength", "Model"}
"""A line with two of these is the line of values."""

_NUMBERS = {
    "Steps": "steps",
    "CFG scale": "guidance_scale",
    "Denoising strength": "strength",
    "Prior steps": "prior_steps",
    "Prior CFG scale": "prior_guidance_scale",
    "Refiner switch at": "refiner_share",
    "Refiner denoising strength": "refiner_strength",
    "Mask blur": "mask_feather",
    "Masked area padding": "mask_padding",
}
"""Keys whose values are numbers as they are, and the fields of `Params` that they fill."""

_AREAS = {"Only masked": True, "Whole picture": False}
"""Values of "Inpaint area", and whether the masked part alone is painted."""

_FILES = {
    *("Model", "Model hash", "VAE", "VAE hash", "Lora hashes", "TI hashes", "Hashes", "Version", "Schedule type"),
    *("Final size", "Created Date", "User", "Civitai resources", "Civitai metadata"),
}
"""Keys that only name what was used, or stand beside another key: nobody misses them."""

_TAG = re.compile(r"[ ,]*<(lora|lyco|hypernet):([^:<>]+)(?::([^<>]*))?>", re.IGNORECASE)
"""A small file that changes the checkpoint, as those programs have it inside the prompt."""

_MODULES = {
    ControlMode.CANNY: "canny",
    ControlMode.TILE: "tile_resample",
    ControlMode.DEPTH: "depth_midas",
    ControlMode.SCRIBBLE: "scribble_hed",
    ControlMode.SEGMENTATION: "seg_ofade20k",
    ControlMode.LINE_ART: "lineart_realistic",
    ControlMode.POSE: "openpose_full",
}
"""What those programs call the annotator of each mode."""

_LIGHT = (ControlMode.CANNY, ControlMode.TILE)
"""Modes whose light way is that annotator too."""


@dataclass(frozen=True)
class LoraTag:
    """A LoRA as a text names it: by its file, without folder and ending. ``text`` is how it stands there."""

    name: str
    weight: float
    text: str


@dataclass(frozen=True)
class GenerationText:
    """What a text says: ``values`` of fields of `Params`, a sentence for each value that cannot be taken over, and the
    ``loras`` that it names.
    """

    values: dict[str, Any]
    left_out: tuple[str, ...] = ()
    loras: tuple[LoraTag, ...] = ()


def parameters_text(request: Request, size: tuple[int, int]) -> str:
    """``request`` as text that other programs read; ``size`` (width, height) is the finished picture's."""
    stage = request.stages[0]
    pairs = {
        "Steps": str(stage.steps),
        "Sampler": _sampler(stage.scheduler),
        "CFG scale": _number(stage.guidance_scale),
        "Seed": str(request.seed),
        "Size": f"{request.width}x{request.height}",
        "Model": PurePath(stage.checkpoint).name,
    }
    if stage.kind in (StageKind.IMAGE_TO_IMAGE, StageKind.INPAINT):
        pairs["Denoising strength"] = _number(stage.strength)
    if stage.kind is StageKind.INPAINT:
        pairs |= _mask_pairs(request)
    if size != (request.width, request.height):
        pairs["Final size"] = f"{size[0]}x{size[1]}"
    if stage.prior:
        pairs["Prior"] = PurePath(stage.prior).name
        pairs["Prior steps"] = str(stage.prior_steps)
        pairs["Prior CFG scale"] = _number(stage.prior_guidance_scale)
    if refiner := next((each for each in request.stages[1:] if not each.is_card), None):
        pairs |= _refiner_pairs(refiner)
    controls = [control for control in stage.controls if control.is_on]
    pairs |= {f"ControlNet {number}": _control_text(control) for number, control in enumerate(controls)}
    pairs["Version"] = f"underpaint {__version__}"
    lines = [" ".join((stage.prompt, *_tags(stage))).strip()]
    if stage.negative_prompt:
        lines.append(f"{_NEGATIVE} {stage.negative_prompt}")
    return "\n".join([*lines, ", ".join(f"{key}: {_quoted(value)}" for key, value in pairs.items())])


def _refiner_pairs(stage: Stage) -> dict[str, str]:
    """As AUTOMATIC1111's programs tell of a refiner that takes over. A second pass is unknown there."""
    name = {"Refiner": PurePath(stage.checkpoint).name}
    if stage.begin > 0:
        return {**name, "Refiner switch at": _number(stage.begin)}
    return {**name, "Refiner denoising strength": _number(stage.strength)}


def _mask_pairs(request: Request) -> dict[str, str]:
    pairs = {"Mask blur": str(request.mask_feather)} if request.mask_feather else {}
    if request.masked_only:
        pairs |= {"Inpaint area": "Only masked", "Masked area padding": str(request.mask_padding)}
    return pairs


def _control_text(control: Control) -> str:
    """As the ControlNet extension writes a unit; without a module the picture is a control image already."""
    has_module = control.derive and (control.annotator or control.mode in _LIGHT)
    pairs = {
        "Module": _MODULES[control.mode] if has_module else "none",
        "Model": plain_name(control.checkpoint) or "None",
        "Weight": _number(control.weight),
        "Resize Mode": "Crop and Resize",
    }
    if control.mode is ControlMode.CANNY:
        pairs |= {"Threshold A": str(control.low), "Threshold B": str(control.high)}
    pairs |= {
        "Guidance Start": _number(control.start),
        "Guidance End": _number(control.end),
        "Pixel Perfect": "True",
        "Control Mode": "Balanced",
    }
    return ", ".join(f"{key}: {value}" for key, value in pairs.items())


def _tags(stage: Stage) -> list[str]:
    """Of its LoRAs that are on."""
    loras = (adapter for adapter in stage.adapters if adapter.is_on and adapter.kind is AdapterKind.LORA)
    return [f"<lora:{plain_name(lora.ref)}:{_number(lora.weight)}>" for lora in loras]


def plain_name(ref: str) -> str:
    """The stem of a file or the name of a folder, without what means something in the text around it."""
    name = PurePath(ref).name.removesuffix(".safetensors")
    return re.sub(r"[:,<>\n]+", "_", name)


def parse_parameters(text: str) -> dict[str, Any]:
    """Values of fields of `Params` found in anybody's generation text. Raises `RequestError` when there are none."""
    return read_generation_text(text).values


def read_generation_text(text: str) -> GenerationText:
    """As `parse_parameters`, and what could not be taken over. Raises `RequestError`."""
    if len(text) > MAX_TEXT_CHARS:
        raise _not_recognised(f"it has {len(text):,} characters, at most {MAX_TEXT_CHARS:,} are read")
    lines = clean_text(text).strip().split("\n")
    row, pairs = _find_values(lines)
    prompt, negative = _split_prompts(lines[:row])
    loras, left_out = _read_tags(prompt)
    if not pairs and negative is None:
        raise _not_recognised("it has neither a line of values nor a negative prompt")
    found: list[dict[str, Any]] = [{"prompt": _TAG.sub("", prompt).strip()}, {"negative_prompt": negative or ""}]
    for key, value in pairs.items():
        try:
            found.append(_read_value(key, value, pairs))
        except (ValueError, OverflowError):
            left_out.append(f"{key} {value[:40]!r} is not known here.")
    return replace(_keep_valid(found, left_out), loras=loras)


def _read_tags(prompt: str) -> tuple[tuple[LoraTag, ...], list[str]]:
    """The LoRAs that ``prompt`` names, and a sentence for each tag that cannot be taken over."""
    loras, left_out = [], []
    for tag in _TAG.finditer(prompt):
        text = tag[0].strip(" ,")
        if tag[1].lower() == "hypernet":
            left_out.append(f"{text} is left out: hypernetworks are not supported.")
            continue
        try:
            loras.append(LoraTag(tag[2].strip(), _tag_weight(tag[3] or ""), text))
        except ValueError:
            left_out.append(f"{text} is left out: its weight is not one number. Add its file under Adapters.")
    return tuple(loras), left_out


def _tag_weight(text: str) -> float:
    """One number; several, for text encoder and denoiser, must be the same. Raises ValueError."""
    weights = {float(part.rpartition("=")[2]) for part in text.split(":") if part.strip()} or {1.0}
    (weight,) = weights
    if not math.isfinite(weight) or abs(weight) > MAX_ADAPTER_WEIGHT:
        raise ValueError(text)
    return weight


def _not_recognised(detail: str) -> RequestError:
    hint = 'Copy the whole text, with the line that begins with "Steps:".'
    return RequestError("This is no generation text", detail, hint)


def _keep_valid(found: list[dict[str, Any]], left_out: list[str]) -> GenerationText:
    values: dict[str, Any] = {}
    for part in found:
        try:
            validate(replace(Params(), **part), has_init_image=False)
            values.update(part)
        except RequestError as e:
            left_out.append(f"{e}.")
    return GenerationText(values, tuple(left_out))


def _find_values(lines: list[str]) -> tuple[int, dict[str, str]]:
    """Index and contents of the last line of values; past the end and nothing where there is none."""
    for row in range(len(lines) - 1, -1, -1):
        pairs = {match[1].strip(): _unquoted(match[2].strip()) for match in _PAIR.finditer(lines[row])}
        if len(_MARKS & set(pairs)) >= 2:
            return row, pairs
    return len(lines), {}


def _split_prompts(lines: list[str]) -> tuple[str, str | None]:
    for row, line in enumerate(lines):
        if line.lstrip().startswith(_NEGATIVE):
            negative = [line.lstrip().removeprefix(_NEGATIVE), *lines[row + 1 :]]
            return "\n".join(lines[:row]).strip(), "\n".join(negative).strip()
    return "\n".join(lines).strip(), None


def _read_value(key: str, value: str, pairs: dict[str, str]) -> dict[str, Any]:
    """Fields of `Params`; none for a key that nobody misses. Raises ValueError."""
    if key == "Seed":
        return {"seed": int(value)} if value != "-1" else {}
    if key == "Size":
        width, _, height = value.partition("x")
        return {"width": int(width), "height": int(height)}
    if key in _NUMBERS:
        name = _NUMBERS[key]
        return {name: PARAM_SPECS[name].kind(value)}
    if key in ("Refiner", "Prior"):
        raise ValueError(value)  # a name alone says nothing of where it is
    if key == "Sampler":
        return {"scheduler": _scheduler(value, pairs.get("Schedule type", ""))}
    if key == "Inpaint area" and value in _AREAS:
        return {"masked_only": _AREAS[value]}
    if key not in _FILES:
        raise ValueError(value)
    return {}


def _sampler(scheduler: str) -> str:
    spec = SCHEDULERS.get(scheduler)
    return spec.label if spec else scheduler


def _scheduler(sampler: str, schedule: str) -> str:
    """The name of our scheduler. Newer programs write "DPM++ 2M" and "Karras" apart. Raises ValueError."""
    names = {_bare(spec.label): name for name, spec in SCHEDULERS.items()}
    names |= {_bare(name): name for name in (*SCHEDULERS, DEFAULT_SCHEDULER)}
    joined, plain = _bare(sampler + schedule), _bare(sampler)
    if joined in names:
        return names[joined]
    if plain in names and _bare(schedule) in ("", "automatic"):
        return names[plain]
    raise ValueError(sampler)


def _bare(label: str) -> str:
    return "".join(char for char in label.lower() if char.isalnum() or char == "+")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if set(value) & set(',:"\n') else value


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        return value
