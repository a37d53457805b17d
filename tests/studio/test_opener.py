"""Opening: every kind of source becomes the same init image."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QImage
from support import make_picture, make_request, make_result

from desktop_app.core.errors import ImageError
from desktop_app.core.image import encode_png
from desktop_app.studio.opener import open_source, read_settings
from desktop_app.studio.qimage import to_qimage


def test_a_file_its_contents_and_its_pixels_are_the_same_picture(gallery, picture):
    path = picture("cat.png", (30, 20))
    sources = (path, path.read_bytes(), QImage(str(path)), open_source(path, "", gallery).ref)
    opened = [open_source(source, "", gallery) for source in sources]
    assert len({each.ref.sha256 for each in opened}) == 1
    assert [each.name for each in opened] == ["cat.png", "Dropped picture", "Pasted picture", "cat.png"]


def test_what_is_shown_is_what_is_kept(gallery, picture):
    opened = open_source(picture("cat.png", (30, 20), "RGBA"), "", gallery)
    assert opened.ref.size == (30, 20)
    assert opened.picture.tobytes() == gallery.load_ref(opened.ref).tobytes()


def test_a_picture_inside_an_address_is_opened(gallery):
    import base64

    content = base64.b64encode(encode_png(make_picture((6, 4)))).decode()
    assert open_source(f"data:image/png;base64,{content}", "", gallery).ref.size == (6, 4)


def test_an_address_that_is_not_https_is_refused(gallery):
    with pytest.raises(ImageError, match="http is not protected"):
        open_source("http://example.org/cat.png", "", gallery)


def test_without_a_network_no_address_is_fetched(gallery):
    for read in (open_source, lambda source, _name, *rest, **options: read_settings(source, *rest, **options)):
        with pytest.raises(ImageError, match="switched off") as caught:
            read("https://example.org/cat.png", "", gallery, is_online=False)
        assert "menu Checkpoints" in caught.value.hint


def test_settings_come_from_our_pictures_and_from_those_of_others(gallery):
    request = make_request(prompt="a lemon")
    variation = gallery.save(request, make_result(request))
    assert read_settings(variation.path, gallery) == request
    foreign = encode_png(make_picture(), {"parameters": "a cat\nSteps: 4, CFG scale: 7"})
    assert read_settings(foreign, gallery) == "a cat\nSteps: 4, CFG scale: 7"


@pytest.mark.parametrize("make", [lambda: encode_png(make_picture()), lambda: to_qimage(make_picture())])
def test_a_picture_without_settings_says_so(gallery, make):
    with pytest.raises(ImageError, match="settings"):
        read_settings(make(), gallery)
