"""The dialogs around downloads: the token is not shown and not kept by them, and the safe answer is the default."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QPushButton, QWidget

from desktop_app.core.conversion import CONSENT
from desktop_app.core.download import DownloadPlan, RemoteFile
from desktop_app.ui.download_dialogs import ConsentDialog, TokenDialog, ask_discard, ask_remove
from desktop_app.ui.flow_layout import FlowLayout

PLAN = DownloadPlan("org/pickles", "0123456789abcdef", (RemoteFile("a.bin", 3 * 2**30, ""),), 2**30, is_pickled=True)


def texts(dialog: QWidget) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel))


@pytest.fixture
def token_dialog(qtbot):
    dialog = TokenDialog("keyring")
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_a_token_is_taken_without_being_shown_and_forgotten_by_the_dialog(qtbot, token_dialog):
    assert token_dialog.edit.echoMode() is QLineEdit.EchoMode.Password
    QTest.keyClicks(token_dialog.edit, " hf_secret ")
    with qtbot.waitSignal(token_dialog.token_set) as told:
        QTest.keyClick(token_dialog.edit, Qt.Key.Key_Return)
    assert told.args == ["hf_secret"]
    assert token_dialog.edit.text() == ""


def test_it_says_where_the_token_is_and_where_it_goes(token_dialog):
    assert "Token now: in the system keyring." in texts(token_dialog)
    assert "never written to a file" in texts(token_dialog)


@pytest.mark.parametrize(
    ("place", "can_clear"), [("keyring", True), ("memory", True), ("environment", False), ("", False)]
)
def test_a_token_that_is_ours_can_be_forgotten(qtbot, place, can_clear):
    dialog = TokenDialog(place)
    qtbot.addWidget(dialog)
    assert dialog.clear.isEnabled() == can_clear
    if can_clear:
        with qtbot.waitSignal(dialog.token_cleared):
            dialog.clear.click()


def test_pages_are_opened_only_when_their_button_is_pressed(qtbot):
    dialog = TokenDialog("", label="Flux", page="https://huggingface.co/org/flux")
    qtbot.addWidget(dialog)
    opened = []
    dialog.page_requested.connect(opened.append)
    assert "Open the page of Flux" in texts(dialog)
    assert not opened
    dialog.findChild(QPushButton, "licencePage").click()
    dialog.findChild(QPushButton, "tokensPage").click()
    assert opened == ["https://huggingface.co/org/flux", "https://huggingface.co/settings/tokens"]


def test_consent_shows_every_sentence_and_what_it_costs(qtbot):
    dialog = ConsentDialog("Comic", PLAN, CONSENT)
    qtbot.addWidget(dialog)
    said = texts(dialog)
    assert all(each in said for each in (*CONSENT.what_it_is, *CONSENT.what_is_done, *CONSENT.what_remains))
    assert "To download: 2.1 GB." in said
    assert "org/pickles, revision 0123456789ab" in said


def test_enter_does_not_agree_to_pickles(qtbot):
    dialog = ConsentDialog("Comic", PLAN, CONSENT)
    qtbot.addWidget(dialog)
    dialog.show()
    answers = []
    dialog.finished.connect(answers.append)
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert answers == [0]


@pytest.mark.parametrize(("ask", "default"), [(ask_remove, "Keep"), (ask_discard, "Keep it")])
def test_the_safe_answer_is_the_default(qtbot, monkeypatch, ask, default):
    parent = QWidget()
    qtbot.addWidget(parent)
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box))
    assert not ask(parent, "Base", 5 * 2**30)
    assert asked[0].defaultButton().text() == default
    assert "5.4 GB" in asked[0].informativeText()


@pytest.fixture
def flow(qtbot):
    """Five widgets of one size, which no style changes, in a row that breaks."""
    widget = QWidget()
    qtbot.addWidget(widget)
    layout = FlowLayout(widget, 10)
    buttons = [QWidget() for _ in range(5)]
    for button in buttons:
        button.setFixedSize(100, 20)
        layout.addWidget(button)
    widget.show()
    return widget, buttons


def test_buttons_break_into_as_many_lines_as_they_need(flow):
    widget, buttons = flow
    widget.resize(330, 200)
    assert [button.y() for button in buttons] == [0, 0, 0, 30, 30]
    assert widget.layout().heightForWidth(330) == 50
    assert widget.layout().heightForWidth(100) == 5 * 20 + 4 * 10


def test_hidden_buttons_take_no_room(flow, qtbot):
    widget, buttons = flow
    widget.resize(330, 200)
    buttons[0].hide()
    qtbot.waitUntil(lambda: buttons[1].x() == 0)
    assert [button.y() for button in buttons[1:]] == [0, 0, 0, 30]


def test_buttons_begin_where_reading_begins(flow, qtbot):
    widget, buttons = flow
    widget.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    widget.resize(330, 200)
    qtbot.waitUntil(lambda: buttons[0].geometry().right() == 329)
    assert buttons[1].x() < buttons[0].x()
