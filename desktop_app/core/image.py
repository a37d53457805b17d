"""Pictures from anywhere, brought to one form: upright, 8 bits, sRGB, RGB or RGBA. The one loader of the program."""

from __future__ import annotations

import errno
import io
import math
import os
import stat
import struct
import threading
import warnings
import zlib
from pathlib import Path

from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from desktop_app.core.errors import ImageError

MAX_FILE_BYTES = 200 * 1024 * 1024
MAX_PIXELS = 100_000_000
MAX_SIDE = 30_000
MAX_TEXT_CHARS = 1024 * 1024
"""Of one text in a PNG; longer ones are not ours."""

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif")

_CAN_OPEN = "Underpaint opens PNG, JPEG, WebP, AVIF, TIFF, BMP and GIF."
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "a PDF document", "Export the page as PNG first."),
    (b"<svg", "an SVG drawing", "Export it as PNG first."),
    (b"<html", "a web page", "Save the picture itself, not the page."),
    (b"<!doctype html", "a web page", "Save the picture itself, not the page."),
    (b"8BPS", "a Photoshop document", "Export it as PNG or TIFF first."),
    (b"gimp xcf", "a GIMP document", "Export it as PNG first."),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_LOAD_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""What decoders of damaged pictures are known to raise."""


class _Quiet:
    """Keeps Pillow's warnings in while any thread is inside: bombs are refused by size, and odd metadata is no fault
    of the pixels. Filters belong to the whole process, so blocks of ``warnings.catch_warnings`` that overlap in two
    threads put back each other's: the first thread in sets the filter and the last one out restores.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


_quiet = _Quiet()


def load_image(source: Path | bytes, name: str = "") -> Image.Image:
    """The picture in a file, or in a file's contents, as RGB or RGBA without any info. Raises `ImageError`.

    ``name`` is what errors call it. Of an animation it is the first frame; alpha is kept; a colour profile is applied.
    """
    called = name or (source.name if isinstance(source, Path) else "the picture")
    content = _read(source, called)
    try:
        with _quiet:
            image = _open(content, called)
            image.load()
            return _to_srgb(_upright(_black_is_zero(image)))
    except (MemoryError, *_LOAD_ERRORS) as e:
        raise _failed(called, e) from e


def read_texts(source: Path | bytes) -> dict[str, str]:
    """The texts of a PNG by key; none for a picture without any, or of another format. Raises `ImageError`."""
    called = source.name if isinstance(source, Path) else "the picture"
    content = _read(source, called)
    try:
        with _quiet:
            image = _open(content, called)
            if not isinstance(image, PngImagePlugin.PngImageFile):
                return {}
            texts = image.text  # reads on to the end of the file: texts may stand behind the pixels
    except (MemoryError, *_LOAD_ERRORS) as e:
        raise _failed(called, e) from e
    return {key: str(text) for key, text in texts.items() if len(text) <= MAX_TEXT_CHARS}


def flatten(image: Image.Image, background: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """``image`` as RGB, laid on ``background`` where it has alpha."""
    if "A" not in image.getbands():
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, background)
    ground.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return ground


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    """A copy of which no side is longer than ``side`` pixels."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return small


def encode_png(image: Image.Image, texts: dict[str, str] | None = None, level: int = 1) -> bytes:
    """``image`` (RGB, RGBA, grey) as PNG with ``texts``, which are UTF-8; but the generation text of other programs is
    Latin-1 where that can write it, since some of their readers know no other kind.
    """
    info = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        if key == "parameters" and _is_latin(text):
            info.add_text(key, text)
        else:
            info.add_itxt(key, text.encode(errors="replace").decode())
    content = io.BytesIO()
    image.save(content, "PNG", pnginfo=info, compress_level=level)
    return content.getvalue()


def _is_latin(text: str) -> bool:
    return all(ord(char) < 256 for char in text)


# Reading -----------------------------------------------------------------------------------------


def _read(source: Path | bytes, called: str) -> bytes:
    content = source if isinstance(source, bytes) else _read_file(source, called)
    if not content:
        raise ImageError("The picture is empty", f"{called} has no bytes in it", "Fetch or export it again.")
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(called, len(content))
    return content


def _read_file(path: Path, called: str) -> bytes:
    """The contents of a plain file. Opened without waiting, since a pipe or a device could keep us for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as e:
        raise _unreadable(path, called, e) from e
    info = os.fstat(descriptor)
    if stat.S_ISDIR(info.st_mode):
        os.close(descriptor)
        raise _is_folder(called)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(info.st_mode):
            raise ImageError("This is no file", f"{called} is a pipe or a device", "Choose a picture file.")
        if info.st_size > MAX_FILE_BYTES:
            raise _too_large(called, info.st_size)
        try:
            return file.read(MAX_FILE_BYTES + 1)
        except MemoryError as e:
            raise _failed(called, e) from e
        except OSError as e:
            raise _unreadable(path, called, e) from e


def _unreadable(path: Path, called: str, e: OSError | ValueError) -> ImageError:
    code = e.errno if isinstance(e, OSError) else None
    if code in (errno.ENOENT, errno.ENOTDIR):
        return ImageError("The picture does not exist", str(path), "Check the name; it may have been moved.")
    if code in (errno.EACCES, errno.EPERM):
        if path.is_dir():
            return _is_folder(called)
        return ImageError("The picture may not be read", str(path), "Give yourself the right to read this file.")
    if code == errno.ENXIO:
        return ImageError("This is no file", f"{called} is a pipe or a device", "Choose a picture file.")
    return ImageError("The picture cannot be read", f"{path}: {_reason(e)}", "Check the disk, then try again.")


def _is_folder(called: str) -> ImageError:
    return ImageError("This is a folder", called, "Choose one of the pictures in it.")


def _too_large(called: str, size: int) -> ImageError:
    limit = MAX_FILE_BYTES // 1024**2
    detail = f"{called} has {size / 1024**2:,.0f} MiB, at most {limit} are read"
    return ImageError("The file is too large", detail, "Save it with compression, or scale it down.")


def _open(content: bytes, called: str) -> Image.Image:
    """The picture's header, of a size that may be decoded. The kind is told by the contents, never by the name."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as e:
        raise _unknown(content, called) from e
    except Image.DecompressionBombError as e:
        raise ImageError("The picture has too many pixels", called, _SCALE_DOWN) from e
    _check_size(image.size, called)
    return image


_SCALE_DOWN = f"At most {MAX_PIXELS // 10**6} megapixels are opened: scale it down first."


def _check_size(size: tuple[int, int], called: str) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError("The picture is empty", f"{called} has {width} × {height} pixels", "Export it again.")
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise ImageError("The picture has too many pixels", f"{called} has {width:,} × {height:,}", _SCALE_DOWN)


def _unknown(content: bytes, called: str) -> ImageError:
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF_BRANDS:
        return ImageError("HEIC pictures cannot be opened", called, "Export it as JPEG or PNG first.")
    for mark, kind, hint in _FOREIGN:
        if start.startswith(mark.lower()) or (mark == b"<svg" and start.startswith(b"<?xml") and mark in start):
            return ImageError("This is no picture that can be opened", f"{called} is {kind}", hint)
    if b"\0" not in content[:1024]:
        return ImageError("This is no picture", f"{called} is a text", _CAN_OPEN)
    return ImageError("This is no picture that is known here", called, _CAN_OPEN)


def _failed(called: str, e: Exception) -> ImageError:
    if isinstance(e, MemoryError):
        return ImageError("The picture does not fit into memory", called, "Close other programs, or scale it down.")
    if "MAX_TEXT" in str(e):  # Pillow's word for texts and profiles that unpack to more than it takes
        return ImageError("The picture's metadata are too large", called, "Export it again without metadata.")
    return ImageError("The picture is damaged", f"{called}: {_reason(e)}", "Fetch or export it again.")


def _reason(e: Exception) -> str:
    text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
    return text.strip()[:200] or type(e).__name__


# One form ----------------------------------------------------------------------------------------


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _black_is_zero(image: Image.Image) -> Image.Image:
    """Pillow 13.0 turns TIFF greys whose zero is white round, but for those of 16 bits."""
    if not image.mode.startswith("I;16") or not isinstance(image, TiffImageFile):
        return image
    if image.tag_v2.get(_PHOTOMETRIC) != 0:
        return image
    turned = image.convert("I").point(lambda value: value * -1 + 65535).convert("I;16")
    turned.info = dict(image.info)
    return turned


_PHOTOMETRIC = 262
"""The TIFF tag that says what zero is."""


def _upright(image: Image.Image) -> Image.Image:
    """Turned as EXIF says; where that is damaged, as it lies. ``ImageOps.exif_transpose`` also writes the other tags
    anew, and refuses a sound picture because of a damaged one (Pillow 13.0).
    """
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _LOAD_ERRORS:
        return image
    return image if turn is None else image.transpose(turn)


def _to_srgb(image: Image.Image) -> Image.Image:
    """A picture that holds nothing but its pixels, and no file."""
    alpha = _alpha(image)
    colours = _colours(image)
    if alpha is not None:
        colours.putalpha(alpha)
    colours.info = {}
    return colours


_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def _alpha(image: Image.Image) -> Image.Image | None:
    if image.mode in _WITH_ALPHA:  # the bands of LAB have an A that is none
        return image.getchannel("A") if image.mode in ("RGBA", "LA", "PA") else image.convert("RGBA").getchannel("A")
    if "transparency" not in image.info:
        return None
    if image.mode.startswith("I"):  # which Pillow cannot convert: the one deep grey named is clear
        table = [255] * 65536
        table[image.info["transparency"]] = 0
        return image.convert("I").point(table, "L")
    return image.convert("RGBA").getchannel("A")


def _colours(image: Image.Image) -> Image.Image:
    """RGB in sRGB, without alpha; always a new picture."""
    plain = _eight_bit(image)
    if plain.mode in ("LA", "La"):
        plain = plain.convert("L")
    elif plain.mode in (*_WITH_ALPHA, "P", "YCbCr", "HSV"):
        plain = plain.convert("RGBA").convert("RGB") if plain.mode in _WITH_ALPHA else plain.convert("RGB")
    elif plain.mode == "LAB":
        return ImageCms.applyTransform(plain, _FROM_LAB) or plain.convert("RGB")
    profile = image.info.get("icc_profile")
    managed = _apply_profile(plain, profile) if profile else None
    return managed or plain.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Deep greys brought to 8 bits by scaling; Pillow itself would clip them."""
    if not image.mode.startswith("I") and image.mode != "F":
        return image
    deep = image.convert("I") if image.mode.startswith("I;16") else image
    scale = 255 / (65535 if image.mode.startswith("I;16") else _white(deep))
    return deep.point(lambda value: value * scale + 0.5).convert("L")


def _white(image: Image.Image) -> float:
    """The grey that becomes white: the usual one that all pixels keep to, else the brightest pixel."""
    brightest = float(image.getextrema()[1])  # type: ignore[arg-type]
    if not math.isfinite(brightest):
        raise ValueError("it has pixels that are no numbers")
    if image.mode == "F" and brightest <= 2:  # 0 to 1, perhaps with highlights beyond
        return max(brightest, 1.0)
    return next((usual for usual in (255.0, 65535.0) if brightest <= usual), brightest)


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """None where the profile is damaged, or is for another kind of picture: then the numbers are taken as sRGB."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(
            image,
            source,
            _SRGB,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_FROM_LAB = ImageCms.buildTransform(ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB")
