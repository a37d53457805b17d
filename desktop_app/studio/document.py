"""Document: what is being edited, the init image, its mask and the values of the controls, with undo and session."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtGui import QUndoStack

from desktop_app.core.adapter import DescribeAdapter
from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import CheckpointError, RequestError, StudioError
from desktop_app.core.outpaint import OVERLAP, Margins
from desktop_app.core.parameters import LoraTag, read_generation_text
from desktop_app.core.params import PARAM_SPECS, Params
from desktop_app.core.plain_data import as_text
from desktop_app.core.planning import build_requests, draw_seed
from desktop_app.core.recipe import Recipe, refs_used
from desktop_app.core.request import ImageRef, Request, image_from_json
from desktop_app.core.styles import Style
from desktop_app.core.sweep import Axis, refuse_alike, sweep
from desktop_app.core.validation import params_from_json
from desktop_app.core.variation import Variation, find_images
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.session import SessionStore
from desktop_app.store.tokens import Words
from desktop_app.studio.autosave import Autosave
from desktop_app.studio.chosen_checkpoint import ChosenCheckpoint, NotRead
from desktop_app.studio.edits import Scene, SetInitImage, SetParams
from desktop_app.studio.mask_file import MaskFile
from desktop_app.studio.mask_keeper import MaskKeeper
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.studio.mask_work import MaskWork
from desktop_app.studio.opener import InitImage, Source, open_source, read_settings
from desktop_app.studio.plan import RunPlan, known_checkpoint, make_plan
from desktop_app.studio.qimage import from_grey
from desktop_app.studio.restoring import INIT_IMAGE, MASK, restored_params
from desktop_app.studio.scene_opener import Opening, SceneOpener
from desktop_app.studio.scenes import LoadMask, OpenedScene, extend_scene, mask_name, open_scene
from desktop_app.studio.tokens import TokenCount

SESSION_NAME = "document"
UNDO_LIMIT = 200

TakeRequests = Callable[[list[Request] | StudioError], None]


class Document(QObject):
    """Lives in the GUI thread. Every edit is an undo command; pictures are opened on the pool."""

    params_changed = Signal(object)
    """The new `Params`."""
    init_image_changed = Signal()
    checkpoint_changed = Signal()
    recipes_changed = Signal()
    opening_changed = Signal(bool)
    """Whether a picture is being opened."""
    error_raised = Signal(object)
    """A `StudioError` of something that went on in the background."""

    def __init__(
        self,
        gallery: GalleryStore,
        checkpoints: CheckpointStore,
        recipes: list[Recipe],
        session: SessionStore,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.recipes = recipes
        self.styles: list[Style] = []
        self.describe_adapters: Callable[[], DescribeAdapter | None] = lambda: None
        self.describe_adapter_now: DescribeAdapter | None = None
        self.taught_words: Callable[[], Words] = tuple
        self.take_loras: Callable[[Sequence[LoraTag]], None] = lambda _loras: None
        self.is_online = True
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(UNDO_LIMIT)
        self._gallery = gallery
        self._checkpoints = checkpoints
        self._session = session
        self._params = _first_params(recipes)
        self._init_image: InitImage | None = None
        self.mask = MaskLayer(self.undo_stack, self)
        self.mask_work = MaskWork(self.mask, gallery, lambda: self._init_image, self)
        self._expected_ref: ImageRef | None = None
        self._chosen = ChosenCheckpoint(checkpoints, self)
        self._chosen.changed.connect(self.checkpoint_changed)
        self._opener = SceneOpener(self)
        self._opener.opened.connect(self._on_opened)
        self._opener.failed.connect(self._on_open_failed)
        self._opener.opening_changed.connect(self.opening_changed)
        self._mask_file = MaskFile(session)
        self._mask_keeper = MaskKeeper(self.mask, self._mask_file, gallery, self)
        self._autosave = Autosave(session, SESSION_NAME, self._snapshot, self)
        self._autosave.failed.connect(self.error_raised)
        self.mask.state_changed.connect(self._autosave.touch)
        self.mask_work.error_raised.connect(self.error_raised)
        self._chosen.choose(self._params.checkpoint)

    # What there is --------------------------------------------------------------------------------

    @property
    def params(self) -> Params:
        """The values of the controls."""
        return self._params

    @property
    def init_image(self) -> InitImage | None:
        """The picture that generation starts from."""
        return self._init_image

    @property
    def is_opening(self) -> bool:
        """Whether a picture is being opened."""
        return self._opener.is_opening

    @property
    def checkpoint_info(self) -> CheckpointInfo | None:
        """What is known of the chosen checkpoint; None until it is read, or when it cannot be."""
        return self._chosen.info

    @property
    def checkpoint_error(self) -> StudioError | None:
        """Why the chosen checkpoint cannot be used."""
        return self._chosen.error

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that the values began with, as long as its checkpoint paints."""
        params = self._params
        named = (recipe for recipe in self.recipes if recipe.name == params.recipe)
        return next((recipe for recipe in named if recipe.checkpoint == params.checkpoint), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """REFs of the hub that the values need, where one of them is not on this machine; the others may be."""
        absent = self._chosen.absent
        params, recipe = self._params, self.recipe
        used = {*refs_used(params)} | self._named_prior()
        needs = recipe.refs if recipe else ()
        own = (params.checkpoint, params.prior, params.refiner)
        wanted = dict.fromkeys(ref for ref in (*own, *needs, *(ref for ref in absent if ref in used)) if ref)
        return tuple(ref for ref in wanted if ref != STARTER) if absent & used else ()

    def _named_prior(self) -> set[str]:
        info = self.checkpoint_info
        return {info.prior} if info and info.prior else set()

    def plan(self, params: Params | None = None) -> RunPlan:
        """What would run now, or with ``params``, which paint with the same checkpoint."""
        params = params or self._params
        if not self._chosen.is_read:
            return RunPlan(params.steps, 0)
        size = self._init_image.ref.size if self._init_image else None
        try:
            return make_plan(
                params,
                size,
                self.checkpoint_info,
                self.checkpoint_error,
                self._chosen.describe_partner,
                self.describe_adapters(),
                has_mask=not self.mask.is_empty,
            )
        except NotRead:
            return RunPlan(params.steps, 0)

    def count_tokens(self, text: str) -> TokenCount:
        """How much of ``text`` the chosen checkpoint reads."""
        known = self._chosen.known
        return known.count(text, self.taught_words()) if known else TokenCount()

    def read_checkpoints_again(self) -> None:
        """Look anew at the chosen checkpoint, prior and refiner: something was downloaded or removed."""
        self._chosen.read_again()

    def make_requests(self, count: int | None = None) -> list[Request]:
        """One request for each picture, resolved to the last seed. Raises `RequestError`, `StoreError`."""
        return self._requests(self._params if count is None else replace(self._params, count=count), self._keep_mask())

    def make_requests_soon(self, then: TakeRequests, count: int | None = None) -> None:
        """Let ``then`` have what `make_requests` makes of what there is now, or why it cannot be: at once, or where a
        large mask has to be written first, when that is done. Who asks first is answered first.
        """
        params = self._params if count is None else replace(self._params, count=count)
        size = None if self.mask.is_empty or self.mask.size is None else self.mask.size.toTuple()
        try:
            requests = self._requests(params, ImageRef("", size, Path()) if size else None)
        except StudioError as e:
            then(e)
            return

        def answer(mask: ImageRef | StudioError | None) -> None:
            if isinstance(mask, StudioError):
                then(mask)
            else:
                then([replace(request, mask=mask) if request.mask else request for request in requests])

        self._mask_keeper.keep_soon(self._mask_name(), answer)

    def make_sweep(self, axes: Sequence[Axis]) -> list[Request]:
        """One request for each picture of a sweep over ``axes``, all with the seed at hand, or with one that is drawn.

        Raises `RequestError`, `StoreError`.
        """
        seed = draw_seed() if self._params.seed is None else self._params.seed
        mask = self._keep_mask()
        cells = sweep(self._params, axes, seed)
        requests = [request for cell in cells for request in self._requests(cell.params, mask)]
        refuse_alike(axes, requests)
        return requests

    def _requests(self, params: Params, mask: ImageRef | None) -> list[Request]:
        self._chosen.read_now()
        info = known_checkpoint(self.checkpoint_info, self.checkpoint_error)
        ref = self._init_image.ref if self._init_image else None
        return build_requests(
            params,
            ref,
            info,
            describe=self._chosen.describe_partner_now,
            mask=mask,
            describe_adapter=self.describe_adapter_now,
            styles=self.styles,
        )

    def _keep_mask(self) -> ImageRef | None:
        return self._mask_keeper.keep(self._mask_name())

    def _mask_name(self) -> str:
        return mask_name(self._init_image.name if self._init_image else "")

    # Edits ----------------------------------------------------------------------------------------

    def set_param(self, name: str, value: Any) -> None:
        """Set one field of `Params`. Quick changes of the same field are one step of undo."""
        after = replace(self._params, **{name: value})
        if after != self._params:
            text = PARAM_SPECS[name].label
            edit = SetParams(text, self._show_params, self._params, after, name, time.monotonic())
            self.undo_stack.push(edit)

    def set_params(self, text: str, **changes: Any) -> None:
        """Set several fields in one step of undo that is called ``text``."""
        self._push_params(text, replace(self._params, **changes))

    def set_recipes(self, recipes: list[Recipe]) -> None:
        """Offer ``recipes`` from now on."""
        self.recipes = recipes
        self.recipes_changed.emit()

    def apply_recipe(self, name: str) -> None:
        """Take over checkpoint and defaults of the recipe ``name``."""
        recipe = next(recipe for recipe in self.recipes if recipe.name == name)
        self._push_params(recipe.label, recipe.apply(self._params))

    def choose_checkpoint(self, ref: str) -> None:
        """Paint with ``ref``. Values that are still as the recipe gave them give way to those of the first recipe for
        ``ref``; values that the user has made stay.
        """
        recipe, params = self.recipe, self._params
        is_untouched = recipe is not None and "chain" not in recipe.defaults and recipe.apply(params) == params
        fitting = next((recipe for recipe in self.recipes if recipe.checkpoint == ref), None)
        text = PARAM_SPECS["checkpoint"].label
        if fitting and is_untouched:
            self._push_params(text, fitting.apply(params))
        else:
            self.set_params(text, checkpoint=ref, recipe="")

    def open_image(self, source: Source, name: str = "") -> None:
        """Open ``source`` as init image, on the pool; what is being opened meanwhile is dropped."""
        self._open(source, name, Opening(self.tr("Open picture")))

    def use_as_init_image(self, variation: Variation) -> None:
        """Go on from ``variation``."""
        ref = ImageRef(variation.pixels_sha256, variation.size, variation.path, variation.path.name)
        self._open(ref, "", Opening(self.tr("Use as init image")))

    def open_mask(self, source: Source, name: str = "") -> None:
        """Take the mask from the picture ``source``, on the pool."""
        self.mask_work.open(source, name, is_online=self.is_online)

    def extend_init_image(self, margins: Margins) -> None:
        """Give the init image new room on its sides, and let the mask mark it, in one step of undo."""
        if self._init_image is None or margins.is_empty:
            return
        self.mask.abandon()
        overlap = max(OVERLAP, self._params.mask_feather)
        work = partial(extend_scene, self._scene(), margins, overlap, self._gallery)
        begun = (self._init_image, self.mask.revision)
        opening = Opening(self.tr("Extend picture"), take=partial(self._on_extended, margins, begun))
        self._opener.start(opening, lambda _cancel: work())

    def _on_extended(self, margins: Margins, begun: tuple[InitImage, int], opened: OpenedScene) -> None:
        """What was painted meanwhile is extended too; where the picture is another by now, nothing is."""
        init_image, revision = begun
        if self._init_image is not init_image:
            return
        if self.mask.revision != revision:
            self.extend_init_image(margins)
        else:
            self._push_scene(self.tr("Extend picture"), opened.scene)

    def clear_init_image(self) -> None:
        """Have no init image."""
        self._opener.drop()
        if self._init_image is not None:
            self._push_scene(self.tr("Remove init image"), Scene())

    def restore(self, request: Request, parts: set[str]) -> None:
        """Take over ``parts`` (of `desktop_app.studio.restoring.PARTS`) of ``request`` in one step of undo. An init
        image or a mask that it has not goes away.
        """
        text = self.tr("Restore settings")
        try:
            info = self._checkpoints.describe(request.stages[0].checkpoint)
        except CheckpointError:
            info = None
        params = restored_params(self._params, request, frozenset(parts), info)
        mask = request.mask if MASK in parts else None
        without_mask = MASK in parts and mask is None
        if INIT_IMAGE in parts and request.init_image is not None:
            load_mask = partial(self._gallery.load_ref, mask) if mask else None
            self._open(request.init_image, "", Opening(text, params, without_mask=without_mask), load_mask)
            return
        if INIT_IMAGE in parts:
            self._push_together(text, self.clear_init_image, params)
        elif without_mask:
            self._push_together(text, partial(self._clear_mask, text), params)
        else:
            self._push_params(text, params)
        if mask is not None:
            self.mask_work.open(mask, text=self.tr("Restore mask"))

    def paste_generation_text(self, text: str) -> None:
        """Take over what generation text of any program says. Raises `RequestError` when ``text`` is none."""
        found = read_generation_text(text)
        self.set_params(self.tr("Paste settings"), **found.values)
        if found.loras:
            self.take_loras(found.loras)
        if found.left_out:
            title = self.tr("Not everything of the text could be taken over")
            self.error_raised.emit(
                RequestError(title, " ".join(found.left_out), self.tr("The rest is in the controls."))
            )

    def read_settings(self, source: Source) -> Request | str:
        """The request in the picture ``source``, or another program's generation text. Call it on the pool."""
        return read_settings(source, self._gallery, is_online=self.is_online)

    def _push_params(self, text: str, after: Params) -> None:
        if after != self._params:
            self.undo_stack.push(SetParams(text, self._show_params, self._params, after))

    def _show_params(self, params: Params) -> None:
        is_other_checkpoint = params.checkpoint != self._params.checkpoint
        self._params = params
        if is_other_checkpoint:
            self._chosen.choose(params.checkpoint)
        self._autosave.touch()
        self.params_changed.emit(params)

    def _scene(self) -> Scene:
        return Scene(self._init_image, self.mask.snapshot())

    def _show_scene(self, scene: Scene) -> None:
        self._init_image = scene.init_image
        self._expected_ref = None
        self.mask.show(QSize(*scene.init_image.ref.size) if scene.init_image else None, scene.mask)
        self._autosave.touch()
        self.init_image_changed.emit()

    # Opening --------------------------------------------------------------------------------------

    def _open(self, source: Source, name: str, opening: Opening, load_mask: LoadMask | None = None) -> None:
        gallery, is_online = self._gallery, self.is_online

        def work(cancel: CancelFlag) -> OpenedScene:
            image = partial(open_source, source, name, gallery, cancel, is_online=is_online)
            return open_scene(image, load_mask)

        self._opener.start(opening, work)

    def _on_opened(self, opening: Opening, opened: OpenedScene) -> None:
        if opening.take is not None:
            opening.take(opened)
        elif not opening.is_edit:
            self._show_scene(opened.scene)
        else:
            push_scene = partial(self._push_scene, opening.text, opened.scene, without_mask=opening.without_mask)
            self._push_together(opening.text, push_scene, opening.params)
        if opened.problem is not None:
            self.error_raised.emit(opened.problem)

    def _push_together(self, text: str, push_scene: Callable[[], None], params: Params | None) -> None:
        """What ``push_scene`` pushes, and ``params`` unless None, in one step of undo."""
        if params is None or params == self._params:
            push_scene()
            return
        self.undo_stack.beginMacro(text)
        push_scene()
        self._push_params(text, params)
        self.undo_stack.endMacro()

    def _push_scene(self, text: str, scene: Scene, *, without_mask: bool = False) -> None:
        """Another picture brings its own mask or none; of the same picture the mask stays, unless there is one, or
        shall be none.
        """
        self.mask.abandon()
        now = self._init_image.ref if self._init_image else None
        if now is None or scene.init_image is None or scene.init_image.ref != now:
            self.undo_stack.push(SetInitImage(text, self._show_scene, self._scene(), scene))
        elif scene.mask is not None:
            self.mask.replace(text, from_grey(scene.mask))
        elif without_mask:
            self.mask.clear(text)

    def _clear_mask(self, text: str) -> None:
        self.mask.abandon()
        self.mask.clear(text)

    def _on_open_failed(self, opening: Opening, error: StudioError) -> None:
        self._expected_ref = None
        self._mask_file.expect(None)
        self.error_raised.emit(error)
        if opening.params is not None:
            self._push_params(opening.text, opening.params)

    # Session --------------------------------------------------------------------------------------

    def restore_session(self) -> None:
        """Show what was open when the program ended. Raises `StoreError` when the disk refuses to tell."""
        data = self._session.load(SESSION_NAME)
        if data is None:
            return
        try:
            values = data.get("params", {})
            params = params_from_json(values, find_images(values, self._gallery.find_image))
            ref = image_from_json(data.get("init_image"))
            mask = as_text(data.get("mask") or "")
        except (RequestError, TypeError) as e:
            self._session.set_aside(SESSION_NAME)
            title = self.tr("The last session cannot be restored")
            self.error_raised.emit(RequestError(title, str(e), self.tr("It begins with the usual values instead.")))
            return
        self._show_params(params)
        if ref is not None:
            self._expected_ref = ref
            self._mask_file.expect(mask or None)
            load_mask = partial(self._mask_file.load, mask) if mask else None
            self._open(ref, ref.name, Opening(is_edit=False), load_mask)

    def flush(self) -> None:
        """Write what has changed, now. Raises `StoreError`."""
        self._autosave.flush()

    def close(self) -> None:
        """End what goes on in the background, and write the session. Raises `StoreError`."""
        expected = self._expected_ref
        self.undo_stack.blockSignals(True)  # it would tell of its own end to widgets that have none left
        self._opener.drop()
        self._opener.wait()
        self.mask_work.close()
        self._mask_keeper.close()
        self._chosen.wait()
        self._expected_ref = expected
        self.flush()
        self.mask.close()

    def _snapshot(self) -> Callable[[], dict[str, Any]]:
        """An init image that is still being opened again counts as open."""
        params = self._params
        ref = self._init_image.ref if self._init_image else self._expected_ref
        is_expected = self._init_image is None and self._expected_ref is not None
        keep = self._mask_file.kept if is_expected else self._mask_file.keep(self.mask.snapshot(), self.mask.revision)
        return lambda: {
            "params": params.to_json(),
            "init_image": ref.to_json() if ref else None,
            "mask": keep(),
        }


def _first_params(recipes: list[Recipe]) -> Params:
    """What a new user sees: the first recipe's values."""
    return recipes[0].apply(Params()) if recipes else Params(recipe="")
