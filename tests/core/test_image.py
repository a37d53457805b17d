"""The one loader: every kind of picture comes out upright, 8-bit, sRGB; everything else is refused with a reason."""

from __future__ import annotations

import contextlib
import io
import os
import random
import struct
import warnings
import zlib
from pathlib import Path

import numpy
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from support import make_picture

from desktop_app.core import image as module
from desktop_app.core.errors import ImageError
from desktop_app.core.image import encode_png, flatten, load_image, read_texts, thumbnail

SIZE = (24, 16)


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


def distance(first: Image.Image, second: Image.Image) -> float:
    pair = [numpy.asarray(picture.convert("RGB"), dtype=float) for picture in (first, second)]
    return float(abs(pair[0] - pair[1]).mean())


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_every_format_is_opened_by_its_contents(format, tmp_path):
    picture = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    path = tmp_path / "picture.anything"
    picture.save(path, format)
    opened = load_image(path)
    assert (opened.mode, opened.size, opened.info) == ("RGB", SIZE, {})
    assert distance(opened, picture) < 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation):
    upright = make_picture(SIZE)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    turned = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = load_image(encode(turned, exif=exif))
    assert opened.tobytes() == upright.tobytes()


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "CMYK", "YCbCr", "LAB"])
def test_modes_without_alpha_become_rgb(mode):
    picture = make_picture(SIZE, mode)
    format = "TIFF" if mode in ("CMYK", "LAB", "YCbCr") else "PNG"
    opened = load_image(encode(picture, format))
    assert opened.mode == "RGB"
    if mode != "LAB":  # which Pillow itself cannot convert
        assert distance(opened, picture.convert("RGB")) < 3


def test_lab_colours_are_those_of_lab():
    opened = load_image(encode(Image.new("LAB", SIZE, (200, 128, 128)), "TIFF"))
    red, green, blue = opened.getpixel((3, 3))
    assert max(red, green, blue) - min(red, green, blue) <= 3
    assert 180 < green < 210


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(mode):
    picture = make_picture(SIZE, "RGBA").convert(mode)
    opened = load_image(encode(picture))
    assert opened.mode == "RGBA"
    assert opened.getchannel("A").tobytes() == picture.getchannel("A").tobytes()
    assert distance(opened, picture.convert("RGBA").convert("RGB")) == 0


def test_a_palette_is_resolved():
    picture = make_picture(SIZE).quantize(16)
    assert load_image(encode(picture)).tobytes() == picture.convert("RGB").tobytes()


def test_a_palette_with_transparency_becomes_rgba():
    picture = Image.new("P", SIZE, 1)
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.paste(0, (0, 0, 12, 16))
    opened = load_image(encode(picture, transparency=0))
    assert opened.getpixel((0, 0))[3] == 0
    assert opened.getpixel((20, 8)) == (0, 0, 255, 255)


def test_a_transparent_colour_of_an_rgb_png_becomes_alpha():
    picture = Image.new("RGB", SIZE, (10, 20, 30))
    picture.putpixel((3, 3), (200, 100, 50))
    opened = load_image(encode(picture, transparency=(10, 20, 30)))
    assert opened.getpixel((0, 0))[3] == 0
    assert opened.getpixel((3, 3)) == (200, 100, 50, 255)


def test_sixteen_bits_are_scaled_and_not_clipped():
    values = numpy.linspace(0, 65535, 24 * 16).reshape(16, 24).astype(numpy.uint16)
    opened = load_image(encode(Image.fromarray(values)))
    assert abs(numpy.asarray(opened)[..., 0] - values / 257).max() < 1


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0])
def test_floating_point_greys_fill_the_range(top):
    values = numpy.linspace(0, top, 24 * 16, dtype=numpy.float32).reshape(16, 24)
    opened = numpy.asarray(load_image(encode(Image.fromarray(values), "TIFF")))
    assert (opened.min(), opened.max()) == (0, 255)


def test_a_colour_profile_is_applied():
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.find(b"rXYZ"), swapped.find(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    opened = load_image(encode(Image.new("RGB", SIZE, (255, 0, 0)), icc_profile=bytes(swapped)))
    red, green, _ = opened.getpixel((5, 5))
    assert green > 200 > 60 > red


def test_an_srgb_profile_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = make_picture(SIZE)
    assert distance(load_image(encode(picture, icc_profile=profile)), picture) < 1


def test_a_damaged_profile_is_no_reason_to_refuse():
    picture = make_picture(SIZE)
    assert load_image(encode(picture, icc_profile=b"nonsense")).tobytes() == picture.tobytes()


def test_alpha_survives_a_profile():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = make_picture(SIZE, "RGBA")
    opened = load_image(encode(picture, icc_profile=profile))
    assert opened.getchannel("A").tobytes() == picture.getchannel("A").tobytes()


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")]
    opened = load_image(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert opened.convert("RGB").getpixel((2, 2)) == (255, 0, 0)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"Dear Sir or Madam, here are some words", "a text"),
        (b"%PDF-1.7 ...", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"<svg/>", "SVG"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"8BPS\0\1\0\0\0\0", "Photoshop"),
        (bytes(range(256)) * 4, "not|no picture"),
        (b"\x89PNG\r\n\x1a\n", "."),
    ],
)
def test_what_is_no_picture_is_refused_by_its_kind(content, words):
    with pytest.raises(ImageError, match=words) as caught:
        load_image(content)
    assert caught.value.hint


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_a_picture_that_is_cut_off_is_refused(format):
    content = encode(make_picture((80, 60)), format)
    with pytest.raises(ImageError):
        load_image(content[: len(content) // 2])


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF"])
def test_a_damaged_picture_is_opened_or_refused_and_nothing_else(format):
    rng = random.Random(format)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    options = {} if format in ("BMP", "GIF") else {"exif": exif.tobytes()}
    whole = encode(make_picture(SIZE), format, **options)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 2, 8))):
            place = rng.randrange(len(content))
            content[place : place + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
        for read in (load_image, read_texts):
            with contextlib.suppress(ImageError):
                read(bytes(content))


def test_a_bomb_is_refused_before_it_is_unpacked():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0" * 1000)), chunk(b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    with pytest.raises(ImageError, match="too many pixels"):
        load_image(bomb)


def test_a_side_that_is_too_long_is_refused():
    with pytest.raises(ImageError, match="too many pixels"):
        load_image(encode(Image.new("1", (module.MAX_SIDE + 1, 1))))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(module.MAX_FILE_BYTES + 1)
    with pytest.raises(ImageError, match="too large"):
        load_image(path)


def test_a_file_that_is_not_there_and_a_folder_are_told(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        load_image(tmp_path / "none.png")
    with pytest.raises(ImageError, match="folder"):
        load_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.timeout(5)
def test_a_pipe_and_a_device_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), Path("/dev/tty")):
        with pytest.raises(ImageError):
            load_image(path)


def test_an_error_names_the_picture_as_the_user_knows_it():
    with pytest.raises(ImageError, match="holiday"):
        load_image(b"words", "holiday.png")


def test_threads_that_overlap_leave_the_warning_filters_as_they_were():
    before = list(warnings.filters)
    with module._quiet:
        inside = list(warnings.filters)
        with module._quiet:
            pass
        assert list(warnings.filters) == inside != before
    assert list(warnings.filters) == before


# Texts, thumbnails, PNG --------------------------------------------------------------------------


def test_texts_come_back_as_they_were_written():
    texts = {"parameters": "a cat\nSteps: 4", "underpaint": '{"prompt": "قطة"}', "both": "café"}
    content = encode_png(make_picture(SIZE), texts)
    assert read_texts(content) == texts
    assert b"tEXtparameters\0a cat" in content


def test_texts_behind_the_pixels_are_read():
    info = PngImagePlugin.PngInfo()
    info.add_text("late", "yes", zip=True)
    content = encode(make_picture(SIZE), pnginfo=info)
    assert read_texts(content) == {"late": "yes"}


def test_a_picture_of_another_format_has_no_texts():
    assert read_texts(encode(make_picture(SIZE), "JPEG")) == {}


def test_a_text_that_is_too_long_is_left_out():
    assert read_texts(encode_png(make_picture(SIZE), {"a": "x" * (module.MAX_TEXT_CHARS + 1), "b": "short"})) == {
        "b": "short"
    }


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pixels_survive_the_png(mode):
    picture = make_picture(SIZE, mode)
    assert load_image(encode_png(picture)).tobytes() == picture.tobytes()


def test_flattening_lays_the_picture_on_white():
    picture = Image.new("RGBA", SIZE, (255, 0, 0, 0))
    picture.putpixel((1, 1), (0, 0, 255, 255))
    flat = flatten(picture)
    assert (flat.mode, flat.getpixel((0, 0)), flat.getpixel((1, 1))) == ("RGB", (255, 255, 255), (0, 0, 255))


def test_a_thumbnail_keeps_the_shape_and_the_picture_stays_as_it_was():
    picture = make_picture((200, 100))
    assert thumbnail(picture, 64).size == (64, 32)
    assert picture.size == (200, 100)


def test_deep_greys_whose_zero_is_white_come_out_right():
    deep = Image.new("I;16", (2, 2), 65535)
    deep.putpixel((0, 0), 0)
    deep.putpixel((0, 1), 32768)
    content = io.BytesIO()
    deep.save(content, "TIFF", tiffinfo={262: 0})
    picture = load_image(content.getvalue())
    assert [picture.getpixel(place)[0] for place in ((0, 0), (1, 0), (0, 1))] == [255, 0, 127]
