"""What a drag or the clipboard offers: one row a case."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QColor, QImage

from desktop_app.studio.gallery_model import VARIATION_MIME
from desktop_app.ui.canvas import read_drop, read_paste
from desktop_app.ui.canvas_sources import offers_picture, read_variations

pytestmark = pytest.mark.usefixtures("qapp")

PNG = b"\x89PNG\r\n\x1a\n and more"
PAGE = "https://example.org/page"
PICTURE = "https://example.org/cat.png?a=1&b=2"
FRAGMENT = '<a href="https://example.org/page"><img alt="x" src="https://example.org/cat.png?a=1&amp;b=2"></a>'
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


def make_mime(
    *, urls: tuple[str, ...] = (), text: str = "", html: str = "", pixels: QImage | None = None, **contents: bytes
) -> QMimeData:
    mime = QMimeData()
    if urls:
        mime.setUrls([QUrl(url) for url in urls])
    if text:
        mime.setText(text)
    if html:
        mime.setHtml(html)
    if pixels is not None:
        mime.setImageData(pixels)
    for kind, content in contents.items():
        mime.setData(f"image/{kind}", content)
    return mime


def make_pixels() -> QImage:
    image = QImage(3, 2, QImage.Format.Format_RGB32)
    image.fill(QColor("teal"))
    return image


PICTURES = {
    "file": (lambda: make_mime(urls=("file:///tmp/cat.png",)), Path("/tmp/cat.png")),
    "file with spaces": (lambda: make_mime(urls=("file:///tmp/my%20cat.png",)), Path("/tmp/my cat.png")),
    "first of several files": (lambda: make_mime(urls=("file:///tmp/b.png", "file:///tmp/a.png")), Path("/tmp/b.png")),
    "first file of a mix": (lambda: make_mime(urls=(PAGE, "file:///tmp/a.png")), Path("/tmp/a.png")),
    "file before pixels": (lambda: make_mime(urls=("file:///tmp/a.png",), pixels=make_pixels()), Path("/tmp/a.png")),
    "contents": (lambda: make_mime(png=PNG), PNG),
    "png before jpeg": (lambda: make_mime(jpeg=b"jpeg", png=PNG), PNG),
    "contents before pixels": (lambda: make_mime(png=PNG, pixels=make_pixels()), PNG),
    "contents before addresses": (lambda: make_mime(urls=(PAGE,), html=FRAGMENT, png=PNG), PNG),
    "pixels": (lambda: make_mime(pixels=make_pixels()), make_pixels()),
    "empty contents, pixels": (lambda: make_mime(png=b"", pixels=make_pixels()), make_pixels()),
    "picture before its page": (lambda: make_mime(urls=(PAGE,), html=FRAGMENT), PICTURE),
    "unquoted src": (lambda: make_mime(html=f"<IMG SRC={PICTURE} >"), PICTURE),
    "data url in a fragment": (lambda: make_mime(html=f"<img src='{DATA_URL}'>"), DATA_URL),
    "relative src, page": (lambda: make_mime(urls=(PAGE,), html='<img src="cat.png">'), PAGE),
    "address": (lambda: make_mime(urls=(PICTURE,)), PICTURE),
    "address as text": (lambda: make_mime(text=f" {PICTURE}\n"), PICTURE),
    "data url as text": (lambda: make_mime(text=DATA_URL), DATA_URL),
    "data url in percent code": (lambda: make_mime(text="data:image/gif,GIF89a%21"), "data:image/gif,GIF89a%21"),
    "plain http, which opening refuses": (lambda: make_mime(text="http://a.org/b.png"), "http://a.org/b.png"),
}
OTHERS = {
    "nothing": lambda: make_mime(),
    "words": lambda: make_mime(text="a lemon, cartoon icon"),
    "words with an address": lambda: make_mime(text="see https://example.org/cat.png please"),
    "generation text": lambda: make_mime(text="a lemon\nSteps: 20, Sampler: DDIM, Seed: 7"),
    "page without a picture": lambda: make_mime(html="<p>words</p>"),
    "mail address": lambda: make_mime(urls=("mailto:a@example.org",)),
    "script": lambda: make_mime(text="javascript:alert(1)"),
    "ftp": lambda: make_mime(text="ftp://example.org/cat.png"),
    "data that is no picture": lambda: make_mime(text="data:text/html,hello"),
    "an address without a host": lambda: make_mime(text="https:///cat.png"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_from_a_drop(name: str) -> None:
    make, source = PICTURES[name]
    mime = make()
    assert offers_picture(mime)
    assert read_drop(mime) == source


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_from_the_clipboard(name: str) -> None:
    make, source = PICTURES[name]
    assert read_paste(make()) == source


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS.keys())
def test_anything_else_is_refused(make: Callable[[], QMimeData]) -> None:
    assert not offers_picture(make())
    assert read_drop(make()) is None
    assert read_paste(make()) is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/home/a b/cat.PNG\n", Path("/home/a b/cat.PNG")),
        ("file:///home/cat.webp", Path("/home/cat.webp")),
        ("/etc/passwd", None),
        ("cat.png", None),
        ("/a/cat.png\n/a/dog.png", None),
    ],
)
def test_a_pasted_path_of_a_picture_is_a_file(text: str, path: Path | None) -> None:
    assert read_paste(make_mime(text=text)) == path


def test_reading_a_drop_leaves_the_disk_alone() -> None:
    missing = "file:///no/such/folder/cat.png"
    assert read_drop(make_mime(urls=(missing,))) == Path("/no/such/folder/cat.png")


def test_variations_are_read_by_id() -> None:
    mime = QMimeData()
    mime.setData(VARIATION_MIME, b"one\ntwo")
    assert read_variations(mime) == ["one", "two"]
    assert offers_picture(mime)


def test_other_drags_hold_no_variations() -> None:
    assert read_variations(make_mime(png=PNG)) == []
