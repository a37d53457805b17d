"""The window's dialogs: web address, restore settings, about, details of an error, quit while running."""

from __future__ import annotations

import platform
from pathlib import Path

import PySide6
from PySide6.QtCore import Qt, QUrl, qVersion
from PySide6.QtGui import QDesktopServices, QFontDatabase, QGuiApplication, QIcon
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app import __version__
from desktop_app.core.errors import StudioError
from desktop_app.core.request import Request
from desktop_app.studio.request_texts import checkpoints_text, refs_of, strength_text
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.field import set_role
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, plural
from desktop_app.ui.theme import GRID

RESTORE_PARTS: tuple[tuple[str, str], ...] = (
    ("prompt", QT_TRANSLATE_NOOP("RestoreDialog", "&Prompt, negative prompt and style")),
    ("params", QT_TRANSLATE_NOOP("RestoreDialog", "&Values, checkpoint, chain, control images, adapters")),
    ("seed", QT_TRANSLATE_NOOP("RestoreDialog", "&Seed")),
    ("size", QT_TRANSLATE_NOOP("RestoreDialog", "Working si&ze")),
    ("init image", QT_TRANSLATE_NOOP("RestoreDialog", "&Init image")),
    ("mask", QT_TRANSLATE_NOOP("RestoreDialog", "&Mask, with its feather and surroundings")),
)


def _lay_out(dialog: QDialog, *rows: QWidget) -> None:
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
    layout.setSpacing(GRID + 4)
    for row in rows:
        layout.addWidget(row)


class UrlDialog(QDialog):
    """Asks for the https address of a picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Open from web address"))
        self._edit = QLineEdit()
        self._edit.setObjectName("urlEdit")
        self._edit.setPlaceholderText("https://")
        self._edit.setAccessibleName(self.tr("Web address of the picture"))
        self._edit.setMinimumWidth(440)
        note = QLabel(self.tr("Only this address is fetched, and only now. It must begin with https://."))
        set_role(note, "caption")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._open = buttons.addButton(self.tr("Fetch picture"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._open.setEnabled(False)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self._edit.textChanged.connect(self._on_edit_text_changed)
        self._take_from_clipboard()
        _lay_out(self, self._edit, note, buttons)

    def url(self) -> str:
        """The address that was typed."""
        return self._edit.text().strip()

    def _take_from_clipboard(self) -> None:
        text = QGuiApplication.clipboard().text().strip()
        if text.startswith("https://") and len(text.split()) == 1:
            self._edit.setText(text)
            self._edit.selectAll()

    def _on_edit_text_changed(self, _text: str) -> None:
        self._open.setEnabled(bool(self.url()))


class RestoreDialog(QDialog):
    """Asks which parts of a request to take over."""

    def __init__(self, request: Request, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Restore settings"))
        question = QLabel(self.tr("What shall be taken over?"))
        set_role(question, "heading")
        self._boxes = {part: QCheckBox(self.tr(text)) for part, text in RESTORE_PARTS}
        for part, box in self._boxes.items():
            box.setObjectName(f"restore_{part.replace(' ', '_')}")
            box.setChecked(True)
        absent = (
            ("init image", request.init_image, self.tr("No &init image")),
            ("mask", request.mask, self.tr("No &mask")),
        )
        for part, image, text in absent:
            if image is None:
                self._boxes[part].setText(text)
                self._boxes[part].setToolTip(self.tr("The result was made without one: that which is there goes away"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.tr("Restore"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        _lay_out(self, question, self._summary(request), *self._boxes.values(), buttons)

    def parts(self) -> set[str]:
        """The parts that are checked."""
        return {part for part, box in self._boxes.items() if box.isChecked()}

    def _summary(self, request: Request) -> QLabel:
        stage = request.stages[0]
        prompt = stage.prompt if len(stage.prompt) <= 200 else stage.prompt[:200] + "…"
        facts = self.tr("guidance %1, %2 steps, seed %3")
        values = (f"{stage.guidance_scale:g}", str(stage.steps), str(request.seed))
        for number, value in enumerate(values, 1):
            facts = facts.replace(f"%{number}", value)
        facts = ", ".join(filter(None, (strength_text(request), facts)))
        label = QLabel(f"{prompt or self.tr('(no prompt)')}\n{facts}\n{checkpoints_text(request)}")
        label.setObjectName("restoreSummary")
        label.setToolTip(plain_tip("\n".join(refs_of(request))))
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setMinimumWidth(380)
        set_role(label, "caption")
        return label


class DetailsDialog(QDialog):
    """One error in full, to read and to copy."""

    def __init__(self, error: StudioError, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Details"))
        title = QLabel(error.title)
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setWordWrap(True)
        set_role(title, "heading")
        self._report = QPlainTextEdit(self._text(error))
        self._report.setObjectName("reportText")
        self._report.setReadOnly(True)
        self._report.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._report.setAccessibleName(self.tr("The whole report"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton(self.tr("Copy report"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(self.copy_report)
        buttons.rejected.connect(self.reject)
        _lay_out(self, title, self._report, buttons)
        self.resize(640, 360)

    def copy_report(self) -> None:
        """Put the report on the clipboard."""
        QGuiApplication.clipboard().setText(self._report.toPlainText())

    def _text(self, error: StudioError) -> str:
        about = f"Underpaint {__version__}, Qt {qVersion()}, Python {platform.python_version()}, {platform.platform()}"
        parts = (error.title, error.detail, error.hint, f"({type(error).__name__})", about)
        return "\n\n".join(part for part in parts if part)


class AboutDialog(QDialog):
    """Version, what it is, and the licences of what it is made of."""

    def __init__(self, icon: QIcon, licences: dict[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("About Underpaint"))
        sign = QLabel()
        sign.setPixmap(icon.pixmap(64, 64))
        sign.setVisible(not icon.isNull())
        name = QLabel(f"<h2>Underpaint {__version__}</h2>")
        what = QLabel(
            self.tr(
                "A native desktop studio for image-to-image. Everything runs on this computer; "
                "nothing is sent anywhere, and only what you ask for is fetched."
            )
        )
        what.setWordWrap(True)
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.addWidget(name)
        words.addWidget(what)
        row.addLayout(words, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        _lay_out(self, head, self._tabs(licences), buttons)
        self.resize(620, 440)

    def _tabs(self, licences: dict[str, str]) -> QTabWidget:
        tabs = QTabWidget()
        tabs.setAccessibleName(self.tr("What it is made of, and the licences"))
        made_of = self.tr(
            "Qt %1 and PySide6 %2 (LGPL-3.0), PyTorch (BSD-3-Clause), diffusers, transformers, accelerate, "
            "safetensors, tokenizers and huggingface_hub (Apache-2.0), Pillow (MIT-CMU), superqt (BSD-3-Clause), "
            "platformdirs (MIT), send2trash (BSD-3-Clause), psutil (BSD-3-Clause), keyring (MIT), "
            "httpx2 (BSD-3-Clause), filelock (MIT), sentencepiece (Apache-2.0)."
        )
        texts = {self.tr("Made of"): made_of.replace("%1", qVersion()).replace("%2", PySide6.__version__), **licences}
        for title, text in texts.items():
            view = QPlainTextEdit(text)
            view.setReadOnly(True)
            view.setAccessibleName(title)
            tabs.addTab(view, title)
        return tabs


def ask_quit(parent: QWidget, waiting: int) -> bool:
    """Ask whether to stop the running job and quit."""
    text = parent.tr("Stopping loses the steps done so far. The job stays in the queue for the next start.")
    if waiting:
        one, many = parent.tr("One more job waits and is kept too."), parent.tr("%1 more jobs wait and are kept too.")
        text += " " + plural(waiting, one, many)
    title = parent.tr("A picture is being made.")
    return _ask(parent, title, text, parent.tr("Stop and quit"), parent.tr("Keep running"))


def ask_lose(parent: QWidget, unsaved: int) -> bool:
    """Ask whether to quit though finished pictures are not on the disk."""
    one, many = parent.tr("A finished picture is not saved."), parent.tr("%1 finished pictures are not saved.")
    text = parent.tr("The disk refused them; quitting loses them. The queue can save them elsewhere.")
    return _ask(parent, plural(unsaved, one, many), text, parent.tr("Quit and lose them"), parent.tr("Keep open"))


def _ask(parent: QWidget, title: str, text: str, loses: str, keeps: str) -> bool:
    """Whether ``loses`` was pressed; the safe answer, ``keeps``, is the default."""
    box = QMessageBox(parent)
    box.setObjectName("quitBox")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(title)
    box.setInformativeText(text)
    lose = box.addButton(loses, QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton(keeps, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.exec()
    return box.clickedButton() is lose


def show_folder(path: Path) -> bool:
    """Open ``path`` in the desktop's file manager; whether one took it."""
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
