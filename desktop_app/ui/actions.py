"""Every command of the window in one table. Menus, shortcuts, tool tips and the shortcuts dialog are made from it."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from desktop_app.ui.action_spec import ActionSpec
from desktop_app.ui.icons import Icons
from desktop_app.ui.mask_actions import MASK_ACTIONS
from desktop_app.ui.texts import QT_TRANSLATE_NOOP
from desktop_app.ui.view_actions import VIEW_ACTIONS
from desktop_app.ui.work_actions import WORK_ACTIONS

MENUS: tuple[tuple[str, str], ...] = (
    ("file", QT_TRANSLATE_NOOP("Actions", "&File")),
    ("edit", QT_TRANSLATE_NOOP("Actions", "&Edit")),
    ("view", QT_TRANSLATE_NOOP("Actions", "&View")),
    ("image", QT_TRANSLATE_NOOP("Actions", "&Image")),
    ("mask", QT_TRANSLATE_NOOP("Actions", "&Mask")),
    ("generate", QT_TRANSLATE_NOOP("Actions", "&Generate")),
    ("checkpoints", QT_TRANSLATE_NOOP("Actions", "&Checkpoints")),
    ("help", QT_TRANSLATE_NOOP("Actions", "&Help")),
)

ACTIONS: tuple[ActionSpec, ...] = (*VIEW_ACTIONS, *WORK_ACTIONS, *MASK_ACTIONS)

MENU_ROLES = {"quit": QAction.MenuRole.QuitRole, "about": QAction.MenuRole.AboutRole}


def translate(text: str) -> str:
    """``text`` of the tables above in the user's language."""
    return QCoreApplication.translate("Actions", text)


def plain_text(spec: ActionSpec) -> str:
    """The command's name without its mnemonic and dots."""
    return translate(spec.text).replace("&", "").removesuffix("…")


def make_actions(window: QWidget, canvas: QWidget, icons: Icons) -> dict[str, QAction]:
    """One `QAction` for each command, by id, living in ``window`` (or ``canvas``) so that their keys work."""
    groups: dict[str, QActionGroup] = {}
    actions = {}
    for spec in ACTIONS:
        action = QAction(window)
        actions[spec.id] = action
        if spec.text == "-":
            action.setSeparator(True)
            continue
        _fill(action, spec, icons)
        if spec.group:
            groups.setdefault(spec.group, QActionGroup(window)).addAction(action)
        (canvas if spec.on_canvas else window).addAction(action)
    return actions


def show_keys(action: QAction, spec: ActionSpec, keys: tuple[str, ...]) -> None:
    """Let ``action`` answer to ``keys``, and say so in its tip."""
    action.setShortcuts([QKeySequence(each) for each in keys])
    first = QKeySequence(keys[0]).toString(QKeySequence.SequenceFormat.NativeText) if keys else ""
    action.setToolTip(f"{translate(spec.tip)} ({first})" if first else translate(spec.tip))


def _fill(action: QAction, spec: ActionSpec, icons: Icons) -> None:
    action.setObjectName(f"action_{spec.id}")
    action.setText(translate(spec.text))
    action.setIcon(icons.get(spec.icon))
    action.setCheckable(spec.is_checkable or bool(spec.group))
    show_keys(action, spec, spec.keys)
    if spec.on_canvas:
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    action.setMenuRole(MENU_ROLES.get(spec.id, QAction.MenuRole.NoRole))
