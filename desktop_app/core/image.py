"""Pictures from anywhere, brought to one form: upright, 8 bits, sRGB, RGB or RGBA. The one loader of the program."""

from __future__ import annotations

import errno
import io
import os
import stat
import warnings
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

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
)
"""What decoders of damaged pictures are known to raise."""


def load_image(source: Path | bytes, name: str = "") -> Image.Image:
    """The picture in a file, or in a file's contents, as RGB or RGBA without any info. Raises `ImageError`.

    ``name`` is what errors call it. Of an animation it is the first frame; alpha is kept; a colour profile is applied.
    """
    called = name or (source.name if isinstance(source, Path) else "the picture")
    content = _read(source, called)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bombs are refused below, by size; odd metadata is no fault of the pixels
            image = _open(content, called)
            _check_size(image.size, called)
            image.load()
            upright = ImageOps.exif_transpose(image)
            return _strip(_to_srgb(upright))
    except MemoryError as e:
        raise ImageError("The picture does not fit into memory", called, "Close other programs, or scale it.") from e
    except _LOAD_ERRORS as e:
        raise ImageError("The picture is damaged", f"{called}: {_reason(e)}", "Fetch or export it again.") from e


def read_texts(source: Path | bytes) -> dict[str, str]:
    """The texts of a PNG by key; none for a picture without any, or of another format. Raises `ImageError`."""
    called = source.name if isinstance(source, Path) else "the picture"
    content = _read(source, called)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _open(content, called)
            if not isinstance(image, PngImagePlugin.PngImageFile):
                return {}
            _check_size(image.size, called)
            texts = image.text  # reads on to the end of the file: texts may stand behind the pixels
    except _LOAD_ERRORS as e:
        raise ImageError("The picture is damaged", f"{called}: {_reason(e)}", "Fetch or export it again.") from e
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
    """``image``, RGB or RGBA, as PNG. Texts that Latin-1 can write are plain, since old readers know only those."""
    info = PngImagePlugin.PngInfo()
    for key, text in (texts or {}).items():
        try:
            text.encode("latin-1")
            info.add_text(key, text)
        except UnicodeEncodeError:
            info.add_itxt(key, text)
    content = io.BytesIO()
    image.save(content, "PNG", pnginfo=info, compress_level=level)
    return content.getvalue()


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
    """The picture's header. The kind is told by the contents, never by the name."""
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as e:
        raise _unknown(content, called) from e
    except Image.DecompressionBombError as e:
        raise ImageError("The picture has too many pixels", called, _SCALE_DOWN) from e


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


def _reason(e: Exception) -> str:
    text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
    return text.strip()[:200] or type(e).__name__


# One form ----------------------------------------------------------------------------------------


def _to_srgb(image: Image.Image) -> Image.Image:
    alpha = _alpha(image)
    colours = _colours(image)
    if alpha is not None:
        colours.putalpha(alpha)
    return colours


_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def _alpha(image: Image.Image) -> Image.Image | None:
    if image.mode in _WITH_ALPHA:  # the bands of LAB have an A that is none
        return image.getchannel("A") if image.mode in ("RGBA", "LA", "PA") else image.convert("RGBA").getchannel("A")
    return image.convert("RGBA").getchannel("A") if "transparency" in image.info else None


def _colours(image: Image.Image) -> Image.Image:
    """RGB in sRGB, without alpha."""
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
    """16-bit and other deep greys brought to 8 bits by scaling; Pillow itself would clip them."""
    if image.mode.startswith("I;16"):
        return image.convert("I").point(lambda value: value / 257).convert("L")
    if image.mode == "I":
        top = image.getextrema()[1]
        return image.point(lambda value: value / 257).convert("L") if top > 255 else image.convert("L")  # type: ignore[operator]
    if image.mode == "F":
        top = image.getextrema()[1]
        scale = 255 if top <= 1 else 1 / 257 if top > 255 else 1  # type: ignore[operator]
        return image.point(lambda value: value * scale).convert("L")
    return image


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


def _strip(image: Image.Image) -> Image.Image:
    """A picture that holds nothing but its pixels, and no file."""
    plain = image.copy()
    plain.info = {}
    return plain
