"""PIL pictures to QImages and back. Both ways copy, so that neither side can change the other's pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from PIL import Image
from PySide6.QtGui import QColorSpace, QImage

from desktop_app.core.errors import ImageError

STRIP_BYTES = 2 * 1024 * 1024
"""Copied at a time: Python lets no other thread run in the middle of a copy, not even the window's."""


def to_qimage(picture: Image.Image) -> QImage:
    """``picture`` as RGB888, or as RGBA8888 where it has an alpha band. Raises `ImageError` when memory is short."""
    has_alpha = "A" in picture.getbands()
    flat = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGBA" if has_alpha else "RGB")
    kind = QImage.Format.Format_RGBA8888 if has_alpha else QImage.Format.Format_RGB888
    image = _whole(QImage(flat.width, flat.height, kind))
    stride = image.bytesPerLine()
    pixels = memoryview(image.bits())
    for top, bottom in _strips(flat.height, stride):
        strip = flat.crop((0, top, flat.width, bottom))
        pixels[top * stride : bottom * stride] = strip.tobytes("raw", flat.mode, stride, 1)
    return image


def from_qimage(image: QImage) -> Image.Image:
    """``image`` as RGB, or RGBA where it has alpha, in sRGB. Raises `ImageError` for an empty image."""
    has_alpha = image.hasAlphaChannel()
    kind = QImage.Format.Format_RGBA8888 if has_alpha else QImage.Format.Format_RGB888
    flat = _whole(_in_srgb(_whole(image)).convertToFormat(kind))
    mode = "RGBA" if has_alpha else "RGB"
    stride = flat.bytesPerLine()  # Qt pads each line to a multiple of four bytes
    pixels = memoryview(flat.constBits())
    picture = Image.new(mode, (flat.width(), flat.height()))
    for top, bottom in _strips(flat.height(), stride):
        size = (flat.width(), bottom - top)
        strip = Image.frombytes(mode, size, pixels[top * stride : bottom * stride], "raw", mode, stride, 1)
        picture.paste(strip, (0, top))
    return picture


def to_grey(mask: Image.Image) -> QImage:
    """``mask`` (mode L) as Grayscale8. Raises `ImageError` when memory is short."""
    image = _whole(QImage(mask.width, mask.height, QImage.Format.Format_Grayscale8))
    stride = image.bytesPerLine()
    pixels = memoryview(image.bits())
    for top, bottom in _strips(mask.height, stride):
        strip = mask.crop((0, top, mask.width, bottom))
        pixels[top * stride : bottom * stride] = strip.tobytes("raw", "L", stride, 1)
    return image


def from_grey(image: QImage) -> Image.Image:
    """A Grayscale8 ``image`` as mode L. Raises `ImageError` for an empty image."""
    return grey_view(_whole(image)).copy()


def grey_view(image: QImage) -> Image.Image:
    """The pixels of a Grayscale8 ``image`` themselves, to be read at once: not after it was painted on."""
    size = (image.width(), image.height())
    pixels: Any = image.constBits()  # a memoryview, which Pillow takes though its types do not say so
    return Image.frombuffer("L", size, pixels, "raw", "L", image.bytesPerLine(), 1)


def _strips(height: int, stride: int) -> Iterator[tuple[int, int]]:
    rows = max(STRIP_BYTES // stride, 1)
    return ((top, min(top + rows, height)) for top in range(0, height, rows))


def _in_srgb(image: QImage) -> QImage:
    srgb = QColorSpace(QColorSpace.NamedColorSpace.SRgb)
    space = image.colorSpace()
    return image.convertedToColorSpace(srgb) if space.isValid() and space != srgb else image


def _whole(image: QImage) -> QImage:
    if image.isNull():
        raise ImageError(
            "The picture is empty", "There are no pixels in it, or no memory to hold them.", "Try another."
        )
    return image
