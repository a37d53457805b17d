"""Colour match: gives a picture the light and dark, or the colours, of another: their average and their spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image

from desktop_app.core.conditions import ColourMatch

CHANNELS = {ColourMatch.LUMINANCE: (0,), ColourMatch.LAB: (0, 1, 2)}
"""Of CIE L*a*b*, which are matched."""

WHITE = (0.95047, 1.0, 1.08883)
"""D65 (IEC 61966-2-1), in which sRGB has its white."""

_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
"""From linear sRGB (IEC 61966-2-1)."""

_KNEE = 6 / 29

ROWS = 256
"""Of a picture, that are brought to other colours at once."""

SAMPLE = 512
"""The side to which pictures are brought to be measured."""


def match_colours(
    picture: Image.Image, root: Image.Image, match: ColourMatch, check: Callable[[], None] = lambda: None
) -> Image.Image:
    """``picture`` with mean and standard deviation of ``root`` in the channels that ``match`` names; both RGB, of any
    size. The statistics are those of Reinhard et al., "Color Transfer between Images" (2001), here in CIE L*a*b*.
    ``check`` is called meanwhile, and may raise.
    """
    import numpy

    if match is ColourMatch.OFF:
        return picture
    wanted, measured = _to_lab(_sample(root)), _to_lab(_sample(picture))
    shifts = [_shift(measured[..., channel], wanted[..., channel]) for channel in CHANNELS[match]]
    matched = Image.new("RGB", picture.size)
    for top in range(0, picture.height, ROWS):  # of a picture out of an upscaler all at once would be gigabytes
        lab = _to_lab(picture.crop((0, top, picture.width, min(top + ROWS, picture.height))))
        for channel, (mean, gain, aim) in zip(CHANNELS[match], shifts, strict=True):
            lab[..., channel] = (lab[..., channel] - mean) * gain + aim
        matched.paste(Image.fromarray(numpy.rint(_to_rgb(lab) * 255).astype(numpy.uint8), "RGB"), (0, top))
        check()
    return matched


def _shift(measured: Any, wanted: Any) -> tuple[float, float, float]:
    """Mean of a channel as it is, what to spread it by, and the mean that it gets."""
    spread = measured.std()
    gain = wanted.std() / spread if spread > 1e-3 else 1.0  # a flat channel has nothing to spread
    return measured.mean(), gain, wanted.mean()


def _sample(picture: Image.Image) -> Image.Image:
    small = picture.convert("RGB")
    small.thumbnail((SAMPLE, SAMPLE), Image.Resampling.BOX)
    return small


def _to_lab(picture: Image.Image) -> Any:
    """(height, width, 3): L* 0 to 100, a* and b* about -128 to 127."""
    import numpy

    rgb = numpy.asarray(picture.convert("RGB"), dtype=numpy.float64) / 255
    linear = numpy.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ numpy.array(_TO_XYZ).T / numpy.array(WHITE)
    bent = numpy.where(xyz > _KNEE**3, numpy.cbrt(xyz), xyz / (3 * _KNEE**2) + 4 / 29)
    x, y, z = (bent[..., index] for index in range(3))
    return numpy.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def _to_rgb(lab: Any) -> Any:
    """(height, width, 3) of 0 to 1; colours that sRGB has not are brought to its edge."""
    import numpy

    y = (lab[..., 0] + 16) / 116
    bent = numpy.stack((y + lab[..., 1] / 500, y, y - lab[..., 2] / 200), axis=-1)
    xyz = numpy.where(bent > _KNEE, bent**3, 3 * _KNEE**2 * (bent - 4 / 29)) * numpy.array(WHITE)
    linear = (xyz @ numpy.linalg.inv(numpy.array(_TO_XYZ)).T).clip(0, 1)
    return numpy.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
