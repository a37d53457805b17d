"""AdapterPanel: the adapters that change what the checkpoint paints: LoRAs, textual inversions, IP-Adapters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QLabel, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.core.adapter import AdapterInfo, line_of
from desktop_app.core.conditions import MAX_ADAPTERS, Adapter
from desktop_app.core.errors import ImageError, RequestError, StudioError
from desktop_app.core.families import family_named
from desktop_app.core.params import PARAM_SPECS
from desktop_app.core.variation import Variation
from desktop_app.studio.adapter_shelf import PARAM, AdapterShelf, Offer, too_many
from desktop_app.studio.document import Document
from desktop_app.studio.settings import Settings
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.adapter_row import AdapterFacts, AdapterRow
from desktop_app.ui.adapter_texts import facts_text, name_of
from desktop_app.ui.column_area import bring_into_view
from desktop_app.ui.control_thumb import ControlImageDialog
from desktop_app.ui.elided_label import ElidedLabel
from desktop_app.ui.field import Field, set_role
from desktop_app.ui.fold import FoldButton
from desktop_app.ui.icons import Icons
from desktop_app.ui.picture_sources import ask_picture, dropped_picture, pasted_picture
from desktop_app.ui.tab_order import put_in_turn
from desktop_app.ui.texts import param_text, plural
from desktop_app.ui.theme import GRID

FindVariation = Callable[[str], Variation | None]


class _AdaptersField(Field):
    """Without the label above: the fold says it."""

    def __init__(self, content: QWidget, control: QWidget) -> None:
        super().__init__(PARAM, content, control)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)  # the rows know their heights
        self._label.hide()
        self.fold: FoldButton | None = None

    def focus_control(self) -> None:
        """Whoever is brought here shall see it."""
        if self.fold:
            self.fold.setChecked(True)
        super().focus_control()


class AdapterPanel(QWidget):
    """Renders `Params.adapters`; edits go straight back to the document. Where the family takes none, those that are
    there can only be switched off or removed.
    """

    error_raised = Signal(object)
    folder_requested = Signal()

    def __init__(
        self,
        document: Document,
        settings: Settings,
        shelf: AdapterShelf,
        find_variation: FindVariation,
        icons: Icons,
    ) -> None:
        super().__init__()
        self._document = document
        self._settings = settings
        self._shelf = shelf
        self._find_variation = find_variation
        self._icons = icons
        self.rows: list[AdapterRow] = []
        self._offered: list[Offer] = []
        self._was_coming = False
        self._count = 0
        self.add = QPushButton(self.tr("Add an adapter"))
        self.add.setObjectName("addAdapterButton")
        self.menu = QMenu(self)
        self.menu.setObjectName("addAdapterMenu")
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._on_menu_shown)
        self.add.setMenu(self.menu)
        self._list = QVBoxLayout()
        self._list.setSpacing(GRID)
        self._coming = ElidedLabel()
        self._coming.setObjectName("adaptersComing")
        set_role(self._coming, "caption")
        self._lay_out()
        self._connect()
        self._refresh()

    def _lay_out(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addLayout(self._list)
        layout.addWidget(self._coming)
        layout.addWidget(self.add)
        self.field = _AdaptersField(content, self.add)
        spec, body = PARAM_SPECS[PARAM], QWidget()
        self._about = QLabel()
        self._about.setObjectName("adaptersReason")
        self._about.setTextFormat(Qt.TextFormat.PlainText)
        self._about.setWordWrap(True)
        set_role(self._about, "caption")
        self.fold = FoldButton("adaptersFold", param_text(spec.label), param_text(spec.tip), body)
        self.field.fold = self.fold
        inside = QVBoxLayout(body)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self._about)
        inside.addWidget(self.field)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(GRID // 2)
        whole.addWidget(self.fold)
        whole.addWidget(body)

    def _connect(self) -> None:
        self._document.params_changed.connect(self._refresh)
        self._document.checkpoint_changed.connect(self._refresh)
        self._shelf.changed.connect(self._refresh)
        self._shelf.error_raised.connect(self.error_raised)
        self.fold.toggled.connect(self._on_fold_toggled)

    # For the window -------------------------------------------------------------------------------

    def field_of(self, param: str) -> Field | None:
        """The field of the adapters, if ``param`` is theirs."""
        return self.field if param == PARAM else None

    def show_error(self, error: RequestError | None) -> None:
        """Show ``error`` if it is one of the adapters; None takes it back."""
        own = error if error and error.param == PARAM else None
        before = self.field.error_text
        self.field.show_error(own)
        if self.field.error_text not in ("", before):
            self.fold.setChecked(True)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        for row in self.rows:
            row.commit_typing()

    def bring_in(self, paths: list[Path]) -> None:
        """Import adapters that were dropped, and add them."""
        self.fold.setChecked(True)
        bring_into_view(self)
        self._shelf.bring_in(paths)

    # What is shown --------------------------------------------------------------------------------

    def _refresh(self, _change: object = None) -> None:
        adapters = self._document.params.adapters
        if self.menu.isVisible() and self._offers() != self._offered:
            self._fill_menu()
        info = self._document.checkpoint_info
        family = family_named(info.family) if info else None
        reason = param_text(family.reason(PARAM)) if family else ""
        about = reason or ("" if adapters or self._shelf.coming else param_text(PARAM_SPECS[PARAM].tip))
        self._about.setText(about)
        self._about.setVisible(bool(about))
        self._show_count(adapters)
        if not self.fold.isChecked():
            return
        self._match_rows(adapters)
        for number, (row, adapter) in enumerate(zip(self.rows, adapters, strict=True)):
            row.show_adapter(adapter, self._facts(number, adapter))
        if self._was_coming and len(adapters) > self._count:
            bring_into_view(self.rows[-1])
        self._was_coming, self._count = bool(self._shelf.coming), len(adapters)
        names = ", ".join(self._shelf.coming)
        self._coming.show_text(self.tr("Reading %1…").replace("%1", names))
        self._coming.setVisible(bool(names))
        is_full = len(adapters) >= MAX_ADAPTERS
        self.add.setEnabled(not reason and not is_full)
        self.add.setToolTip(plain_tip(too_many().title if is_full else reason))

    def _facts(self, number: int, adapter: Adapter) -> AdapterFacts:
        known = self._shelf.known(adapter)
        return AdapterFacts(
            known=known,
            reason=self._shelf.reason(known) if isinstance(known, AdapterInfo) else "",
            prompt=self._document.params.prompt,
            picture=self._shelf.picture(adapter.image) if adapter.image else None,
            is_opening=self._shelf.is_opening(number),
        )

    def _show_count(self, adapters: tuple[Adapter, ...]) -> None:
        on = sum(adapter.is_on for adapter in adapters)
        if not adapters:
            words = ""
        elif on == len(adapters):
            words = f"{on}"
        else:
            words = self.tr("%1 of %2 on").replace("%1", str(on)).replace("%2", str(len(adapters)))
        self.fold.show_count(words)
        self.fold.setAccessibleDescription(plural(len(adapters), self.tr("1 adapter"), self.tr("%1 adapters")))

    def _match_rows(self, adapters: tuple[Adapter, ...]) -> None:
        """A row for each, of its kind."""
        kept = 0
        while kept < min(len(self.rows), len(adapters)) and self.rows[kept].kind is adapters[kept].kind:
            kept += 1
        while len(self.rows) > kept:
            row = self.rows.pop()
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        for adapter in adapters[kept:]:
            self._add_row(adapter)
        if adapters[kept:]:
            put_in_turn(self.fold, *self.rows, self.add)

    def _add_row(self, adapter: Adapter) -> None:
        row = AdapterRow(adapter.kind, self._icons)
        self.rows.append(row)
        self._list.addWidget(row)
        row.edited.connect(partial(self._on_edited, row))
        row.removed.connect(partial(self._on_removed, row))
        row.words_taken.connect(self._on_words_taken)
        row.open_requested.connect(partial(self._on_open_requested, row))
        row.paste_requested.connect(partial(self._on_paste_requested, row))
        row.dropped.connect(partial(self._on_dropped, row))
        row.large_requested.connect(partial(self._on_large_requested, row))

    def _offers(self) -> list[Offer]:
        """Those that can be added; of one in use, what its file has become."""
        shelf = self._shelf
        used = {each.ref for each in self._document.params.adapters if not isinstance(shelf.known(each), StudioError)}
        return [offer for offer in shelf.offers() if offer.ref not in used]

    def _fill_menu(self) -> None:
        """Those in the folder, the fitting ones first; then how others come in."""
        self.menu.clear()
        self._offered = offers = self._offers()
        for offer in offers:
            self._offer(offer)
        if not offers:
            self.menu.addAction(self.tr("No other adapters in the folder")).setEnabled(False)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("Import a file…")).triggered.connect(self._on_import)
        self.menu.addAction(self.tr("Use a file where it is…")).triggered.connect(self._on_use_in_place)
        self.menu.addAction(self.tr("Show the folder")).triggered.connect(self.folder_requested)

    def _offer(self, offer: Offer) -> None:
        action = self.menu.addAction(offer.label.replace("&", "&&"))
        action.setEnabled(not offer.reason)
        facts = facts_text(offer.info.kind, offer.info) if offer.info else ""
        action.setToolTip(plain_tip("\n".join(filter(None, (facts, offer.reason)))))
        if offer.reason:
            action.setText(f"{action.text()}\t{self._short_reason(offer)}")
        action.triggered.connect(partial(self._shelf.add, offer.ref))

    def _short_reason(self, offer: Offer) -> str:
        if offer.info is None:
            return self.tr("cannot be used")
        info = self._document.checkpoint_info
        if info and line_of(info.family) in offer.info.families:
            return self.tr("for another checkpoint")  # of the same family, with words of another width
        return self.tr("for %1").replace("%1", offer.info.family_text or self.tr("another family"))

    def _on_menu_shown(self) -> None:
        """There may be other files by now; then it is filled anew."""
        self._fill_menu()
        self._shelf.look()

    def _on_fold_toggled(self, is_open: bool) -> None:
        if is_open:
            self._shelf.look()
        self._refresh()

    # What the user does ---------------------------------------------------------------------------

    def _on_edited(self, row: AdapterRow, adapter: Adapter, text: str) -> None:
        adapters = list(self._document.params.adapters)
        adapters[self.rows.index(row)] = adapter
        if text:
            self._document.set_params(text, adapters=tuple(adapters))
        else:
            self._document.set_param(PARAM, tuple(adapters))

    def _on_removed(self, row: AdapterRow) -> None:
        adapters = list(self._document.params.adapters)
        del adapters[self.rows.index(row)]
        self._document.set_params(self.tr("Remove an adapter"), adapters=tuple(adapters))
        self.add.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_words_taken(self, words: str) -> None:
        prompt = self._document.params.prompt.rstrip(", ")
        self._document.set_param("prompt", f"{prompt}, {words}" if prompt else words)

    def _on_import(self) -> None:
        if names := self._ask(self.tr("Import adapters")):
            self._shelf.bring_in(names)

    def _on_use_in_place(self) -> None:
        if names := self._ask(self.tr("Use adapters where they are")):
            self._shelf.bring_in(names, in_place=True)

    def _ask(self, title: str) -> list[Path]:
        kinds = self.tr("Adapters (*.safetensors)")
        folder = self._settings.get("last_folder")
        names, _kind = QFileDialog.getOpenFileNames(self.window(), title, folder, kinds)
        if names:
            self._settings.set("last_folder", str(Path(names[0]).parent))
        return [Path(name) for name in names]

    def _on_open_requested(self, row: AdapterRow) -> None:
        if path := ask_picture(self.window(), self._settings, self.tr("Open picture")):
            self._shelf.open_picture(self.rows.index(row), path)

    def _on_paste_requested(self, row: AdapterRow) -> None:
        try:
            self._shelf.open_picture(self.rows.index(row), pasted_picture())
        except ImageError as e:
            self.error_raised.emit(e)

    def _on_dropped(self, row: AdapterRow, mime: QMimeData) -> None:
        source = dropped_picture(mime, self._find_variation)
        if source is not None:
            self._shelf.open_picture(self.rows.index(row), source)

    def _on_large_requested(self, row: AdapterRow) -> None:
        image = row.thumb.image
        if image is None:
            return
        name = name_of(row.adapter, self._shelf.known(row.adapter))
        note = row.adapter.image.name if row.adapter.image else ""
        dialog = ControlImageDialog(self.tr("Picture of %1").replace("%1", name), image, note, self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
