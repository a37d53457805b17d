"""Sources: what a drag or the clipboard offers, as a picture to open. Reads nothing from the disk or the web."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

from desktop_app.core.image import SUFFIXES
from desktop_app.studio.gallery_model import VARIATION_MIME
from desktop_app.studio.opener import Source

PICTURE_FORMATS = tuple(
    f"image/{name}" for name in ("png", "jpeg", "webp", "avif", "tiff", "bmp", "x-bmp", "x-ms-bmp", "gif")
)
"""Contents of a file, best first: unlike pixels, they keep the texts in it."""

WEB_SCHEMES = ("https", "http")
"""http is passed on so that opening can say why it is refused."""

_IMG_SRC = re.compile(r"""<img\b[^>]*?\bsrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE | re.DOTALL)
_DATA_URL = re.compile(r"data:image/[\w.+-]+(?:;[^,;]*)*,", re.IGNORECASE)
"""An address that holds the picture itself; opening unpacks it."""


def offers_picture(mime: QMimeData) -> bool:
    """Whether ``mime`` may hold a picture. Looks at names and addresses only: it is asked while a drag hovers."""
    if mime.hasFormat(VARIATION_MIME) or mime.hasImage() or any(map(mime.hasFormat, PICTURE_FORMATS)):
        return True
    if any(url.isLocalFile() or url.scheme() in WEB_SCHEMES for url in mime.urls()):
        return True
    return _IMG_SRC.search(mime.html()) is not None or _is_address(mime.text())


def read_variations(mime: QMimeData) -> list[str]:
    """Ids of the variations that are dragged."""
    return bytes(mime.data(VARIATION_MIME).data()).decode("utf-8", "replace").split()


def read_drop(mime: QMimeData) -> Source | None:
    """The picture that was dropped, or None. The first one of several; a file before pixels, both before addresses."""
    return _local_file(mime) or _contents(mime) or _pixels(mime) or _fragment(mime) or _address(mime)


def left_out(mime: QMimeData) -> list[str]:
    """Names of the files that `read_drop` passes over, because it takes one."""
    return [Path(url.toLocalFile()).name for url in mime.urls() if url.isLocalFile()][1:]


def read_paste(mime: QMimeData) -> Source | None:
    """The picture on the clipboard; None where there is other text, which may be generation text."""
    return read_drop(mime) or _path(mime.text())


def _local_file(mime: QMimeData) -> Path | None:
    return next((Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()), None)


def _contents(mime: QMimeData) -> bytes | None:
    kinds = (kind for kind in PICTURE_FORMATS if mime.hasFormat(kind))
    return next((content for kind in kinds if (content := bytes(mime.data(kind).data()))), None)


def _pixels(mime: QMimeData) -> QImage | None:
    image = mime.imageData() if mime.hasImage() else None
    return image if isinstance(image, QImage) and not image.isNull() else None


def _fragment(mime: QMimeData) -> str | None:
    """The picture of a piece of a web page: its own address, not the one of the page that it links to."""
    found = _IMG_SRC.search(mime.html())
    return _from_address(unescape(next(filter(None, found.groups()), ""))) if found else None


def _address(mime: QMimeData) -> str | None:
    web = next((url.toString() for url in mime.urls() if url.scheme() in WEB_SCHEMES), mime.text())
    return _from_address(web)


def _is_address(text: str) -> bool:
    return _DATA_URL.match(text.strip()) is not None or _is_web(text.strip())


def _is_web(text: str) -> bool:
    url = QUrl(text, QUrl.ParsingMode.StrictMode)
    return not any(map(str.isspace, text)) and url.scheme() in WEB_SCHEMES and bool(url.host())


def _from_address(text: str) -> str | None:
    text = text.strip()
    return text if _is_address(text) else None


def _path(text: str) -> Path | None:
    """A file whose path or file address was copied as text."""
    text = text.strip()
    if not text or "\n" in text:
        return None
    url = QUrl(text)
    path = Path(url.toLocalFile() if url.isLocalFile() else text)
    return path if path.is_absolute() and path.suffix.lower() in SUFFIXES else None
