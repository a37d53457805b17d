"""Whether the values of `Params` can be run, and how they are read back from plain data: by `PARAM_SPECS` alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Any

from desktop_app.core.chain import MAX_CARDS, card_from_json
from desktop_app.core.conditions import MAX_ADAPTERS, MAX_CONTROLS, adapter_from_json, control_from_json
from desktop_app.core.errors import RequestError
from desktop_app.core.image_ref import FindImages
from desktop_app.core.params import FILE_REFS, MAX_PROMPT_CHARS, MULTIPLE, PARAM_SPECS, Params, ParamSpec, clean_text
from desktop_app.core.steps import check_runs, effective_steps

_ITEMS: dict[str, tuple[int, Callable[[Any, FindImages | None], Any]]] = {
    "chain": (MAX_CARDS, lambda data, _find: card_from_json(data)),
    "controls": (MAX_CONTROLS, control_from_json),
    "adapters": (MAX_ADAPTERS, adapter_from_json),
}
"""Fields of `Params` that are lists: how many there may be at most, and how each is read."""


def validate(params: Params, *, has_init_image: bool) -> None:
    """Raise `RequestError`, naming the field, unless ``params`` can be run."""
    for spec in PARAM_SPECS.values():
        if spec.minimum is not None:
            _check_range(spec, getattr(params, spec.name))
    for name in ("prompt", "negative_prompt"):
        _check_text(PARAM_SPECS[name], getattr(params, name))
    _check_size(params)
    if has_init_image:
        check_runs(params.steps, params.strength, effective_steps(params.steps, params.strength))


def _check_range(spec: ParamSpec, value: Any) -> None:
    if value is None and spec.is_optional:
        return
    right_kind = isinstance(value, int | float if spec.kind is float else int) and not isinstance(value, bool)
    if not right_kind or (isinstance(value, float) and not math.isfinite(value)):
        kind = "a number" if spec.kind is float else "a whole number"
        raise RequestError(f"{spec.label} is not {kind}", repr(value), spec.tip, param=spec.name)
    assert spec.minimum is not None
    assert spec.maximum is not None
    if not spec.minimum <= value <= spec.maximum:
        raise RequestError(
            f"{spec.label} is out of range",
            f"{str(value)[:40]} is not between {spec.minimum:.10g} and {_plain(spec.maximum)}",
            f"Choose a value from {spec.minimum:.10g} to {_plain(spec.maximum)}.",
            param=spec.name,
        )


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.10g}"


def _check_text(spec: ParamSpec, text: str) -> None:
    if len(text) > MAX_PROMPT_CHARS:
        raise RequestError(
            f"{spec.label} is too long",
            f"{len(text):,} characters, at most {MAX_PROMPT_CHARS:,} are taken",
            "Shorten it.",
            param=spec.name,
        )


def _check_size(params: Params) -> None:
    sides = {"width": params.width, "height": params.height}
    for pair in (sides, {"original_width": params.original_width, "original_height": params.original_height}):
        missing = [name for name, side in pair.items() if side is None]
        if len(missing) == 1:
            detail = f"{PARAM_SPECS[missing[0]].label.lower()} is not given"
            raise RequestError("The size is incomplete", detail, "Give both sides.", param=missing[0])
    for name, side in sides.items():
        if side is not None and side % MULTIPLE:
            lower = max(side // MULTIPLE * MULTIPLE, MULTIPLE)
            raise RequestError(
                f"{PARAM_SPECS[name].label} is not a multiple of {MULTIPLE}",
                f"{side} pixels",
                f"Take {lower} or {side // MULTIPLE * MULTIPLE + MULTIPLE}.",
                param=name,
            )


def params_from_json(data: Any, find_image: FindImages | None = None) -> Params:
    """`Params` from what `Params.to_json` wrote. Unknown keys are left out; a value of the wrong type is refused.
    ``find_image`` is as in `request_from_json`.

    Raises `RequestError` (the caller falls back to defaults and says so).
    """
    if not isinstance(data, dict):
        raise RequestError("The values cannot be read", repr(data)[:80], "")
    known = {name: data[name] for name in PARAM_SPECS if name in data}
    for name, value in known.items():
        is_list = name in _ITEMS
        known[name] = _items(name, value, find_image) if is_list else _typed(PARAM_SPECS[name], value)
    return Params(**known)


def _items(name: str, data: Any, find_image: FindImages | None) -> tuple[Any, ...]:
    """The cards, controls or adapters in ``data``, a list of tables. Raises `RequestError`."""
    most, read = _ITEMS[name]
    try:
        if not isinstance(data, list | tuple):
            raise TypeError("it is not a list")
        if len(data) > most:
            raise ValueError(f"{len(data)} of them; at most {most} are taken")
        return tuple(read(each, find_image) for each in data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
        known = f"{e} is not known here" if isinstance(e, KeyError) else str(e)
        raise RequestError(f"{PARAM_SPECS[name].label}: cannot be read", known, "", param=name) from e


def _typed(spec: ParamSpec, value: Any) -> Any:
    if issubclass(spec.kind, Enum) and value in [each.value for each in spec.kind]:
        return spec.kind(value)
    if value is None and spec.is_optional:
        return None
    if spec.kind is str and isinstance(value, str):
        return value if spec.name in FILE_REFS else clean_text(value)
    if spec.kind is bool and isinstance(value, bool):
        return value
    if spec.kind in (int, float):
        _check_range(spec, value)
        return spec.kind(value)
    raise RequestError(f"{spec.label} cannot be read", repr(value)[:80], "", param=spec.name)
