"""MaskPicture: a mask that draws itself over pictures: a tint with its soft edge, and an outline."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cache

from PIL import Image, ImageChops
from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, qRgba

from desktop_app.core.masking import soften
from desktop_app.studio.mask_layer import MaskLayer

SIDE = 512
"""Of a tile, in pixels of its level."""

MAX_TILES = 96
MAX_LEVEL = 7
MIN_LEVEL = -5

TINT = QColor(255, 45, 85)
INNER, OUTER = 255, 254
"""Indices of the outline: bright inside and dark outside, so that it is seen on any picture."""

MOST = 253
"""Index of the full tint."""

_TINT_OF = [value * MOST // 255 for value in range(256)]
_ANY = [0] + [255] * 255

BLUR_AT_MOST = 24
"""Pixels. Wider soft edges are made at half the size, or a quarter, which nobody sees."""

Key = tuple[int, int, int]
Box = tuple[int, int, int, int]


@dataclass
class _Tile:
    """A square of one level. ``index`` is None where nothing is marked; ``stale`` is what must be made anew."""

    index: Image.Image | None = None
    images: dict[float, QImage] = field(default_factory=dict)
    stale: QRect = field(default_factory=QRect)


class MaskPicture:
    """Keeps tiles of ``layer`` at the sizes they are drawn at; after a stroke only what it touched is made anew.

    Level 0 has the mask's own pixels, level 1 half as many a side, level -1 twice as many, and so on.
    """

    def __init__(self, layer: MaskLayer) -> None:
        self._layer = layer
        self._feather = 0
        self._tiles: OrderedDict[Key, _Tile] = OrderedDict()

    @property
    def feather(self) -> int:
        """How far its edge is soft, in pixels of the mask, on either side."""
        return self._feather

    @feather.setter
    def feather(self, feather: int) -> None:
        self._feather = feather
        self._tiles.clear()

    def forget(self) -> None:
        """It is another mask."""
        self._tiles.clear()

    def reach(self, rect: QRect) -> QRect:
        """What looks different when the pixels in ``rect`` are others, but for two pixels of a level around it."""
        return _widened(rect, self._margin(0))

    def touch(self, rect: QRect) -> None:
        """The pixels in ``rect`` are others."""
        for key, tile in self._tiles.items():
            changed = _widened(rect, self._margin(key[0]))
            stale = _on_level(changed, key[0]) & _tile_rect(key)
            if not stale.isEmpty():
                tile.stale = tile.stale | stale

    def draw(self, painter: QPainter, target: QRectF, seen: QRectF, *, ratio: float, opacity: float) -> None:
        """Draw what lies in ``seen`` of the mask that fills ``target``; the tint is opaque to ``opacity`` at most."""
        size = self._layer.size
        seen = seen & target
        if size is None or seen.isEmpty():
            return
        scale = target.width() / size.width()
        level = min(max(round(-math.log2(scale * ratio)), MIN_LEVEL), MAX_LEVEL)
        unit_x, unit_y = scale * 2.0**level, target.height() / size.height() * 2.0**level
        first_x, first_y = int((seen.left() - target.left()) / unit_x), int((seen.top() - target.top()) / unit_y)
        last_x, last_y = int((seen.right() - target.left()) / unit_x), int((seen.bottom() - target.top()) / unit_y)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for y in range(first_y // SIDE, last_y // SIDE + 1):
            for x in range(first_x // SIDE, last_x // SIDE + 1):
                image = self._image((level, x, y), opacity)
                if image is not None:
                    left, top = target.left() + x * SIDE * unit_x, target.top() + y * SIDE * unit_y
                    place = QRectF(left, top, image.width() * unit_x, image.height() * unit_y)
                    painter.drawImage(place, image, QRectF(image.rect()))

    def _image(self, key: Key, opacity: float) -> QImage | None:
        tile = self._tile(key)
        if tile.index is None:
            return None
        if opacity not in tile.images:
            tile.images[opacity] = _coloured(tile.index, opacity)
        return tile.images[opacity]

    def _tile(self, key: Key) -> _Tile:
        tile = self._tiles.get(key)
        whole = _tile_rect(key) & self._level_rect(key[0])
        if tile is None:
            tile = self._tiles[key] = _Tile(stale=whole)
            while len(self._tiles) > MAX_TILES:
                self._tiles.popitem(last=False)
        self._tiles.move_to_end(key)
        stale = tile.stale & whole
        if not stale.isEmpty():
            tile.images.clear()
            made = self._make(stale, key[0])
            if stale == whole:
                tile.index = made
            elif made is not None or tile.index is not None:
                tile.index = tile.index or Image.new("L", (whole.width(), whole.height()))
                blank = made or Image.new("L", (stale.width(), stale.height()))
                tile.index.paste(blank, (stale.left() - whole.left(), stale.top() - whole.top()))
        tile.stale = QRect()
        return tile

    def _level_rect(self, level: int) -> QRect:
        size = self._layer.size
        assert size is not None
        width, height = (math.ceil(side / 2.0**level) for side in (size.width(), size.height()))
        return QRect(0, 0, width, height)

    def _make(self, rect: QRect, level: int) -> Image.Image | None:
        """The indices of ``rect``, in pixels of ``level``; None where nothing is marked or soft."""
        whole = self._layer.size
        assert whole is not None
        source = _on_mask(rect, level)
        around = _aligned(_widened(source, self._margin(level)), self._step(level))
        wide = around & QRect(0, 0, whole.width(), whole.height())
        mask = self._layer.crop(wide)
        least, most = mask.getextrema()
        if most == 0:
            return None
        if least == 255 and wide == around:  # deep inside, where there is no edge to be softened or outlined
            return Image.new("L", (rect.width(), rect.height()), MOST)
        smaller, larger = 2 ** max(level, 0), 2 ** max(-level, 0)
        seen = rect if level >= 0 else source
        left, top = seen.left() - wide.left() // smaller, seen.top() - wide.top() // smaller
        box = (left, top, left + seen.width(), top + seen.height())
        hard = mask.reduce(smaller) if smaller > 1 else mask
        soft = self._soft(hard, box, level)
        hard = hard.crop(_ring(box)).point(_ANY)
        at = (rect.left() - seen.left() * larger, rect.top() - seen.top() * larger)
        box = (*at, at[0] + rect.width(), at[1] + rect.height())
        ring = _ring((box[0] + larger, box[1] + larger, box[2] + larger, box[3] + larger))
        return _indices(_enlarged(soft, larger).crop(box), _enlarged(hard, larger).crop(ring))

    def _soft(self, mask: Image.Image, box: Box, level: int) -> Image.Image:
        """What lies in ``box`` of the softened ``mask``, both in pixels of ``level``, or of the mask itself where those
        are smaller. No more is enlarged than is asked for.
        """
        if not self._feather:
            return mask.crop(box)
        step = self._step(level)
        fewer = step // 2 ** max(level, 0)
        soft = soften(mask.reduce(fewer) if fewer > 1 else mask, round(self._feather / step))
        if fewer == 1:
            return soft.crop(box)
        left, top, right, bottom = box
        size = (right - left, bottom - top)
        return soft.resize(size, Image.Resampling.BILINEAR, (left / fewer, top / fewer, right / fewer, bottom / fewer))

    def _step(self, level: int) -> int:
        """Pixels of the mask a side that become one where its edge is softened: a wide edge is made smaller."""
        feather = self._feather / 2.0 ** max(level, 0)
        extra = max(math.ceil(math.log2(feather / BLUR_AT_MOST)), 0) if feather > BLUR_AT_MOST else 0
        return 1 << (max(level, 0) + extra)

    def _margin(self, level: int) -> int:
        """How far a pixel of the mask is seen at ``level``: farther where the edge was made smaller meanwhile."""
        return self._feather + 2 * self._step(level)


def _indices(soft: Image.Image, hard: Image.Image) -> Image.Image:
    """The tint by the ``soft`` mask and the outline of the ``hard`` one, which has a pixel more on each side."""
    index = soft.point(_TINT_OF)
    least, most = hard.getextrema()
    if least == most:  # there is no edge here
        return index
    width, height = size = soft.size
    middle = hard.crop((1, 1, width + 1, height + 1))
    smaller, larger = middle, middle
    for x, y in ((0, 1), (2, 1), (1, 0), (1, 2)):
        beside = hard.crop((x, y, x + width, y + height))
        smaller, larger = ImageChops.darker(smaller, beside), ImageChops.lighter(larger, beside)
    index.paste(OUTER, (0, 0, *size), ImageChops.subtract(larger, middle))
    index.paste(INNER, (0, 0, *size), ImageChops.subtract(middle, smaller))
    return index


def _coloured(index: Image.Image, opacity: float) -> QImage:
    image = QImage(index.tobytes(), index.width, index.height, index.width, QImage.Format.Format_Indexed8)
    image.setColorTable(_colours(opacity))
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


@cache
def _colours(opacity: float) -> list[int]:
    red, green, blue = TINT.red(), TINT.green(), TINT.blue()
    tints = [qRgba(red, green, blue, round(255 * opacity * value / MOST)) for value in range(MOST + 1)]
    return [*tints, qRgba(0, 0, 0, 150), qRgba(255, 255, 255, 235)]


def _enlarged(mask: Image.Image, times: int) -> Image.Image:
    return mask.resize((mask.width * times, mask.height * times), Image.Resampling.NEAREST) if times > 1 else mask


def _ring(box: Box) -> Box:
    return box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1


def _widened(rect: QRect, pixels: int) -> QRect:
    return rect.adjusted(-pixels, -pixels, pixels, pixels)


def _tile_rect(key: Key) -> QRect:
    return QRect(key[1] * SIDE, key[2] * SIDE, SIDE, SIDE)


def _down(position: int, level: int) -> int:
    """A position on the mask in pixels of ``level``."""
    return position >> level if level >= 0 else position << -level


def _on_level(rect: QRect, level: int) -> QRect:
    """The pixels of ``level`` that ``rect`` of the mask touches."""
    left, top = _down(rect.left(), level), _down(rect.top(), level)
    right, bottom = _down(rect.right() + 1, level), _down(rect.bottom() + 1, level)
    more = 1 if level > 0 else 0
    return QRect(left - more, top - more, right - left + 2 * more + 1, bottom - top + 2 * more + 1)


def _on_mask(rect: QRect, level: int) -> QRect:
    """The pixels of the mask that ``rect`` of ``level`` shows."""
    if level >= 0:
        return QRect(rect.left() << level, rect.top() << level, rect.width() << level, rect.height() << level)
    left, top = rect.left() >> -level, rect.top() >> -level
    return QRect(left, top, (rect.right() >> -level) - left + 1, (rect.bottom() >> -level) - top + 1)


def _aligned(rect: QRect, step: int) -> QRect:
    """``rect`` made larger until its edges lie on multiples of ``step``."""
    left, top = rect.left() // step * step, rect.top() // step * step
    right, bottom = -(-(rect.right() + 1) // step) * step, -(-(rect.bottom() + 1) // step) * step
    return QRect(left, top, right - left, bottom - top)
