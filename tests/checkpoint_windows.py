"""A disk of checkpoints, a token, and the Checkpoints window on them: what its tests share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from checkpoint_cases import BASE, CATALOG, GATED, PICKLED, REFINER, SLICE, FolderDownloads, make_access, make_info

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoint_care import Homes
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import CheckpointRow
from desktop_app.studio.checkpoint_work import CheckpointWork
from desktop_app.studio.downloads import Downloads
from desktop_app.ui.checkpoint_commands import Command
from desktop_app.ui.checkpoint_texts import row_text
from desktop_app.ui.checkpoints_window import CheckpointsWindow
from desktop_app.ui.icons import Icons

MINE = "/art/mine.safetensors"


class Disk:
    """The checkpoints of this machine: one ships, one is our own, one is used where it is; what arrives is found."""

    def __init__(self, tmp_path: Path) -> None:
        self.homes = Homes(tmp_path / "checkpoints", tmp_path / "program", (tmp_path / "shared",))
        self.own = self.homes.own / "org" / "own"
        self.own.mkdir(parents=True)
        self.infos = {
            "starter": make_info("starter", self.homes.program / "starter", "Starter"),
            "org/own": make_info("org/own", self.own, "Own"),
            MINE: make_info(MINE, Path(MINE), "mine"),
        }
        self.damaged: list[str] = []

    def survey(self):
        for path in self.homes.own.glob("*/*"):
            ref = str(path.relative_to(self.homes.own))
            if not path.suffix and ref not in self.infos:
                self.infos[ref] = make_info(ref, path, path.name)
        return dict(self.infos)

    def remove(self, ref):
        info = self.infos.pop(ref)
        shutil.rmtree(info.path, ignore_errors=True)
        return info.size_bytes

    def find(self, ref):
        path = self.homes.shared[0] / ref
        return path if path.exists() else None

    def has_pickles(self, path):
        return bool(list(path.glob("*.bin")))

    def discard(self, ref, names):
        assert names == self.damaged
        self.infos.pop(ref)
        shutil.rmtree(self.own)

    def verify(self, _ref, report, _cancel):
        report(DownloadProgress(2, 2))
        return self.damaged

    def bring_in(self, path, _report, _cancel):
        if path.stem == "bad":
            raise CheckpointError("This file is no checkpoint", path.name)
        self.infos[str(path)] = make_info(str(path), path, path.stem)
        return str(path)


class MemoryToken:
    """A token that is kept for the session only."""

    def __init__(self) -> None:
        self.text = ""

    def set(self, text: str) -> None:
        self.text = text

    def clear(self) -> None:
        self.text = ""

    def where(self) -> str:
        return "memory" if self.text else ""


def make_hub(tmp_path: Path, disk: Disk) -> FolderDownloads:
    """A hub of which some of the catalog can be fetched to ``disk``."""
    made = FolderDownloads(tmp_path / "hub", disk.homes.own)
    for ref in (BASE, REFINER, GATED, "some/one"):
        made.add(ref)
    made.add(PICKLED, ["unet.bin"])
    return made


@contextmanager
def open_window(
    qtbot, disk: Disk, downloads: Downloads, token: MemoryToken, icons: Icons
) -> Iterator[CheckpointsWindow]:
    """The window, after its first look at the disk."""
    methods = {name: getattr(disk, name) for name in ("survey", "remove", "discard", "verify", "bring_in")}
    access = make_access(disk.homes, find=disk.find, has_pickles=disk.has_pickles, **methods)
    with closing(CheckpointModel(access, CATALOG, downloads, row_text)) as model:
        with closing(CheckpointWork(access)) as work:
            window = CheckpointsWindow(model, downloads, work, token, icons)
            qtbot.addWidget(window)
            window.brought_in.connect(window.bring_in)
            with qtbot.waitSignal(model.surveyed):
                window.show()
            yield window
            window.close_all()


def offered(window: CheckpointsWindow) -> list[Command]:
    return [command for command, button in window.details.buttons.items() if not button.isHidden()]


def press(window: CheckpointsWindow, command: Command) -> None:
    assert not window.details.buttons[command].isHidden()
    window.details.buttons[command].click()


def row_of(window: CheckpointsWindow, ref: str) -> CheckpointRow | None:
    model = window.view.model()
    return model.row_at(model.row_of(ref))


def dialog_of(window: CheckpointsWindow, kind: type):
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def begin(qtbot, window: CheckpointsWindow, source: FolderDownloads, ref: str = "some/one") -> None:
    """A download of which one slice is here."""
    window.filter_bar.search.setText(ref)
    press(window, Command.DOWNLOAD)
    source.allow(1)
    qtbot.waitUntil(lambda: row_of(window, ref).download.progress is not None)
    qtbot.waitUntil(lambda: row_of(window, ref).download.progress.done == SLICE)
