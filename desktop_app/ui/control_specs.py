"""What each value of a control image may be, for its sliders, as `PARAM_SPECS` says it of `Params`."""

from __future__ import annotations

from desktop_app.core.conditions import MAX_WEIGHT
from desktop_app.core.params import ParamSpec
from desktop_app.ui.texts import QT_TRANSLATE_NOOP

LEAST_SHARE = 0.01
"""Of the schedule, between start and end: a control image that never counts is switched off, not shortened away."""

CONTROL_SPECS: dict[str, ParamSpec] = {
    spec.name: spec
    for spec in (
        ParamSpec(
            "weight",
            QT_TRANSLATE_NOOP("Params", "Weight"),
            float,
            QT_TRANSLATE_NOOP("Params", "How much the control image counts. 1 is usual; more stiffens the picture."),
            0.0,
            MAX_WEIGHT,
            0.05,
        ),
        ParamSpec(
            "start",
            QT_TRANSLATE_NOOP("Params", "Starts at"),
            float,
            QT_TRANSLATE_NOOP("Params", "The share of the denoising schedule after which the control image counts."),
            0.0,
            1.0 - LEAST_SHARE,
            0.01,
        ),
        ParamSpec(
            "end",
            QT_TRANSLATE_NOOP("Params", "Ends at"),
            float,
            QT_TRANSLATE_NOOP("Params", "The share of the schedule after which it counts no more: details come free."),
            LEAST_SHARE,
            1.0,
            0.01,
        ),
        ParamSpec(
            "low",
            QT_TRANSLATE_NOOP("Params", "Low threshold"),
            int,
            QT_TRANSLATE_NOOP("Params", "A weaker edge never counts. Lower: more edges."),
            0,
            255,
            1,
        ),
        ParamSpec(
            "high",
            QT_TRANSLATE_NOOP("Params", "High threshold"),
            int,
            QT_TRANSLATE_NOOP("Params", "A stronger edge always counts, with weaker ones that touch it."),
            0,
            255,
            1,
        ),
    )
}
