"""Sweep: the same request with one or two values varied, so that their effect can be seen side by side."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from desktop_app.core.errors import RequestError
from desktop_app.core.params import PARAM_SPECS, Params, ParamSpec, clean_text
from desktop_app.core.request import Request
from desktop_app.core.schedulers import SCHEDULERS

SWEPT = (
    "strength",
    "guidance_scale",
    "steps",
    "seed",
    "scheduler",
    "prompt",
    "negative_prompt",
    "prior_steps",
    "prior_guidance_scale",
    "refiner_share",
    "refiner_strength",
    "mask_feather",
)
"""Fields of `Params` that can be varied."""

TEXTS = ("prompt", "negative_prompt")
"""Of these, those in which the first text is looked for, and each of the others put into its place."""

MAX_CELLS = 100
MAX_AXES = 2
AS_NUMBERS = "Write numbers with commas between them, or 0.2..0.8 step 0.2, or 0.2..0.8 in 4."
_RANGE = re.compile(r"\s*(-?[\d.]{1,40})\s*\.\.\s*(-?[\d.]{1,40})\s*(?:step\s*([\d.]{1,40})|in\s*(\d{1,9}))\s*")


@dataclass(frozen=True)
class Axis:
    """The field ``param`` of `Params` with each of ``values``; ``labels`` are how they are called."""

    param: str
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """What the user knows it by."""
        return PARAM_SPECS[self.param].label

    @property
    def labels(self) -> tuple[str, ...]:
        """One for each value."""
        return tuple(label_of(value) for value in self.values)


@dataclass(frozen=True)
class Cell:
    """One picture of a sweep: ``row`` and ``column`` of the grid, and the values that make it."""

    row: int
    column: int
    params: Params


def read_axis(param: str, text: str) -> Axis:
    """The axis that ``text`` says: values with commas between them, or "0.2..0.8 step 0.2", or "0.2..0.8 in 4".

    In prompts the first text is what is replaced by each of the others, and stands for itself in the first picture;
    texts with commas of their own stand in quotes. Raises `RequestError`.
    """
    if param not in SWEPT:
        known = ", ".join(PARAM_SPECS[name].flag for name in SWEPT)
        raise RequestError("This value cannot be varied", param, f"Possible are: {known}.", param=param)
    spec = PARAM_SPECS[param]
    values = _range(spec, text) if spec.kind in (int, float) else None
    if values is None:
        parts = [part.strip() for part in _parts(spec, text) if part.strip()]
        values = tuple(_value(spec, part) for part in parts)
    if len(values) < 2:
        raise _refused(spec, "fewer than two values", "Give several, with commas between them.")
    if len(set(values)) < len(values):
        raise _refused(spec, "a value is there twice", "Give each once.")
    return Axis(param, values)


def sweep(params: Params, axes: Sequence[Axis], seed: int) -> list[Cell]:
    """A cell for each value of the first axis (columns) and the second (rows), all with ``seed`` unless that is varied.

    Raises `RequestError`.
    """
    if not 1 <= len(axes) <= MAX_AXES or len({axis.param for axis in axes}) < len(axes):
        raise RequestError("A sweep varies one value, or two different ones", "", "Choose others.", param="seed")
    columns, rows = axes[0], axes[1] if len(axes) > 1 else None
    count = len(columns.values) * (len(rows.values) if rows else 1)
    if count > MAX_CELLS:
        detail = f"{count} of them; at most {MAX_CELLS} are made"
        raise RequestError("These are too many pictures", detail, "Give fewer values.", param=columns.param)
    plain = replace(params, seed=seed, count=1)
    cells = []
    for row in range(len(rows.values) if rows else 1):
        base = _with(plain, rows, row) if rows else plain
        cells += [Cell(row, column, _with(base, columns, column)) for column in range(len(columns.values))]
    return cells


def refuse_alike(axes: Sequence[Axis], requests: Sequence[Request]) -> None:
    """Raise `RequestError` where one of ``axes`` changes nothing; ``requests`` are those of the cells in order."""
    columns = len(axes[0].values) if axes else 0
    for axis, distance in zip(axes, (1, columns), strict=False):
        if requests[0] == requests[distance]:
            detail = "all pictures would be the same"
            raise _refused(PARAM_SPECS[axis.param], detail, "It has no effect as things are: vary something else.")


def title_of(requests: Sequence[Request], prompt: str) -> str:
    """What stands over the grid of ``requests``: the prompt that they share, or ``prompt`` as it was written where its
    choices differ.
    """
    first = requests[0].stages[0].prompt
    return first if all(request.stages[0].prompt == first for request in requests) else prompt


def _parts(spec: ParamSpec, text: str) -> list[str]:
    if spec.name not in TEXTS:
        return text.split(",")
    try:
        return next(csv.reader([clean_text(text).replace("\n", " ")], skipinitialspace=True), [])
    except csv.Error as e:
        raise _refused(spec, str(e), "Give texts with commas between them.") from e


def _with(params: Params, axis: Axis, index: int) -> Params:
    value = axis.values[index]
    if axis.param not in TEXTS:
        return replace(params, **{axis.param: value})
    text, wanted = getattr(params, axis.param), axis.values[0]
    if wanted not in text:
        detail = f"{wanted!r} is not in it"
        hint = "The first text of a sweep is what the others replace."
        raise RequestError(f"{axis.name} cannot be varied", detail, hint, param=axis.param)
    return replace(params, **{axis.param: text.replace(wanted, value)})


def _value(spec: ParamSpec, text: str) -> Any:
    if spec.name == "scheduler":
        names = {known.label.lower(): name for name, known in SCHEDULERS.items()} | {name: name for name in SCHEDULERS}
        if text.lower() not in names:
            raise _refused(spec, repr(text), f"Known are: {', '.join(SCHEDULERS)}.")
        return names[text.lower()]
    if spec.kind is str:
        return text
    return _checked(spec, _number(spec, text))


def _range(spec: ParamSpec, text: str) -> tuple[Any, ...] | None:
    """The values of "from..to step by" or "from..to in count"; None where it is none."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    low, high = (_number(spec, match[index]) for index in (1, 2))
    if match[4]:
        count = int(match[4])
        gap = (high - low) / (count - 1) if count > 1 else Decimal(0)
    else:
        gap = _number(spec, match[3]).copy_sign(high - low)
        count = int((high - low) / gap) + 1 if gap else 0
    if not 2 <= count <= MAX_CELLS:
        raise _refused(spec, f"{count} values", f"Give 2 to {MAX_CELLS} of them.")
    values = (low + gap * index for index in range(count))
    if spec.kind is int and match[4]:
        return tuple(_checked(spec, Decimal(round(value))) for value in values)
    return tuple(_checked(spec, round(value, 6)) for value in values)


def _number(spec: ParamSpec, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as e:
        raise _refused(spec, f"{text[:40]!r} is not a number", AS_NUMBERS) from e
    if not number.is_finite():
        raise _refused(spec, f"{text[:40]!r} is not a number", AS_NUMBERS)
    return number


def _checked(spec: ParamSpec, number: Decimal) -> Any:
    """The range comes first: nobody has the time for all figures of 1e99999999."""
    least, most = spec.minimum, spec.maximum
    if least is not None and most is not None and not least <= number <= most:
        raise _refused(spec, f"{number:g} is not between {least:g} and {most:g}", spec.tip)
    if spec.kind is int and number != number.to_integral_value():
        raise _refused(spec, f"{float(number):g} is not a whole number", spec.tip)
    return spec.kind(number)


def label_of(value: Any) -> str:
    """``value`` as it is written beside pictures."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refused(spec: ParamSpec, detail: str, hint: str) -> RequestError:
    return RequestError(f"{spec.label} cannot be varied", detail, hint, param=spec.name)
