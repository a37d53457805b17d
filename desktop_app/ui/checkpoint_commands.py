"""What can be done with a checkpoint: one table of commands, and which of them a row offers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from desktop_app.core.checkpoint import Home
from desktop_app.core.errors import StudioError
from desktop_app.studio.checkpoint_rows import CheckpointRow, hub_id
from desktop_app.studio.checkpoint_work import Task, WorkKind
from desktop_app.studio.downloads import CAN_PAUSE, DownloadState
from desktop_app.ui.checkpoint_texts import is_long, needs_token, translate
from desktop_app.ui.texts import QT_TRANSLATE_NOOP


class Command(Enum):
    """Each is a button of the details; some are in the row too."""

    USE = "use"
    DOWNLOAD = "download"
    REPAIR = "repair"
    CONVERT = "convert"
    ANSWER = "answer"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    TOKEN = "token"
    CANCEL = "cancel"
    VERIFY = "verify"
    STOP_WORK = "stop work"
    DETAILS = "details"
    SHOW_FOLDER = "show folder"
    OPEN_PAGE = "open page"
    REMOVE = "remove"
    FORGET = "forget"


@dataclass(frozen=True)
class CommandSpec:
    """How a command is offered."""

    text: str
    icon: str
    tip: str


COMMANDS: dict[Command, CommandSpec] = {
    Command.USE: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Use"), "tick", QT_TRANSLATE_NOOP("Checkpoints", "Paint with this checkpoint")
    ),
    Command.DOWNLOAD: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Download"),
        "download",
        QT_TRANSLATE_NOOP("Checkpoints", "Fetch it from the hub; it can be paused at any time"),
    ),
    Command.REPAIR: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Repair"),
        "download",
        QT_TRANSLATE_NOOP("Checkpoints", "Fetch again what is missing or damaged"),
    ),
    Command.CONVERT: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Convert…"),
        "swap",
        QT_TRANSLATE_NOOP("Checkpoints", "Its weights are in an unsafe format; make safetensors of them, once"),
    ),
    Command.ANSWER: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Read and answer…"),
        "info",
        QT_TRANSLATE_NOOP("Checkpoints", "Its weights are in an unsafe format; say whether they shall be converted"),
    ),
    Command.PAUSE: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Pause"),
        "pause",
        QT_TRANSLATE_NOOP("Checkpoints", "Stop for now; what is here stays"),
    ),
    Command.RESUME: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Resume"),
        "play",
        QT_TRANSLATE_NOOP("Checkpoints", "Go on where it stopped"),
    ),
    Command.RETRY: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Try again"),
        "retry",
        QT_TRANSLATE_NOOP("Checkpoints", "Ask the hub anew; what is here is kept"),
    ),
    Command.TOKEN: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Licence and token…"),
        "key",
        QT_TRANSLATE_NOOP("Checkpoints", "How to accept its licence, and where the hub token goes"),
    ),
    Command.CANCEL: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Cancel"),
        "close",
        QT_TRANSLATE_NOOP("Checkpoints", "Stop, and throw away what is here of it"),
    ),
    Command.VERIFY: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Verify"),
        "verify",
        QT_TRANSLATE_NOOP("Checkpoints", "Read every file and compare it with what was published"),
    ),
    Command.STOP_WORK: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Stop verifying"),
        "stop",
        QT_TRANSLATE_NOOP("Checkpoints", "Stop reading its files"),
    ),
    Command.DETAILS: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Details…"),
        "info",
        QT_TRANSLATE_NOOP("Checkpoints", "All that is known of what went wrong"),
    ),
    Command.SHOW_FOLDER: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Show in folder"),
        "folder",
        QT_TRANSLATE_NOOP("Checkpoints", "Open its folder in the file manager"),
    ),
    Command.OPEN_PAGE: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Open page"),
        "external",
        QT_TRANSLATE_NOOP("Checkpoints", "Open its page on the hub in the web browser"),
    ),
    Command.REMOVE: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Remove…"),
        "trash",
        QT_TRANSLATE_NOOP("Checkpoints", "Delete it from this computer"),
    ),
    Command.FORGET: CommandSpec(
        QT_TRANSLATE_NOOP("Checkpoints", "Take off the list"),
        "close",
        QT_TRANSLATE_NOOP("Checkpoints", "Its files stay where they are"),
    ),
}

NEEDS_NETWORK = (Command.DOWNLOAD, Command.REPAIR, Command.RESUME, Command.RETRY)
PRIMARY = (
    Command.REPAIR,
    Command.USE,
    Command.DOWNLOAD,
    Command.ANSWER,
    Command.RESUME,
    Command.RETRY,
    Command.CONVERT,
)
"""The first of these that a row offers stands out."""

NETWORK_OFF = QT_TRANSLATE_NOOP("Checkpoints", "The network is switched off, at the bottom of this window.")
IN_USE = QT_TRANSLATE_NOOP("Checkpoints", "It is in use. Choose another checkpoint first.")
BUSY = QT_TRANSLATE_NOOP("Checkpoints", "Something is being done with it.")


@dataclass(frozen=True)
class Circumstances:
    """What, beside the row itself, decides what can be done with it."""

    is_online: bool = True
    is_used: bool = False
    task: Task | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done with the row."""
        return self.task is not None and self.task.is_running


def commands_of(row: CheckpointRow, around: Circumstances) -> list[Command]:
    """What ``row`` offers, the most likely first."""
    error = error_of(row, around.task)
    details = [Command.DETAILS] if error is not None and is_long(error) else []
    if row.download is not None:
        return [*_commands_of_download(row), *details]
    if row.installed is not None:
        return [*_commands_of_installed(row, around), *details]
    return [Command.DOWNLOAD, *([Command.TOKEN] if needs_token(row) else []), Command.OPEN_PAGE]


def row_commands(row: CheckpointRow) -> list[Command]:
    """What can be done in the row itself."""
    if row.download is None:
        return []
    wanted = (Command.ANSWER, Command.PAUSE, Command.RESUME, Command.RETRY, Command.CANCEL)
    return [command for command in _commands_of_download(row) if command in wanted]


def reason_against(command: Command, around: Circumstances) -> str:
    """Why ``command`` cannot be given now, or empty."""
    if command in NEEDS_NETWORK and not around.is_online:
        return translate(NETWORK_OFF)
    if command in (Command.REMOVE, Command.FORGET) and around.is_used:
        return translate(IN_USE)
    if command in (Command.REMOVE, Command.FORGET, Command.REPAIR, Command.CONVERT) and around.is_busy:
        return translate(BUSY)
    return ""


def tip_of(command: Command, around: Circumstances) -> str:
    """What ``command`` does, or why it cannot be given now."""
    return reason_against(command, around) or translate(COMMANDS[command].tip)


def hub_page(ref: str) -> str:
    """The address of the hub's page of ``ref``; empty where it is not from the hub."""
    name = hub_id(ref).partition("@")[0]
    return f"https://huggingface.co/{name}" if name else ""


def _commands_of_download(row: CheckpointRow) -> list[Command]:
    assert row.download is not None
    state = row.download.state
    if state in (DownloadState.CANCELLING, DownloadState.DONE):
        return []
    commands: list[Command] = []
    if state is DownloadState.ASKING:
        commands.append(Command.ANSWER)
    elif state is DownloadState.PAUSED:
        commands.append(Command.RESUME)
    elif state is DownloadState.FAILED:
        commands += [Command.RETRY, *([Command.TOKEN] if needs_token(row) else [])]
    elif state in CAN_PAUSE:
        commands.append(Command.PAUSE)
    return [*commands, Command.CANCEL, Command.OPEN_PAGE]


def _commands_of_installed(row: CheckpointRow, around: Circumstances) -> list[Command]:
    assert row.installed is not None
    is_from_hub = bool(hub_page(row.ref))
    is_damaged = row.error is not None or has_damage(around.task)
    commands = [Command.USE] if row.error is None and row.can_paint else []
    if row.installed.is_pickled:
        commands.append(Command.CONVERT)
    elif is_damaged and is_from_hub and row.installed.place is not Home.SHARED:
        commands.append(Command.REPAIR)
    if around.is_busy and around.task is not None and around.task.kind is WorkKind.VERIFY:
        commands.append(Command.STOP_WORK)
    elif row.error is None and row.installed.place is not Home.PROGRAM:
        commands.append(Command.VERIFY)
    if row.installed.path is not None:
        commands.append(Command.SHOW_FOLDER)
    if is_from_hub:
        commands.append(Command.OPEN_PAGE)
    removes = {Home.OWN: [Command.REMOVE], Home.ELSEWHERE: [Command.FORGET]}
    return [*commands, *removes.get(row.installed.place, [])]


def has_damage(task: Task | None) -> bool:
    """Whether ``task`` has found damaged files."""
    return task is not None and task.kind is WorkKind.VERIFY and bool(task.outcome)


def error_of(row: CheckpointRow, task: Task | None) -> StudioError | None:
    """What has gone wrong with ``row``, or with what was last done with it."""
    return row.error or (task.error if task else None)
