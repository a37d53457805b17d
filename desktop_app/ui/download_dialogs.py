"""What is asked around downloads: the hub token, consent to convert pickles, and whether to remove."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.conversion import Consent
from desktop_app.core.download import DownloadPlan
from desktop_app.ui.checkpoint_texts import TOKEN_PLACES, translate
from desktop_app.ui.field import set_role
from desktop_app.ui.texts import file_size
from desktop_app.ui.theme import GRID

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
WIDTH = 460


def _text(words: str, role: str = "") -> QLabel:
    label = QLabel(words)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setMinimumWidth(WIDTH)
    if role:
        set_role(label, role)
    return label


def _lay_out(dialog: QDialog, *rows: QWidget) -> None:
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
    layout.setSpacing(GRID + 4)
    for row in rows:
        if isinstance(row, QPushButton):
            layout.addWidget(row, 0, Qt.AlignmentFlag.AlignLeading)
        else:
            layout.addWidget(row)


class TokenDialog(QDialog):
    """Takes or clears the hub token. With ``page`` it first says how the licence on that page is accepted."""

    token_set = Signal(str)
    token_cleared = Signal()
    page_requested = Signal(str)

    def __init__(self, place: str, *, label: str = "", page: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("tokenDialog")
        self.setWindowTitle(self.tr("Licence and hub token") if page else self.tr("Hub token"))
        self.edit = QLineEdit()
        self.edit.setObjectName("tokenEdit")
        self.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.edit.setPlaceholderText("hf_…")
        self.edit.setAccessibleName(self.tr("Hub token"))
        self.edit.textChanged.connect(self._on_edit_text_changed)
        now = self.tr("Token now: %1.").replace("%1", translate(TOKEN_PLACES.get(place, TOKEN_PLACES[""])))
        rows = [*self._licence_rows(label, page), *self._token_rows(), self.edit]
        _lay_out(self, *rows, _text(self._kept_text(), "caption"), _text(now, "caption"), self._make_buttons(place))
        self.edit.setFocus()

    def token(self) -> str:
        """What was typed."""
        return self.edit.text().strip()

    def _licence_rows(self, label: str, page: str) -> list[QWidget]:
        if not page:
            return []
        words = self.tr("Open the page of %1, sign in, and accept its licence there.").replace("%1", label)
        return [
            _text(self.tr("1. Accept the licence"), "heading"),
            _text(words),
            self._page_button("licencePage", self.tr("Open the licence's page"), page),
            _text(self.tr("2. Give a token of the same account"), "heading"),
        ]

    def _token_rows(self) -> list[QWidget]:
        words = self.tr(
            "A token with the right to read is enough. It is sent to the hub only, never to another address."
        )
        return [_text(words), self._page_button("tokensPage", self.tr("Make a token on the hub"), TOKENS_PAGE)]

    def _page_button(self, name: str, text: str, page: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(name)
        button.setToolTip(page)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self.page_requested.emit(page))
        return button

    def _kept_text(self) -> str:
        return self.tr(
            "It is kept in the system keyring. Where there is none it is kept in memory, until Underpaint ends; "
            "it is never written to a file."
        )

    def _make_buttons(self, place: str) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._save = buttons.addButton(self.tr("Keep token"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._save.setEnabled(False)
        self.clear = buttons.addButton(self.tr("Forget token"), QDialogButtonBox.ButtonRole.DestructiveRole)
        self.clear.setEnabled(place in ("keyring", "memory"))
        self.clear.setToolTip(self.tr("Take the token out of the keyring and of memory"))
        self.clear.clicked.connect(self._on_clear_clicked)
        buttons.accepted.connect(self._on_accepted)
        buttons.rejected.connect(self.reject)
        return buttons

    def _on_edit_text_changed(self, _text: str) -> None:
        self._save.setEnabled(bool(self.token()))

    def _on_accepted(self) -> None:
        self.token_set.emit(self.token())
        self.edit.clear()
        self.accept()

    def _on_clear_clicked(self) -> None:
        self.token_cleared.emit()
        self.accept()


class ConsentDialog(QDialog):
    """Says what converting pickles means, and asks. Accepted means yes; the safe answer is the default."""

    def __init__(self, label: str, plan: DownloadPlan, consent: Consent, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("consentDialog")
        self.setWindowTitle(label)
        missing = max(plan.total_bytes - plan.present_bytes, 0)
        size = self.tr("To download: %1. The converted copy takes about as much.").replace("%1", file_size(missing))
        source = self.tr("Published as %1, revision %2").replace("%1", plan.ref).replace("%2", plan.commit[:12])
        buttons = QDialogButtonBox()
        agree = buttons.addButton(_consent(consent.agree), QDialogButtonBox.ButtonRole.AcceptRole)
        agree.setObjectName("consentAgree")
        agree.setAutoDefault(False)
        decline = buttons.addButton(self.tr("Leave it"), QDialogButtonBox.ButtonRole.RejectRole)
        decline.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        paragraphs = (consent.what_it_is, consent.what_is_done, consent.what_remains)
        texts = [_text(" ".join(map(_consent, sentences))) for sentences in paragraphs]
        facts = _text(f"{size}\n{source}" if missing else source, "caption")
        _lay_out(self, _text(_consent(consent.title), "heading"), *texts, facts, buttons)
        decline.setFocus()


def _consent(sentence: str) -> str:
    """A sentence of `Consent` in the user's language."""
    return QCoreApplication.translate("Consent", sentence)


def ask_remove(parent: QWidget, label: str, size: int) -> bool:
    """Ask whether to delete a checkpoint of ``size`` bytes; the safe answer is the default."""
    box = QMessageBox(parent)
    box.setObjectName("removeBox")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(parent.tr("Remove %1?").replace("%1", label))
    text = parent.tr(
        "Its files are deleted, which frees %1. To use it again it has to be downloaded or imported again."
    )
    box.setInformativeText(text.replace("%1", file_size(size)))
    remove = box.addButton(parent.tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(box.addButton(parent.tr("Keep"), QMessageBox.ButtonRole.RejectRole))
    box.exec()
    return box.clickedButton() is remove


def ask_discard(parent: QWidget, label: str, done: int) -> bool:
    """Ask whether to throw away the ``done`` bytes of a download; the safe answer is the default."""
    box = QMessageBox(parent)
    box.setObjectName("discardBox")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(parent.tr("Cancel the download of %1?").replace("%1", label))
    text = parent.tr("The %1 that are here of it are thrown away. Paused, it could go on where it stopped.")
    box.setInformativeText(text.replace("%1", file_size(done)))
    discard = box.addButton(parent.tr("Cancel download"), QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(box.addButton(parent.tr("Keep it"), QMessageBox.ButtonRole.RejectRole))
    box.exec()
    return box.clickedButton() is discard
