"""PromptPanel: which recipe and checkpoint paint, and what."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.core.choices import read_choices
from desktop_app.core.errors import RequestError
from desktop_app.core.families import family_named
from desktop_app.core.params import Params
from desktop_app.core.prompting import count_prompt
from desktop_app.core.styles import NO_WORDS, Style
from desktop_app.studio.document import Document
from desktop_app.studio.plan import RunPlan
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.checkpoint_control import CheckpointControl
from desktop_app.ui.field import Field, WheelGuard, set_role, show_unused
from desktop_app.ui.prompt_edit import PromptEdit
from desktop_app.ui.style_control import StyleControl
from desktop_app.ui.suggestions import Suggestions
from desktop_app.ui.texts import file_size
from desktop_app.ui.theme import GRID
from desktop_app.ui.weight_note import WeightNote


class PromptPanel(QWidget):
    """Renders the document's recipe, checkpoint and prompts; edits go straight back to the document."""

    open_checkpoint_requested = Signal()
    download_requested = Signal()
    """What the chosen checkpoint or recipe needs and is not on this machine."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self.checkpoint = CheckpointControl()
        self.checkpoint.picked.connect(self._on_checkpoint_picked)
        self.checkpoint.open_requested.connect(self.open_checkpoint_requested)
        self.recipe = QComboBox()
        self.recipe.setObjectName("recipeCombo")
        self.recipe.setPlaceholderText(self.tr("Own values"))
        self.recipe.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.recipe.activated.connect(self._on_recipe_activated)
        self.prompt = self._prompt_edit("promptEdit", self.tr("What should the picture become?"))
        self.negative = self._prompt_edit("negativePromptEdit", self.tr("What should it not show?"), 1)
        self.prompt.edited.connect(self._on_prompt_edited)
        self.negative.edited.connect(self._on_negative_edited)
        self.style_control = StyleControl(document)
        self._counter = self._count_label("promptCounter")
        self._negative_counter = self._count_label("negativePromptCounter")
        self._weights = WeightNote(self.prompt)
        self._negative_weights = WeightNote(self.negative)
        self._suggestions = Suggestions(self.prompt)
        self._suggestions.taken.connect(self._on_suggestion_taken)
        self._negative_suggestions = Suggestions(self.negative)
        self._negative_suggestions.taken.connect(self._on_negative_suggestion_taken)
        self.download = QPushButton()
        self.download.setObjectName("downloadMissingButton")
        self.download.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.show_missing(())
        self.download.clicked.connect(self.download_requested)
        self.fields = {
            "recipe": Field("recipe", self.recipe),
            "checkpoint": Field("checkpoint", self.checkpoint, self.checkpoint.combo),
            "prompt": Field("prompt", self.prompt, aside=self._counter),
            "negative_prompt": Field("negative_prompt", self.negative, aside=self._negative_counter),
            "style": Field("style", self.style_control),
        }
        self._guard = WheelGuard(self)
        self._guard.watch(self.recipe, self.checkpoint.combo, self.style_control)
        self._lay_out()
        document.params_changed.connect(self._on_params_changed)
        document.checkpoint_changed.connect(self._on_checkpoint_changed)
        document.recipes_changed.connect(self._fill_recipes)
        self._fill_recipes()
        self._on_params_changed(document.params)
        self._on_checkpoint_changed()

    def refresh(self, plan: RunPlan) -> None:
        """Show the prompt that ``plan`` found cannot be run. What is wrong with the checkpoint is known without it."""
        for name in ("recipe", "prompt", "negative_prompt", "style"):
            self.fields[name].show_error(plan.error if plan.error and plan.error.param == name else None)

    def show_missing(self, sizes: Sequence[tuple[str, int]]) -> None:
        """Say on the button what it would download: REFs and their bytes, 0 where nobody knows."""
        text = self.tr("Download what is missing…")
        if sizes and all(size for _ref, size in sizes):
            total = file_size(sum(size for _ref, size in sizes))
            text = self.tr("Download what is missing (%1)…").replace("%1", total)
        names = ", ".join(f"{ref} ({file_size(size)})" if size else ref for ref, size in sizes)
        tip = self.tr("Downloads %1").replace("%1", names) if names else ""
        self.download.setText(text)
        self.download.setToolTip(plain_tip(tip))
        self.download.setAccessibleDescription(tip)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID + 2)
        layout.addWidget(self.fields["recipe"])
        layout.addWidget(self.fields["checkpoint"])
        layout.addWidget(self.download)
        prompt = QVBoxLayout()
        prompt.setSpacing(4)
        prompt.addWidget(self.fields["prompt"])
        prompt.addWidget(self._weights)
        prompt.addWidget(self._suggestions)
        layout.addLayout(prompt)
        negative = QVBoxLayout()
        negative.setSpacing(4)
        negative.addWidget(self.fields["negative_prompt"])
        negative.addWidget(self._negative_weights)
        negative.addWidget(self._negative_suggestions)
        layout.addLayout(negative)
        layout.addWidget(self.fields["style"])

    def _prompt_edit(self, name: str, placeholder: str, lines: int = 2) -> PromptEdit:
        edit = PromptEdit(lines)
        edit.setObjectName(name)
        edit.setPlaceholderText(placeholder)
        return edit

    def _count_label(self, name: str) -> QLabel:
        label = QLabel()
        label.setObjectName(name)
        set_role(label, "caption")
        return label

    def _fill_recipes(self) -> None:
        self.recipe.clear()
        for recipe in self._document.recipes:
            self.recipe.addItem(recipe.label, recipe.name)
            tip = plain_tip(recipe.description)
            self.recipe.setItemData(self.recipe.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._show_recipe()
        self.fields["recipe"].setVisible(self.recipe.count() > 1)

    def _show_recipe(self) -> None:
        recipe = self._document.recipe
        self.recipe.setCurrentIndex(self.recipe.findData(recipe.name) if recipe else -1)

    def _on_params_changed(self, params: Params) -> None:
        self._show_recipe()
        self.download.setVisible(bool(self._document.missing))
        self.checkpoint.show_value(params.checkpoint)
        self.prompt.set_text(params.prompt)
        self.negative.set_text(params.negative_prompt)
        self._weights.refresh()
        self._negative_weights.refresh()
        self._count(params)
        self._suggest(params)

    def _on_checkpoint_changed(self) -> None:
        error = self._document.checkpoint_error
        params = self._document.params
        shown = RequestError(error.title, error.detail, error.hint, param="checkpoint") if error else None
        self.fields["checkpoint"].show_error(shown)
        info = self._document.checkpoint_info
        show_unused(self.fields, info)
        family = family_named(info.family) if info else None
        for note in (self._weights, self._negative_weights):
            note.set_takes_weights(takes=family is None or family.takes_weights)
        self.checkpoint.show_note(info.note if info else "")
        self.download.setVisible(bool(self._document.missing))
        self._count(params)
        self._suggest(params)

    def _count(self, params: Params) -> None:
        style = self.style_control.style_of(params)
        for edit, label, text, around in (
            (self.prompt, self._counter, params.prompt, style.around if style else NO_WORDS),
            (
                self.negative,
                self._negative_counter,
                params.negative_prompt,
                style.around_negative if style else NO_WORDS,
            ),
        ):
            counted = count_prompt(text, around)
            count = self._document.count_tokens(counted.text)
            label.setText(f"{count.used}/{count.limit}" if count.limit else "")
            label.setToolTip(self._count_tip(text, style))
            is_over = count.overflow is not None
            if count.chunks > 1:
                label.setText(f"{label.text()} × {count.chunks}")
            if is_over:
                label.setText(self.tr("%1: the end is not read").replace("%1", label.text()))
            if label.property("role") != ("error" if is_over else "caption"):
                set_role(label, "error" if is_over else "caption")
                label.style().polish(label)
            edit.set_overflow(counted.written(count.overflow) if count.overflow is not None else None)

    def _count_tip(self, text: str, style: Style | None) -> str:
        sentences = [self.tr("Tokens used, of those that the checkpoint reads.")]
        if style is not None:
            sentences.append(self.tr("The words of the style are among them."))
        if read_choices(text).choices:
            sentences.append(self.tr("Of each choice the longest words are counted."))
        return plain_tip(" ".join(sentences))

    def _suggest(self, params: Params) -> None:
        """Prompts that the recipe knows to work, as buttons, while there is no prompt; then the words that call the
        checkpoint's style, while none of them is in it.
        """
        recipe = self._document.recipe
        words = self._trigger_words(params)
        if recipe and not params.prompt:
            self._suggestions.offer(recipe.suggestions, self.tr("Take this as the prompt"))
        else:
            self._suggestions.offer(words, self.tr("Add these words: they call the checkpoint's own style"))
        info = self._document.checkpoint_info
        family = family_named(info.family) if info else None
        has_place = not params.negative_prompt and (family is None or family.takes("negative_prompt"))
        negatives = recipe.negative_suggestions if recipe and has_place else ()
        self._negative_suggestions.offer(negatives, self.tr("Take this as the negative prompt"))

    def _trigger_words(self, params: Params) -> tuple[str, ...]:
        recipe = self._document.recipe
        if recipe is None or any(words in params.prompt for words in recipe.trigger_words):
            return ()
        return recipe.trigger_words

    def _on_suggestion_taken(self, text: str) -> None:
        prompt = self._document.params.prompt
        is_added = prompt and text in self._trigger_words(self._document.params)
        self._document.set_param("prompt", f"{prompt.rstrip(', ')}, {text}" if is_added else text)
        self.prompt.setFocus()

    def _on_negative_suggestion_taken(self, text: str) -> None:
        self._document.set_param("negative_prompt", text)
        self.negative.setFocus()

    def _on_prompt_edited(self, text: str) -> None:
        if text != self._document.params.prompt:
            self._document.set_param("prompt", text)

    def _on_negative_edited(self, text: str) -> None:
        if text != self._document.params.negative_prompt:
            self._document.set_param("negative_prompt", text)

    def _on_checkpoint_picked(self, ref: str) -> None:
        self._document.choose_checkpoint(ref)

    def _on_recipe_activated(self, index: int) -> None:
        self._document.apply_recipe(self.recipe.itemData(index))
