"""Masks, control images and adapters as the command line takes them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from desktop_app.core.conditions import (
    MAX_ADAPTERS,
    MAX_CONTROLS,
    Adapter,
    AdapterKind,
    Control,
    ControlMode,
    adapter_from_json,
    control_from_json,
)
from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.image_ref import ImageRef
from desktop_app.store.adapters import AdapterStore

OpenPicture = Callable[[str], ImageRef]
"""The picture in a file, or at an address. Raises `ImageError`."""

MASK_PARAMS = ("mask_feather", "masked_only", "mask_padding")
"""Fields of `Params` that say nothing without a mask."""

_CONTROL_HELP = (
    "follow a control image, such as canny or depth,checkpoint=lllyasviel/control_v11f1p_sd15_depth,weight=0.8; "
    "also: image=FILE (else it is derived from the init image), derive=no (FILE is a control image already), "
    "annotator=REF, start=0..1, end=0..1, low and high (thresholds of canny). May be given several times. One of: "
)
_ADAPTER_HELP = (
    "a LoRA, textual inversion or IP-Adapter, such as style.safetensors,weight=0.8; also: token=WORD (calls a textual "
    "inversion), image=FILE (an IP-Adapter looks at it). May be given several times."
)


def add_condition_arguments(parser: argparse.ArgumentParser) -> None:
    """``--mask``, ``--control`` and ``--adapter``."""
    parser.add_argument(
        "--mask", metavar="FILE", help="paint only where this picture, of the init image's size, is white"
    )
    modes = ", ".join(_MODES)
    parser.add_argument(
        "--control", action="append", default=[], metavar="MODE[,NAME=VALUE...]", help=f"{_CONTROL_HELP}{modes}"
    )
    parser.add_argument("--adapter", action="append", default=[], metavar="FILE[,NAME=VALUE...]", help=_ADAPTER_HELP)


def open_mask(given: str, init_image: ImageRef | None, open_picture: OpenPicture) -> ImageRef:
    """The mask in a file, which must have the init image's size. Raises `ImageError`, `RequestError`."""
    if init_image is None:
        raise RequestError("A mask needs a picture", "there is no init image", "Give it as IMAGE.", param="mask")
    mask = open_picture(given)
    if mask.size != init_image.size:
        sizes = f"{mask.size[0]} × {mask.size[1]} and {init_image.size[0]} × {init_image.size[1]} pixels"
        raise ImageError("The mask does not fit the init image", sizes, "Make a mask of the same size.")
    return mask


def refuse_without_mask(given: Sequence[str], mask: ImageRef | None) -> None:
    """Raise `RequestError` where what was given says something of a mask, and there is none."""
    for name in MASK_PARAMS:
        if name in given and mask is None:
            flag = "--" + name.replace("_", "-")
            raise RequestError(f"{flag} has no effect", "there is no mask", "Give one by --mask.", param=name)


def read_controls(given: Sequence[str], open_picture: OpenPicture) -> tuple[Control, ...]:
    """What was given by ``--control``. Raises `StudioError`."""
    _check_count(given, MAX_CONTROLS, "control images", "controls")
    return tuple(_read_control(text, open_picture) for text in given)


def read_adapters(given: Sequence[str], store: AdapterStore, open_picture: OpenPicture) -> tuple[Adapter, ...]:
    """What was given by ``--adapter``, with the hash of its file. Raises `StudioError`."""
    _check_count(given, MAX_ADAPTERS, "adapters", "adapters")
    return tuple(_read_adapter(text, store, open_picture) for text in given)


def _read_control(text: str, open_picture: OpenPicture) -> Control:
    mode, values = _split(text, "--control", _CONTROL_VALUES)
    image = values.pop("image", None)
    if mode not in _MODES:
        raise _unreadable("--control", f"{mode!r} is no kind of control image", f"Known are: {', '.join(_MODES)}.")
    control: Control = _read(text, "--control", control_from_json, {"mode": mode, **values})
    _refuse_unread(control, values)
    return replace(control, image=open_picture(image)) if image else control


def _refuse_unread(control: Control, given: Mapping[str, Any]) -> None:
    """Raise `RequestError` where ``given`` says how to derive what is not derived, or not in that way."""
    is_canny = control.derive and control.mode is ControlMode.CANNY and not control.annotator
    reasons = {} if control.derive else {"annotator": "the picture is a control image already"}
    if not is_canny:
        reasons |= dict.fromkeys(("low", "high"), "these are thresholds of canny, where it is derived")
    for name, reason in reasons.items():
        if name in given:
            raise _unreadable("--control", f"{name} has no effect: {reason}", "Leave it out.")


def _read_adapter(text: str, store: AdapterStore, open_picture: OpenPicture) -> Adapter:
    name, values = _split(text, "--adapter", _ADAPTER_VALUES)
    image = values.pop("image", None)
    path = Path(name).expanduser()
    ref = store.ref_of(path.absolute()) if path.is_file() else name
    info = store.describe(ref)
    for key, kind in _OF_ONE_KIND.items():
        if info.kind is not kind and (key in values or (key == "image" and image)):
            hint = f"Leave {key} out: it is for a {kind.value}."
            raise RequestError(f"{key} has no effect", f"{info.label} is a {info.kind.value}", hint, param="adapters")
    data = {"kind": info.kind.value, "ref": ref, "sha256": store.hash_of(ref), **values}
    adapter: Adapter = _read(text, "--adapter", adapter_from_json, data)
    return replace(adapter, image=open_picture(image)) if image else adapter


def _split(text: str, flag: str, readers: Mapping[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """The name before the first comma, and the values behind it, each read by its name. Raises `RequestError`."""
    name, *parts = text.split(",")
    values: dict[str, Any] = {}
    for part in parts:
        key, sign, value = (each.strip() for each in part.partition("="))
        if not sign:
            hint = "Write NAME=VALUE behind each comma; a file whose name has a comma has to be renamed."
            raise _unreadable(flag, f"{part!r} in {text!r}", hint)
        if key not in readers:
            raise _unreadable(flag, f"{key!r} is not known here", f"Known are: {', '.join(readers)}.")
        if key in values:
            raise _unreadable(flag, f"{key} is there twice in {text!r}", "Say it once.")
        try:
            values[key] = readers[key](value)
        except ValueError as e:
            raise _unreadable(flag, f"{key}: {e}", f"See {flag} in --help.") from e
    return name.strip(), values


def _word(text: str) -> str:
    if not text:
        raise ValueError("nothing is given")
    return text


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(f"{text!r} is neither yes nor no")
    return _FLAGS[text.lower()]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


_FLAGS = {"yes": True, "true": True, "no": False, "false": False}

_MODES = tuple(mode.value for mode in ControlMode)
_CONTROL_VALUES: Mapping[str, Callable[[str], Any]] = {
    "checkpoint": _word,
    "image": _word,
    "derive": _flag,
    "annotator": _word,
    **dict.fromkeys(("weight", "start", "end", "low", "high"), _number),
}
_ADAPTER_VALUES: Mapping[str, Callable[[str], Any]] = {"weight": _number, "token": _word, "image": _word}

_OF_ONE_KIND = {"token": AdapterKind.TEXTUAL_INVERSION, "image": AdapterKind.IP_ADAPTER}
"""What says something of adapters of one kind only."""


def _unreadable(flag: str, detail: str, hint: str) -> RequestError:
    return RequestError(f"{flag} cannot be read", detail, hint, param=f"{flag.strip('-')}s")


def _read(text: str, flag: str, read: Callable[[Any], Any], data: dict[str, Any]) -> Any:
    try:
        return read(data)
    except (KeyError, TypeError, ValueError) as e:
        raise _unreadable(flag, f"{text!r}: {e}", f"See {flag} in --help.") from e


def _check_count(given: Sequence[str], most: int, what: str, param: str) -> None:
    if len(given) > most:
        raise RequestError(f"There are too many {what}", f"{len(given)}; at most {most} are taken", "", param=param)
