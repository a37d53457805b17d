"""PIL pictures to QImages and back. Both ways copy, so that neither side can change the other's pixels."""

from __future__ import annotations

from PIL import Image
from PySide6.QtGui import QColorSpace, QImage

from desktop_app.core.errors import ImageError


def to_qimage(picture: Image.Image) -> QImage:
    """``picture`` as RGB888, or as RGBA8888 where it has an alpha band. Raises `ImageError` when memory is short."""
    has_alpha = "A" in picture.getbands()
    flat = picture if picture.mode in ("RGB", "RGBA") else picture.convert("RGBA" if has_alpha else "RGB")
    kind = QImage.Format.Format_RGBA8888 if has_alpha else QImage.Format.Format_RGB888
    view = QImage(flat.tobytes(), flat.width, flat.height, flat.width * len(flat.getbands()), kind)
    return _whole(view.copy())


def from_qimage(image: QImage) -> Image.Image:
    """``image`` as RGB, or RGBA where it has alpha, in sRGB. Raises `ImageError` for an empty image."""
    has_alpha = image.hasAlphaChannel()
    kind = QImage.Format.Format_RGBA8888 if has_alpha else QImage.Format.Format_RGB888
    flat = _whole(_in_srgb(_whole(image)).convertToFormat(kind))
    mode = "RGBA" if has_alpha else "RGB"
    # Qt pads each line to a multiple of four bytes: the raw decoder is told the stride.
    pixels = bytes(flat.constBits())
    return Image.frombytes(mode, (flat.width(), flat.height()), pixels, "raw", mode, flat.bytesPerLine(), 1)


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
