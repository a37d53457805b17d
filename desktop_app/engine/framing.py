"""Framing: what of the init image a run works on, what of it lies inside the mask, and the way back. Pillow only."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image, ImageChops

from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.image import flatten, load_image
from desktop_app.core.mask import from_picture
from desktop_app.core.masking import check_mask, lay_over, masked_box, soften
from desktop_app.core.params import Fit
from desktop_app.core.placement import (
    Placement,
    Size,
    beside,
    close_up,
    lies_on,
    masked_fit,
    place,
    plan_placement,
    take_back,
)
from desktop_app.core.request import ImageRef, Request, StageKind, hash_pixels


@dataclass(frozen=True)
class Picture:
    """What a stage has made: RGB, at the working size or enlarged; or, where ``is_whole``, the init image itself with
    what was painted inside the mask, at its own size.
    """

    image: Image.Image
    is_whole: bool = False


@dataclass(frozen=True)
class View:
    """What an INPAINT sees: ``image`` is RGB at the size in which it works, ``mask`` (L, 0 or 255) the part to paint.
    It shows ``placement`` of the picture ``original``, whose own mask is ``soft``.
    """

    image: Image.Image
    mask: Image.Image
    original: Picture
    soft: Image.Image
    placement: Placement

    def put_back(self, painted: Image.Image) -> Picture:
        """The original with ``painted``, as large as the view, where the mask says; elsewhere each byte as it was."""
        whole = self.original.image.copy()
        left, top = (round(side) for side in self.placement.box[:2])
        whole.paste(take_back(painted, self.placement), (left, top))
        return replace(self.original, image=lay_over(self.original.image, whole, self.soft))


class Glimpse:
    """Previews of what `View.put_back` of ``view`` will give: the whole picture, no side longer than ``side``."""

    def __init__(self, view: View, side: int) -> None:
        self._placement = view.placement
        whole = view.original.image
        self._scale = min(side / max(whole.size), 1.0)
        size = (max(round(whole.width * self._scale), 1), max(round(whole.height * self._scale), 1))
        self._ground, self._soft = (each.resize(size, Image.Resampling.BOX) for each in (whole, view.soft))

    def lay(self, painted: Image.Image) -> Image.Image:
        """``painted``, a small picture of what the view shows, where the mask says."""
        across, down = (has / was for has, was in zip(painted.size, self._placement.working, strict=True))
        left, top, right, bottom = self._placement.inner
        box = (round(self._placement.box[0] * self._scale), round(self._placement.box[1] * self._scale))
        end = (round(self._placement.box[2] * self._scale), round(self._placement.box[3] * self._scale))
        size = (max(end[0] - box[0], 1), max(end[1] - box[1], 1))
        seen = (left * across, top * down, right * across, bottom * down)
        whole = self._ground.copy()
        whole.paste(painted.resize(size, Image.Resampling.BILINEAR, seen), box)
        return lay_over(self._ground, whole, self._soft)


class Frames:
    """The pictures of one request, loaded once. Raises `ImageError` where they are not what they were."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.notes: list[str] = []
        self._init = _load(request.init_image, "init image") if request.init_image else None
        self._mask = self._load_mask() if request.mask else None
        self._soft = self._soften(self._mask) if self._mask else None
        self.placement = self._place() if self._init else None

    def take_notes(self) -> list[str]:
        """What is to be told since this was asked last."""
        notes, self.notes = self.notes, []
        return notes

    @property
    def root(self) -> Image.Image | None:
        """The init image as RGB, at its own size."""
        return flatten(self._init) if self._init else None

    def begin(self) -> Picture | None:
        """What the first stage gets."""
        root = self.root
        if root is None:
            return None
        first = self._request.stages[0]
        keeps_whole = self._request.own_size or self._request.masked_only
        if first.kind is StageKind.INPAINT and keeps_whole:
            return Picture(root, is_whole=True)
        return self.framed(Picture(root, is_whole=True))

    def framed(self, picture: Picture) -> Picture:
        """``picture`` at the working size, unless it is there already, or larger."""
        if not picture.is_whole or self.placement is None:
            return picture
        return Picture(place(picture.image, self.placement))

    def placed(self, picture: Image.Image, size: Size) -> Image.Image:
        """Another picture, RGB, for a stage that works at ``size``: where it has the init image's shape it comes to lie
        on that, else it fills the frame.
        """
        framed = place(picture, beside(self.placement, picture.size, size, self._request.fit))
        return framed if framed.size == size else framed.resize(size, Image.Resampling.LANCZOS)

    def seen(self, picture: Image.Image, view: View) -> Image.Image:
        """As `placed`, for a stage that works on ``view``: what lies on the init image is seen as that is."""
        whole, size = view.original, view.image.size
        if whole.is_whole:
            return place(picture, beside(view.placement, picture.size, size, self._request.fit))
        if self.placement is None or not lies_on(self.placement, picture.size):
            return self.placed(picture, size)
        return place(self.placed(picture, whole.image.size), view.placement)

    def view(self, picture: Picture) -> View:
        """What of ``picture`` an INPAINT sees, and where the mask lies in it."""
        if self._mask is None or self._soft is None:
            raise RequestError("There is no mask", "the stage paints inside a mask only", "Paint one.", param="mask")
        soft = self._soft
        size = picture.image.size
        working = (self._request.width, self._request.height)
        if not picture.is_whole:
            soft = self._fit_mask(soft, size)
        placement = self.placement if picture.is_whole else plan_placement(size, size, Fit.SCALE)
        assert placement is not None
        if soft.getbbox() is None:
            raise _unseen()
        if self._request.masked_only:
            scale = 1.0 if picture.is_whole else self._scale_of(size)
            box = masked_box(soft, 0, round(self._request.mask_padding * scale))
            placement = close_up(box, size, working)
        elif picture.is_whole:
            self._note_cropped(soft, placement)
        mask = _hard_mask(soft, placement)
        if mask.getbbox() is None:
            raise _unseen()
        return View(place(picture.image, placement), mask, picture, soft, placement)

    def _scale_of(self, size: Size) -> float:
        """How many pixels of a picture of ``size``, at the working size or enlarged, are one of the init image."""
        assert self.placement
        left, _top, right, _bottom = self.placement.box
        inner = self.placement.inner[2] - self.placement.inner[0]
        return inner / (right - left) * size[0] / self.placement.working[0]

    def finish(self, picture: Picture) -> Image.Image:
        """``picture`` as the request wants it: at the init image's size or as it came, with the init image's alpha."""
        alpha = self._alpha()
        if self.placement is None:
            return picture.image
        if not picture.is_whole:
            return take_back(picture.image, self.placement, alpha, own_size=self._request.own_size)
        return self._with_alpha(picture.image, alpha) if alpha else picture.image

    def _with_alpha(self, painted: Image.Image, alpha: Image.Image) -> Image.Image:
        """The init image with ``painted`` inside the mask, where it is seen even if nothing was seen there before."""
        assert self._init
        assert self._soft
        marked = self._soft.point([0] + [255] * 255)
        whole = Image.composite(painted, self._init.convert("RGB"), marked)
        whole.putalpha(alpha)
        return whole

    def _alpha(self) -> Image.Image | None:
        """The init image's, and what was painted inside the mask is seen even if nothing was seen there before."""
        if self._init is None or self._init.mode != "RGBA":
            return None
        alpha = self._init.getchannel("A")
        return ImageChops.lighter(alpha, self._soft) if self._soft else alpha

    def _soften(self, mask: Image.Image) -> Image.Image:
        """Raises `ImageError` where the edges are softened so far that nothing is left of the mask."""
        soft = soften(mask, self._request.mask_feather)
        if soft.getbbox() is None:
            detail = f"a feather of {self._request.mask_feather} pixels leaves nothing of what is marked"
            raise ImageError("The mask is too small for its feather", detail, "Feather it less, or mark more.")
        return soft

    def _load_mask(self) -> Image.Image:
        assert self._request.mask
        if self._init is None:
            raise RequestError("A mask needs a picture", "there is no init image", "Open a picture.", param="mask")
        mask = from_picture(_load(self._request.mask, "mask"))
        check_mask(mask, self._init.size)
        return mask

    def _place(self) -> Placement:
        assert self._init
        size, working = self._init.size, (self._request.width, self._request.height)
        return plan_placement(
            size, working, masked_fit(size, working, self._request.fit) if self._mask else self._request.fit
        )

    def _fit_mask(self, soft: Image.Image, size: Size) -> Image.Image:
        """The mask in the frame of a picture of ``size``."""
        assert self.placement
        framed = Image.new("L", self.placement.working)
        left, top, right, bottom = self.placement.inner
        part = soft.resize((right - left, bottom - top), Image.Resampling.BOX, self.placement.box)
        framed.paste(part, (left, top))
        return framed if framed.size == size else framed.resize(size, Image.Resampling.BOX)

    def _note_cropped(self, soft: Image.Image, placement: Placement) -> None:
        left, top, right, bottom = soft.getbbox() or (0, 0, 0, 0)
        box = placement.box
        if left < box[0] or top < box[1] or right > box[2] or bottom > box[3]:
            self.notes.append("What of the mask lies outside the cropped part of the init image stays as it was.")


def _hard_mask(soft: Image.Image, placement: Placement) -> Image.Image:
    """Everything that will show, be it ever so little, is to be painted."""
    marked = soft.point([0] + [255] * 255)
    left, top, right, bottom = placement.inner
    part = marked.resize((right - left, bottom - top), Image.Resampling.BOX, placement.box)
    mask = Image.new("L", placement.working)
    mask.paste(part.point([0] + [255] * 255), (left, top))
    return mask


def _unseen() -> ImageError:
    hint = "Mark more, or choose another fit or a larger size."
    return ImageError("Nothing of the mask is seen", "it is too small, or lies where the picture is cropped", hint)


def _load(ref: ImageRef, what: str) -> Image.Image:
    picture = load_image(ref.path, ref.name)
    if hash_pixels(picture) != ref.sha256:
        name = ref.name or ref.path.name
        raise ImageError(f"The {what} has changed since this was asked for", name, "Open the picture again.")
    return picture
