"""What an adapter is, told by the header of its file alone: names and shapes of tensors, and what training wrote down.

Nothing is loaded, and nothing of the file is believed: each value is looked at before it is used.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from desktop_app.core.adapter import AdapterInfo
from desktop_app.core.conditions import AdapterKind
from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import SD, SDXL
from desktop_app.store.adapter_lines import lines_of_lora, told_line
from desktop_app.store.checkpoint_files import UNSAFE_SUFFIXES
from desktop_app.store.file_copy import open_plain
from desktop_app.store.other_files import what_else
from desktop_app.store.safetensors_header import read_header

SUFFIX = ".safetensors"

MAX_WORDS = 8
MAX_WORD = 80
"""Trigger words that are offered, and letters of one."""

_SAFE_HINT = "Look for the same adapter as .safetensors."
_PICKLES = (b"PK\x03\x04", b"\x80", b"7z\xbc\xaf")
_LORA = re.compile(r"^lora_|\.lora_?[AB]\.|lora[._](up|down)\.|_lora\.|\.lora_linear_layer\.|\.lora_magnitude_vector")
_LORA_END = re.compile(r"(?:[._]lora|\.alpha$|\.dora_scale$|\.diff).*$")
_DOWN = re.compile(r"(?:lora_A|lora_down|lora\.down|_lora\.down|lora_linear_layer\.down)(?:\.\w+)?\.weight$")
_OTHER_WAYS = {"hada_w": "LoHa", "lokr_w": "LoKr", "oft_": "OFT", ".on_input": "(IA)³", "glora": "GLoRA"}
_CROSS = re.compile(r"attn2[._](?:processor[._])?to_[kv]")
_TEXT = re.compile(r"^(?:lora_te_|lora_te1_|text_encoder\.).*q_proj|^(?:lora_te_|lora_te1_|text_encoder\.).*to_q")
_XL = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}

_DORA = "It is a DoRA, of which only the LoRA part can be used: it paints a little differently than it was meant to."
_NO_ENCODER = "The part that looks at pictures, the folder image_encoder, was not found"


def read_adapter(path: Path, ref: str) -> AdapterInfo:
    """What the adapter in the file ``path`` is, but for its image encoder. Raises `CheckpointError` where it is
    none, or none that can be used.
    """
    _check_name(path)
    header, metadata = _open(path)
    shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
    known = {"ref": ref, "label": path.stem, "path": path, "size_bytes": path.stat().st_size}
    if any(name.startswith(("image_proj.", "ip_adapter.")) for name in shapes):
        return _ip_adapter(path, shapes, known)
    if any(_LORA.search(name) for name in shapes):
        return _lora(path, shapes, metadata, known)
    if found := _textual_inversion(shapes, known):
        return found
    _refuse_others(path, shapes)
    raise _refused(path, "The file is not an adapter", "its tensors have names that are not known")


def looks_like_adapter(path: Path) -> bool:
    """Whether the file ``path`` is an adapter, be it one that can be used or not, by the names of its tensors."""
    try:
        names = read_header(path)
    except (OSError, ValueError):
        return False
    if any(name.startswith("model.diffusion_model.") for name in names):
        return False
    shapes = {name: tuple(entry["shape"]) for name, entry in names.items()}
    is_adapter = any(_LORA.search(name) or name.startswith(("image_proj.", "ip_adapter.")) for name in names)
    return is_adapter or _other_way(shapes) != "" or _textual_inversion(shapes, {}, is_asked=True) is not None


def is_pickle_name(path: Path) -> bool:
    """Whether the name of ``path`` is that of a file of torch, which could run a program."""
    return path.suffix.lower() in UNSAFE_SUFFIXES


def _check_name(path: Path) -> None:
    if is_pickle_name(path):
        detail = f"{path.name} is pickled: it can run any program when it is opened"
        raise CheckpointError("The adapter has an unsafe format", detail, _SAFE_HINT)
    if path.suffix != SUFFIX:
        hint = f"Import it, or rename it so that it ends in {SUFFIX}."
        raise CheckpointError("The file is not an adapter", f"{path.name} does not end in {SUFFIX}", hint)


def _open(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Entries of the tensors, by name; and what the file says of itself. Raises `CheckpointError`."""
    try:
        header = read_header(path)
        with path.open("rb") as file:
            told = json.loads(file.read(int.from_bytes(file.read(8), "little"))).get("__metadata__")
    except FileNotFoundError as e:
        raise _refused(path, "The adapter cannot be found", str(path), "Choose another, or remove it.") from e
    except OSError as e:
        hint = "Make the file readable for you, and check its disk."
        raise _refused(path, "The adapter cannot be read", e.strerror or str(e), hint) from e
    except (ValueError, RecursionError) as e:
        if _begins_like_pickle(path):
            detail = f"{path.name} is pickled: it can run any program when it is opened"
            raise CheckpointError("The adapter has an unsafe format", detail, _SAFE_HINT) from e
        raise _refused(path, "The adapter is damaged", str(e), "Fetch this file again.") from e
    if not isinstance(told, dict):
        return header, {}
    return header, {name: value for name, value in told.items() if isinstance(value, str)}


def _begins_like_pickle(path: Path) -> bool:
    try:
        with open_plain(path) as file:
            return file.read(8).startswith(_PICKLES)
    except OSError:
        return False


def _refused(path: Path, title: str, reason: str, hint: str = "") -> CheckpointError:
    hint = hint or "Taken are LoRAs, textual inversions and IP-Adapters, as .safetensors."
    detail = reason if reason == str(path) else f"{path.name}: {reason}"
    return CheckpointError(title, detail[:400], hint)


def _refuse_others(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if way := _other_way(shapes):
        raise _refused(path, "This kind of adapter is not supported", f"it is a {way} of LyCORIS")
    if found := what_else(shapes):
        raise _refused(path, "The file is not an adapter", found.reason)


def _other_way(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return next((way for sign, way in _OTHER_WAYS.items() if any(sign in name for name in shapes)), "")


# LoRA --------------------------------------------------------------------------------------------


def _lora(
    path: Path, shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, str], known: dict[str, Any]
) -> AdapterInfo:
    if way := _other_way(shapes):
        raise _refused(path, "This kind of adapter is not supported", f"it is a {way} of LyCORIS")
    if any(name.startswith("lora_controlnet") for name in shapes):
        raise _refused(path, "The file is not an adapter", "it is a Control-LoRA, a ControlNet made small")
    layers = {_LORA_END.sub("", name) for name in shapes if _LORA.search(name)}
    ranks = Counter(shape[0] for name, shape in shapes.items() if _DOWN.search(name) and len(shape) > 1)
    width = _text_width(shapes)
    families, reason = lines_of_lora(tuple(shapes), shapes, width)
    if len(families) > 1 and (told := told_line(metadata)) in families:
        families = (told,)
    is_dora = any("dora_scale" in name or "lora_magnitude_vector" in name for name in shapes)
    return AdapterInfo(
        **known,
        kind=AdapterKind.LORA,
        families=families,
        reason=reason,
        width=width,
        rank=ranks.most_common(1)[0][0] if ranks else 0,
        layers=len(layers),
        title=_clean(metadata.get("modelspec.title", "") or metadata.get("ss_output_name", "")),
        trigger_words=trigger_words(metadata),
        note=_DORA if is_dora else "",
    )


def _text_width(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Numbers of each token that the layers read, 0 where none of them tells."""
    for pattern in (_CROSS, _TEXT):
        if pattern is _TEXT and any(name.startswith(("lora_te2_", "text_encoder_2.", "lora_te1_")) for name in shapes):
            break  # the denoiser of Stable Diffusion XL reads both encoders
        widths = {
            shape[1]
            for name, shape in shapes.items()
            if _DOWN.search(name) and len(shape) > 1 and pattern.search(name) and not _is_transformer(name)
        }
        if len(widths) == 1:
            return widths.pop()
    return 0


def _is_transformer(name: str) -> bool:
    return name.startswith(("transformer.", "diffusion_model.", "lora_transformer_"))


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Words that call what a LoRA has learnt: those that its maker names, else those of most training pictures."""
    told = metadata.get("modelspec.trigger_phrase", "")
    if words := _some(told.split(",")):
        return words
    try:
        folders = json.loads(metadata.get("ss_tag_frequency", "{}"))
    except (ValueError, RecursionError):
        return ()
    counts: Counter[str] = Counter()
    for tags in folders.values() if isinstance(folders, dict) else ():
        for tag, count in tags.items() if isinstance(tags, dict) else ():
            if isinstance(count, int) and not isinstance(count, bool) and 0 < count < 2**40:
                counts[tag] += count
    most = max(counts.values(), default=0)
    return _some([tag for tag, count in counts.most_common(3) if count >= most * 0.9])


def _some(words: list[str]) -> tuple[str, ...]:
    clean = dict.fromkeys(_clean(word) for word in words[: 10 * MAX_WORDS])
    return tuple(word for word in clean if word)[:MAX_WORDS]


def _clean(text: str) -> str:
    """One line of what may be shown, not too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 10 * MAX_WORD]).split())
    return line[:MAX_WORD].strip()


# Textual inversion -------------------------------------------------------------------------------


def _textual_inversion(
    shapes: Mapping[str, tuple[int, ...]], known: dict[str, Any], *, is_asked: bool = False
) -> AdapterInfo | None:
    """None where it is none. With ``is_asked`` only whether, and the rest is not looked at."""
    if not 1 <= len(shapes) <= 2 or any(len(shape) not in (1, 2) or 0 in shape for shape in shapes.values()):
        return None
    names = set(shapes)
    is_xl = names == set(_XL)
    if len(names) == 2 and not is_xl:
        return None
    name, shape = next(iter(shapes.items()))
    is_plain = name == "emb_params" or name in _XL or (name.startswith("<") and name.endswith(">"))
    if not is_plain and ("." in name or len(name) > MAX_WORD):
        return None
    if is_asked:
        return AdapterInfo("", "", Path(), AdapterKind.TEXTUAL_INVERSION, 0)
    encoders = tuple(_XL[each] for each in _XL if each in names)
    if is_xl and shapes["clip_l"][:-1] != shapes["clip_g"][:-1]:
        raise _refused(known["path"], "The adapter is damaged", "its two parts have different numbers of vectors")
    token = known["label"] if name in ("emb_params", *_XL) else name
    return AdapterInfo(
        **known,
        kind=AdapterKind.TEXTUAL_INVERSION,
        families=(SDXL,) if encoders else (SD,),
        width=0 if encoders else shape[-1],
        token="_".join(_clean(token).split()),
        vectors=shape[0] if len(shape) == 2 else 1,
        encoders=encoders,
    )


# IP-Adapter --------------------------------------------------------------------------------------


def _ip_adapter(path: Path, shapes: Mapping[str, tuple[int, ...]], known: dict[str, Any]) -> AdapterInfo:
    parts = {
        name.removeprefix("image_proj."): shape for name, shape in shapes.items() if name.startswith("image_proj.")
    }
    layers = [name for name in shapes if re.fullmatch(r"ip_adapter\.\d+\.to_[kv]_ip\.weight", name)]
    if any("perceiver_resampler" in name for name in parts) or {"proj.2.weight", "norm.weight"} <= set(parts):
        raise _refused(path, "This kind of IP-Adapter is not supported", "it looks at faces, by InsightFace (FaceID)")
    told = _picture_widths(parts)
    if told is None or not layers:
        reason = "it is for another family of checkpoints, or one of its parts is missing"
        raise _refused(path, "This kind of IP-Adapter is not supported", reason)
    width, image_width, is_pooled = told
    lines = {768: (SD,), 1024: (SD,), 2048: (SDXL, "Kolors")}.get(width, (SD, SDXL))
    return AdapterInfo(
        **known,
        kind=AdapterKind.IP_ADAPTER,
        families=lines,
        width=width,
        layers=len(layers) // 2,
        image_width=image_width,
        is_pooled=is_pooled,
        note=_NO_ENCODER,
    )


def _picture_widths(parts: Mapping[str, tuple[int, ...]]) -> tuple[int, int, bool] | None:
    """The width of what the denoiser is told, that of what the image encoder tells, and whether that is of the picture
    as a whole. None where the layers are not those of a plain, a plus or a full face IP-Adapter.
    """
    whole, full = parts.get("proj.weight", ()), parts.get("proj.3.weight", ())
    if len(whole) == 2 and len(parts.get("norm.weight", ())) == 1:
        return parts["norm.weight"][0], whole[1], True
    first = parts.get("proj.0.weight", ())
    if len(full) == 1 and len(first) == 2:
        return full[0], first[1], False
    into, out = parts.get("proj_in.weight", ()), parts.get("proj_out.weight", ())
    if len(parts.get("latents", ())) == 3 and len(into) == len(out) == 2:
        return out[0], into[1], False
    return None
