"""ControlPanel: the control images, each with the picture that the checkpoint will follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import MAX_CONTROLS, Control
from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.params import PARAM_SPECS
from desktop_app.core.variation import Variation
from desktop_app.studio.control_choice import family_of, suggested, usual_mode
from desktop_app.studio.control_deriver import DeriveState
from desktop_app.studio.control_pictures import too_many
from desktop_app.studio.document import Document
from desktop_app.studio.jobs import JobQueue
from desktop_app.studio.opener import Source
from desktop_app.studio.settings import Settings
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.column_area import bring_into_view
from desktop_app.ui.control_row import ControlRow, RowFacts
from desktop_app.ui.control_texts import mode_label
from desktop_app.ui.control_thumb import ControlImageDialog
from desktop_app.ui.field import Field, set_role
from desktop_app.ui.fold import FoldButton
from desktop_app.ui.icons import Icons
from desktop_app.ui.parts import ControlParts
from desktop_app.ui.picture_sources import ask_picture, dropped_picture, pasted_picture
from desktop_app.ui.tab_order import put_in_turn
from desktop_app.ui.texts import param_text, plural
from desktop_app.ui.theme import GRID

PARAM = "controls"


@dataclass(frozen=True)
class PanelSources:
    """Where the panel asks: a variation by its id, and the bytes that a REF takes to download (0: nobody knows)."""

    find_variation: Callable[[str], Variation | None]
    size_of: Callable[[str], int]


class _ControlsField(Field):
    """Without the label above: the fold says it."""

    def __init__(self, content: QWidget, control: QWidget) -> None:
        super().__init__(PARAM, content, control)
        self._label.hide()


class ControlPanel(QWidget):
    """Renders `Params.controls`; edits go straight back to the document. Where the family takes none, those that are
    there can only be switched off or removed.
    """

    download_requested = Signal(tuple)
    """REFs of the hub."""
    error_raised = Signal(object)

    def __init__(
        self,
        document: Document,
        jobs: JobQueue,
        settings: Settings,
        parts: ControlParts,
        sources: PanelSources,
        icons: Icons,
    ) -> None:
        super().__init__()
        self._document = document
        self._jobs = jobs
        self._settings = settings
        self._deriver = parts.deriver
        self._pictures = parts.pictures
        self._sources = sources
        self._icons = icons
        self._infos: tuple[CheckpointInfo, ...] = ()
        self.rows: list[ControlRow] = []
        self.add = QPushButton(self.tr("Add a control image"))
        self.add.setObjectName("addControlButton")
        self.add.clicked.connect(self._on_add_clicked)
        self._list = QVBoxLayout()
        self._list.setSpacing(GRID)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addLayout(self._list)
        layout.addWidget(self.add)
        self.field = _ControlsField(content, self.add)
        spec, body = PARAM_SPECS[PARAM], QWidget()
        self._about = QLabel()
        self._about.setObjectName("controlsReason")
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self._about.setWordWrap(True)
        set_role(self._about, "caption")
        self._has_any = self._is_awaited = False
        self.fold = FoldButton("controlsFold", param_text(spec.label), param_text(spec.tip), body)
        inside = QVBoxLayout(body)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._about)
        inside.addWidget(self.field)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(GRID // 2)
        whole.addWidget(self.fold)
        whole.addWidget(body)
        self._connect()
        self._refresh()

    def _connect(self) -> None:
        self._document.params_changed.connect(self._refresh)
        self._document.init_image_changed.connect(self._refresh)
        self._document.checkpoint_changed.connect(self._refresh)
        self._deriver.changed.connect(self._refresh)
        self._pictures.opening_changed.connect(self._refresh)
        self._pictures.error_raised.connect(self.error_raised)
        self._jobs.state_changed.connect(self._refresh)
        self.fold.toggled.connect(self._on_fold_toggled)

    # For the window -------------------------------------------------------------------------------

    def set_checkpoints(self, infos: Sequence[CheckpointInfo]) -> None:
        """Offer the ControlNets and annotators among ``infos``."""
        self._infos = tuple(infos)
        self._refresh()

    def field_of(self, param: str) -> Field | None:
        """The field of the control images, if ``param`` is theirs."""
        return self.field if param == PARAM else None

    def show_error(self, error: RequestError | None) -> None:
        """Show ``error`` if it is one of the control images; None takes it back."""
        own = error if error and error.param == PARAM else None
        before = self.field.error_text
        self.field.show_error(own)
        if self.field.error_text not in ("", before):
            self.fold.setChecked(True)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        for row in self.rows:
            row.commit_typing()

    def take_picture(self, source: Source, name: str = "") -> None:
        """Add a control image that is made from ``source``."""
        self.fold.setChecked(True)
        self._fold_rows()
        self._is_awaited = True
        self._pictures.add(self._new_control(), source, name)

    # What is shown --------------------------------------------------------------------------------

    def _refresh(self, _change: object = None) -> None:
        controls = self._document.params.controls
        has_come, self._has_any = bool(controls) and not self._has_any, bool(controls)
        if has_come:
            self.fold.setChecked(True)  # a recipe brought them, and they shall be seen
        family = family_of(self._document.checkpoint_info)
        reason = param_text(family.reason(PARAM)) if family else ""
        about = reason or ("" if controls else param_text(PARAM_SPECS[PARAM].tip))
        self._about.setText(about)
        self._about.setVisible(bool(about))
        self._show_count(controls)
        if not self.fold.isChecked():
            return
        while len(self.rows) > len(controls):
            self._drop_row()
        has_new = len(self.rows) < len(controls)
        while len(self.rows) < len(controls):
            self._add_row()
        if has_new:
            put_in_turn(self.fold, *self.rows, self.add)
        if has_new and self._is_awaited:
            self._is_awaited = False
            bring_into_view(self.rows[-1])
        for number, (row, control) in enumerate(zip(self.rows, controls, strict=True)):
            facts = RowFacts(
                base=self._document.checkpoint_info,
                infos=self._infos,
                view=self._deriver.view(control),
                size_of=self._sources.size_of,
                has_job=self._jobs.current is not None,
                is_opening=self._pictures.is_opening(number),
                is_used=not reason,
            )
            row.show_control(control, facts)
        is_one_read = bool(family and family.reads_controls and controls)
        is_opening = self._pictures.is_opening(len(controls))
        self.add.setEnabled(not reason and len(controls) < MAX_CONTROLS and not is_one_read and not is_opening)
        self.add.setText(self.tr("The picture is being opened…") if is_opening else self.tr("Add a control image"))
        tip = self.tr("This checkpoint reads one control image only.") if is_one_read else reason
        self.add.setToolTip(plain_tip(too_many().title if len(controls) >= MAX_CONTROLS else tip))

    def _show_count(self, controls: tuple[Control, ...]) -> None:
        on = sum(control.is_on for control in controls)
        if not controls:
            words = ""
        elif on == len(controls):
            words = f"{on}"
        else:
            words = self.tr("%1 of %2 on").replace("%1", str(on)).replace("%2", str(len(controls)))
        self.fold.show_count(words)
        spoken = plural(len(controls), self.tr("1 control image"), self.tr("%1 control images"))
        self.fold.setAccessibleDescription(spoken)

    def _add_row(self) -> None:
        row = ControlRow(self._icons)
        self.rows.append(row)
        self._list.addWidget(row)
        row.edited.connect(partial(self._on_edited, row))
        row.removed.connect(partial(self._on_removed, row))
        row.open_requested.connect(partial(self._on_open_requested, row))
        row.paste_requested.connect(partial(self._on_paste_requested, row))
        row.dropped.connect(partial(self._on_dropped, row))
        row.derive_requested.connect(partial(self._on_derive_requested, row))
        row.large_requested.connect(partial(self._on_large_requested, row))
        row.download_requested.connect(self.download_requested)

    def _drop_row(self) -> None:
        row = self.rows.pop()
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _fold_rows(self) -> None:
        """The new one has the room."""
        for row in self.rows:
            row.set_open(False)

    def _on_fold_toggled(self, is_open: bool) -> None:
        self._deriver.is_watching = is_open
        self._refresh()

    # What the user does ---------------------------------------------------------------------------

    def _new_control(self) -> Control:
        base = self._document.checkpoint_info
        return suggested(Control(usual_mode(base)), base, self._infos)

    def _on_add_clicked(self) -> None:
        self._fold_rows()
        self._is_awaited = True
        controls = (*self._document.params.controls, self._new_control())
        self._document.set_params(self.tr("Add a control image"), controls=controls)
        self.rows[-1].set_open(True)
        self.rows[-1].mode.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_edited(self, row: ControlRow, control: Control, text: str) -> None:
        number, controls = self.rows.index(row), list(self._document.params.controls)
        if control.mode is not controls[number].mode:
            control = suggested(control, self._document.checkpoint_info, self._infos)
        controls[number] = control
        if text:
            self._document.set_params(text, controls=tuple(controls))
        else:
            self._document.set_param(PARAM, tuple(controls))

    def _on_removed(self, row: ControlRow) -> None:
        """The rows are rendered by their place, so those behind take over what theirs showed."""
        number, controls = self.rows.index(row), list(self._document.params.controls)
        opened = [each.is_open for each in self.rows if each is not row]
        del controls[number]
        self._document.set_params(self.tr("Remove a control image"), controls=tuple(controls))
        for each, is_open in zip(self.rows, opened, strict=True):
            each.set_open(is_open)
        self.add.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_open_requested(self, row: ControlRow) -> None:
        if path := ask_picture(self.window(), self._settings, self.tr("Open picture")):
            self._pictures.open(self.rows.index(row), path)

    def _on_paste_requested(self, row: ControlRow) -> None:
        try:
            self._pictures.open(self.rows.index(row), pasted_picture())
        except ImageError as e:
            self.error_raised.emit(e)

    def _on_dropped(self, row: ControlRow, mime: QMimeData) -> None:
        source = dropped_picture(mime, self._sources.find_variation)
        if source is not None:
            self._pictures.open(self.rows.index(row), source)

    def _on_derive_requested(self, row: ControlRow) -> None:
        self._deriver.derive_now(row.control)

    def _on_large_requested(self, row: ControlRow) -> None:
        view = self._deriver.view(row.control)
        if view.state is not DeriveState.DONE or view.picture is None:
            return
        title = self.tr("Control image: %1").replace("%1", mode_label(row.control))
        dialog = ControlImageDialog(title, view.picture.qimage, view.picture.note, self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
