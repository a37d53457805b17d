"""Every command of the window in one table. Menus, shortcuts, tool tips and the shortcuts dialog are made from it."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QWidget

from desktop_app.ui.icons import Icons
from desktop_app.ui.texts import QT_TRANSLATE_NOOP


@dataclass(frozen=True)
class ActionSpec:
    """One command. ``menu`` is its menu's id; a ``text`` of "-" is a separator. ``group`` makes it one of several
    choices; ``on_canvas`` limits its keys to the canvas, because elsewhere they mean something else."""

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    group: str = ""
    is_checkable: bool = False
    on_canvas: bool = False


MENUS: tuple[tuple[str, str], ...] = (
    ("file", QT_TRANSLATE_NOOP("Actions", "&File")),
    ("edit", QT_TRANSLATE_NOOP("Actions", "&Edit")),
    ("view", QT_TRANSLATE_NOOP("Actions", "&View")),
    ("image", QT_TRANSLATE_NOOP("Actions", "&Image")),
    ("generate", QT_TRANSLATE_NOOP("Actions", "&Generate")),
    ("checkpoints", QT_TRANSLATE_NOOP("Actions", "&Checkpoints")),
    ("help", QT_TRANSLATE_NOOP("Actions", "&Help")),
)

ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "open",
        "file",
        QT_TRANSLATE_NOOP("Actions", "&Open picture…"),
        ("Ctrl+O",),
        "open",
        QT_TRANSLATE_NOOP("Actions", "Open a picture to start from"),
    ),
    ActionSpec(
        "open_url",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Open from &web address…"),
        ("Ctrl+Shift+O",),
        "url",
        QT_TRANSLATE_NOOP("Actions", "Fetch a picture from an https address"),
    ),
    ActionSpec(
        "paste",
        "file",
        QT_TRANSLATE_NOOP("Actions", "&Paste picture or settings"),
        ("Ctrl+V",),
        "paste",
        QT_TRANSLATE_NOOP("Actions", "Start from the picture, address or generation text on the clipboard"),
    ),
    ActionSpec("file_1", "file", "-"),
    ActionSpec(
        "export",
        "file",
        QT_TRANSLATE_NOOP("Actions", "&Export result…"),
        ("Ctrl+Shift+E", "Ctrl+S"),
        "save",
        QT_TRANSLATE_NOOP("Actions", "Copy the shown result to a file of your choice"),
    ),
    ActionSpec(
        "reveal",
        "file",
        QT_TRANSLATE_NOOP("Actions", "Show in &folder"),
        (),
        "folder",
        QT_TRANSLATE_NOOP("Actions", "Open the folder that holds the shown result"),
    ),
    ActionSpec("file_2", "file", "-"),
    ActionSpec(
        "quit",
        "file",
        QT_TRANSLATE_NOOP("Actions", "&Quit"),
        ("Ctrl+Q",),
        "quit",
        QT_TRANSLATE_NOOP("Actions", "Close Underpaint"),
    ),
    ActionSpec(
        "undo",
        "edit",
        QT_TRANSLATE_NOOP("Actions", "&Undo"),
        ("Ctrl+Z",),
        "undo",
        QT_TRANSLATE_NOOP("Actions", "Take the last change back"),
    ),
    ActionSpec(
        "redo",
        "edit",
        QT_TRANSLATE_NOOP("Actions", "&Redo"),
        ("Ctrl+Shift+Z", "Ctrl+Y"),
        "redo",
        QT_TRANSLATE_NOOP("Actions", "Do again what was taken back"),
    ),
    ActionSpec("edit_1", "edit", "-"),
    ActionSpec(
        "copy",
        "edit",
        QT_TRANSLATE_NOOP("Actions", "&Copy result"),
        ("Ctrl+C",),
        "copy",
        QT_TRANSLATE_NOOP("Actions", "Copy the shown result"),
    ),
    ActionSpec(
        "copy_settings",
        "edit",
        QT_TRANSLATE_NOOP("Actions", "Copy &settings as text"),
        ("Ctrl+Shift+C",),
        "",
        QT_TRANSLATE_NOOP("Actions", "Copy the shown result's generation text"),
    ),
    ActionSpec("edit_2", "edit", "-"),
    ActionSpec(
        "focus_prompt",
        "edit",
        QT_TRANSLATE_NOOP("Actions", "Go to the &prompt"),
        ("Ctrl+L",),
        "",
        QT_TRANSLATE_NOOP("Actions", "Move the keyboard to the prompt"),
    ),
    ActionSpec(
        "search",
        "edit",
        QT_TRANSLATE_NOOP("Actions", "&Find in the gallery"),
        ("Ctrl+F",),
        "search",
        QT_TRANSLATE_NOOP("Actions", "Search the gallery"),
    ),
    ActionSpec(
        "mode_init",
        "view",
        QT_TRANSLATE_NOOP("Actions", "&Init image"),
        ("1",),
        "init",
        QT_TRANSLATE_NOOP("Actions", "Show the init image"),
        "mode",
    ),
    ActionSpec(
        "mode_result",
        "view",
        QT_TRANSLATE_NOOP("Actions", "&Result"),
        ("2",),
        "result",
        QT_TRANSLATE_NOOP("Actions", "Show the result"),
        "mode",
    ),
    ActionSpec(
        "mode_split",
        "view",
        QT_TRANSLATE_NOOP("Actions", "&Split"),
        ("3",),
        "split",
        QT_TRANSLATE_NOOP("Actions", "Init image and result under one sliding edge"),
        "mode",
    ),
    ActionSpec(
        "mode_side",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Side &by side"),
        ("4",),
        "side",
        QT_TRANSLATE_NOOP("Actions", "Init image and result beside each other"),
        "mode",
    ),
    ActionSpec("view_1", "view", "-"),
    ActionSpec(
        "zoom_in",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Zoom i&n"),
        ("Ctrl++", "Ctrl+="),
        "zoom-in",
        QT_TRANSLATE_NOOP("Actions", "Zoom in"),
    ),
    ActionSpec(
        "zoom_out",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Zoom &out"),
        ("Ctrl+-",),
        "zoom-out",
        QT_TRANSLATE_NOOP("Actions", "Zoom out"),
    ),
    ActionSpec(
        "zoom_fit",
        "view",
        QT_TRANSLATE_NOOP("Actions", "&Fit in window"),
        ("Ctrl+0",),
        "fit",
        QT_TRANSLATE_NOOP("Actions", "Show it whole"),
    ),
    ActionSpec(
        "zoom_actual",
        "view",
        QT_TRANSLATE_NOOP("Actions", "&Actual pixels"),
        ("Ctrl+1",),
        "actual",
        QT_TRANSLATE_NOOP("Actions", "One picture pixel on one screen pixel"),
    ),
    ActionSpec("view_2", "view", "-"),
    ActionSpec(
        "full_screen",
        "view",
        QT_TRANSLATE_NOOP("Actions", "F&ull screen"),
        ("F", "F11"),
        "full-screen",
        QT_TRANSLATE_NOOP("Actions", "Use the whole screen"),
        is_checkable=True,
    ),
    ActionSpec(
        "hide_panels",
        "view",
        QT_TRANSLATE_NOOP("Actions", "&Hide panels"),
        ("Tab",),
        "",
        QT_TRANSLATE_NOOP("Actions", "Leave only the canvas (when the canvas has the keyboard)"),
        is_checkable=True,
        on_canvas=True,
    ),
    ActionSpec(
        "next_pane",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Ne&xt panel"),
        ("F6",),
        "",
        QT_TRANSLATE_NOOP("Actions", "Move the keyboard to the next panel"),
    ),
    ActionSpec(
        "reset_layout",
        "view",
        QT_TRANSLATE_NOOP("Actions", "Reset &layout"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Put the panels back to where they were at first"),
    ),
    ActionSpec("view_3", "view", "-"),
    ActionSpec(
        "theme_auto",
        "theme",
        QT_TRANSLATE_NOOP("Actions", "As the &desktop"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Light or dark as the desktop is"),
        "theme",
    ),
    ActionSpec(
        "theme_light",
        "theme",
        QT_TRANSLATE_NOOP("Actions", "&Light"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Light theme"),
        "theme",
    ),
    ActionSpec(
        "theme_dark",
        "theme",
        QT_TRANSLATE_NOOP("Actions", "D&ark"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Dark theme"),
        "theme",
    ),
    ActionSpec(
        "use_as_init",
        "image",
        QT_TRANSLATE_NOOP("Actions", "Use result as &init image"),
        ("Ctrl+I",),
        "init",
        QT_TRANSLATE_NOOP("Actions", "Go on from the shown result"),
    ),
    ActionSpec(
        "restore",
        "image",
        QT_TRANSLATE_NOOP("Actions", "&Restore settings…"),
        ("Ctrl+R",),
        "restore",
        QT_TRANSLATE_NOOP("Actions", "Take over prompt, values or init image of the shown result"),
    ),
    ActionSpec("image_1", "image", "-"),
    ActionSpec(
        "clear_init",
        "image",
        QT_TRANSLATE_NOOP("Actions", "Remove i&nit image"),
        (),
        "close",
        QT_TRANSLATE_NOOP("Actions", "Empty the canvas; the prompt stays"),
    ),
    ActionSpec(
        "trash",
        "image",
        QT_TRANSLATE_NOOP("Actions", "Move result to &trash"),
        (),
        "trash",
        QT_TRANSLATE_NOOP("Actions", "Move the shown result to the trash; undo brings it back"),
    ),
    ActionSpec(
        "generate",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "&Generate"),
        ("Ctrl+Return", "Ctrl+Enter"),
        "generate",
        QT_TRANSLATE_NOOP("Actions", "Make the variations"),
    ),
    ActionSpec(
        "stop",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "&Stop now"),
        ("Esc",),
        "stop",
        QT_TRANSLATE_NOOP("Actions", "Stop within one step"),
    ),
    ActionSpec(
        "stop_after",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "Stop &after this one"),
        ("Shift+Esc",),
        "",
        QT_TRANSLATE_NOOP("Actions", "Finish the running picture, then pause the queue"),
    ),
    ActionSpec("generate_1", "generate", "-"),
    ActionSpec(
        "pause",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "&Pause queue"),
        ("Ctrl+Shift+P",),
        "pause",
        QT_TRANSLATE_NOOP("Actions", "Start no further job until resumed"),
        is_checkable=True,
    ),
    ActionSpec(
        "clear_finished",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "&Clear finished"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Take done, failed and stopped jobs off the list; pictures stay"),
    ),
    ActionSpec(
        "autostart",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "&Begin jobs at the start"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Off: after the program's start the queue waits until you resume it"),
        is_checkable=True,
    ),
    ActionSpec("generate_2", "generate", "-"),
    ActionSpec(
        "snap_strength",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "S&nap strength to whole steps"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "While the slider is dragged; a typed value is kept as typed"),
        is_checkable=True,
    ),
    ActionSpec(
        "random_seed",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "New random see&d"),
        (),
        "dice",
        QT_TRANSLATE_NOOP("Actions", "Fix a new random seed"),
    ),
    ActionSpec(
        "reuse_seed",
        "generate",
        QT_TRANSLATE_NOOP("Actions", "&Reuse last seed"),
        (),
        "reuse",
        QT_TRANSLATE_NOOP("Actions", "Fix the seed of the last result"),
    ),
    ActionSpec(
        "open_checkpoint",
        "checkpoints",
        QT_TRANSLATE_NOOP("Actions", "&Open checkpoint folder…"),
        (),
        "folder",
        QT_TRANSLATE_NOOP("Actions", "Use a checkpoint folder in diffusers layout"),
    ),
    ActionSpec(
        "refresh_checkpoints",
        "checkpoints",
        QT_TRANSLATE_NOOP("Actions", "&Look again"),
        (),
        "retry",
        QT_TRANSLATE_NOOP("Actions", "Look for checkpoints that were added meanwhile"),
    ),
    ActionSpec(
        "show_checkpoints",
        "checkpoints",
        QT_TRANSLATE_NOOP("Actions", "&Show checkpoints' home"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Open the folder in which checkpoints are found by themselves"),
    ),
    ActionSpec(
        "shortcuts",
        "help",
        QT_TRANSLATE_NOOP("Actions", "&Keyboard shortcuts"),
        ("F1",),
        "keyboard",
        QT_TRANSLATE_NOOP("Actions", "List every command and its keys"),
    ),
    ActionSpec(
        "show_data",
        "help",
        QT_TRANSLATE_NOOP("Actions", "Show &data folder"),
        (),
        "folder",
        QT_TRANSLATE_NOOP("Actions", "Open Underpaint's own folder"),
    ),
    ActionSpec(
        "show_logs",
        "help",
        QT_TRANSLATE_NOOP("Actions", "Show &log folder"),
        (),
        "",
        QT_TRANSLATE_NOOP("Actions", "Open the folder of logs"),
    ),
    ActionSpec("help_1", "help", "-"),
    ActionSpec(
        "about",
        "help",
        QT_TRANSLATE_NOOP("Actions", "&About Underpaint"),
        (),
        "info",
        QT_TRANSLATE_NOOP("Actions", "Version and licences"),
    ),
)

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
