"""Document: edits and undo, opening pictures, requests, and the session."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support import make_picture, make_request, make_result

from desktop_app.core.errors import RequestError
from desktop_app.core.params import Fit, Params
from desktop_app.core.request import StageKind
from desktop_app.core.styles import Style
from desktop_app.core.variation import parameters_text
from desktop_app.studio.document import Document
from desktop_app.studio.restoring import PARTS


def open_image(qtbot, document: Document, source, name: str = "") -> None:
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(source, name)


def test_a_new_document_has_the_starter_recipes_values(document):
    assert document.params.guidance_scale == 4.0
    assert document.params.steps == 20
    assert document.init_image is None


def test_an_edit_replaces_the_values_and_says_so(qtbot, document):
    with qtbot.waitSignal(document.params_changed) as changed:
        document.set_param("strength", 0.35)
    assert changed.args[0].strength == 0.35
    assert document.params is changed.args[0]


def test_a_drag_of_one_slider_is_one_step_of_undo(document):
    before = document.params.strength
    for value in (0.61, 0.62, 0.63):
        document.set_param("strength", value)
    document.undo_stack.undo()
    assert document.params.strength == before
    document.undo_stack.redo()
    assert document.params.strength == 0.63


def test_edits_of_two_controls_are_two_steps_of_undo(document):
    document.set_param("strength", 0.3)
    document.set_param("steps", 12)
    document.undo_stack.undo()
    assert (document.params.strength, document.params.steps) == (0.3, 20)


def test_an_edit_to_the_same_value_is_no_step_of_undo(document):
    document.set_param("steps", document.params.steps)
    assert not document.undo_stack.canUndo()


def test_a_picture_is_opened_kept_and_can_be_undone(qtbot, document, gallery, picture):
    path = picture("cat.png", (60, 40))
    open_image(qtbot, document, path)
    assert document.init_image is not None
    assert document.init_image.name == "cat.png"
    assert gallery.find_image(document.init_image.ref.sha256) is not None
    document.undo_stack.undo()
    assert document.init_image is None


def test_a_picture_that_is_overtaken_by_another_is_dropped(qtbot, document, picture):
    shown = []
    document.init_image_changed.connect(lambda: shown.append(document.init_image.name))
    document.open_image(picture("large.png", (1500, 1500)))
    document.open_image(picture("small.png", (8, 8)))
    qtbot.waitUntil(lambda: not document.is_opening)
    assert shown == ["small.png"]


def test_a_picture_that_cannot_be_opened_is_told_and_the_old_one_stays(qtbot, document, picture, tmp_path):
    open_image(qtbot, document, picture("cat.png"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    with qtbot.waitSignal(document.error_raised):
        document.open_image(broken)
    assert document.init_image.name == "cat.png"


def test_clearing_the_init_image_drops_one_that_is_on_its_way(qtbot, document, picture):
    document.open_image(picture("late.png", (1200, 1200)))
    document.clear_init_image()
    document._opener.wait()
    qtbot.waitUntil(lambda: document._opener.running == 0)
    assert document.init_image is None


def test_a_request_holds_what_the_controls_say(qtbot, document, picture):
    open_image(qtbot, document, picture("cat.png", (96, 64)))
    document.set_params("Values", prompt="a lemon", strength=0.45, seed=7, fit=Fit.PAD)
    request = document.make_requests()[0]
    stage = request.stages[0]
    assert (stage.kind, stage.prompt, stage.strength, request.seed) == (
        StageKind.IMAGE_TO_IMAGE,
        "a lemon",
        0.45,
        7,
    )
    assert request.init_image == document.init_image.ref
    assert (request.width % 8, request.height % 8, request.fit) == (0, 0, Fit.PAD)


def test_a_fixed_seed_counts_up_and_a_random_one_is_drawn_for_each_picture(document):
    document.set_params("Values", seed=7, count=3)
    assert [request.seed for request in document.make_requests()] == [7, 8, 9]
    document.set_param("seed", None)
    assert len({request.seed for request in document.make_requests(20)}) == 20


def test_values_that_cannot_be_run_are_told_by_plan_and_by_request(qtbot, document, picture):
    open_image(qtbot, document, picture("cat.png"))
    document.set_params("Values", strength=0.01, steps=10)
    assert document.plan().error.param == "strength"
    with pytest.raises(RequestError, match="No step would run"):
        document.make_requests()


def test_the_plan_says_what_will_run(qtbot, document, picture):
    open_image(qtbot, document, picture("wide.png", (200, 100)))
    document.set_params("Values", strength=0.6, steps=40)
    plan = document.plan()
    assert "24 of 40 steps run" in plan.sentence
    assert plan.working_size == (96, 48)
    assert "200 ×" in plan.sentence


def test_a_missing_checkpoint_is_told_beside_its_control(qtbot, document):
    with qtbot.waitSignals([document.checkpoint_changed, document.checkpoint_changed]):
        document.set_param("checkpoint", "/no/such/folder")
    assert document.checkpoint_error is not None
    assert document.plan().error.param == "checkpoint"
    document.undo_stack.undo()
    qtbot.waitUntil(lambda: document.checkpoint_info is not None)
    assert document.plan().error is None


def test_tokens_are_counted_as_the_checkpoint_reads_them(document):
    assert document.count_tokens("").used == 2
    assert document.count_tokens("(lemon:1.3)") == document.count_tokens("lemon")
    count = document.count_tokens("lemon " * 40)
    assert (count.used, count.limit, count.chunks, count.overflow) == (80, 22, 4, None)
    assert document.count_tokens("lemon BREAK lemon").chunks == 2


def test_a_variation_becomes_the_init_image_and_its_lineage_is_known(qtbot, document, gallery):
    parent = gallery.save(make_request(), make_result(make_request()))
    with qtbot.waitSignal(document.init_image_changed):
        document.use_as_init_image(parent)
    request = document.make_requests()[0]
    child = gallery.save(request, make_result(request))
    assert child.parent_id == parent.id


def test_restoring_brings_all_parts_back_in_one_step_of_undo(qtbot, document, gallery, picture):
    ref = gallery.keep_init_image(make_picture((64, 64)), "cat.png")
    request = make_request(ref, prompt="a bird", strength=0.75, steps=8, recipe="starter")
    before = document.params
    with qtbot.waitSignal(document.params_changed):
        document.restore(request, set(PARTS))
    assert document.init_image.ref == ref
    assert document.make_requests()[0] == request
    document.undo_stack.undo()
    assert (document.params, document.init_image) == (before, None)


def test_restoring_the_prompt_alone_leaves_the_rest(document):
    before = document.params
    document.restore(make_request(prompt="a bird", steps=9), {"prompt"})
    assert document.params == replace(before, prompt="a bird")


def test_generation_text_of_another_program_is_taken_over(document):
    document.paste_generation_text(
        "a cat\nNegative prompt: dog\nSteps: 12, Sampler: Euler a, CFG scale: 5.5, Seed: 3, Size: 64x48"
    )
    params = document.params
    assert (params.prompt, params.negative_prompt, params.steps) == ("a cat", "dog", 12)
    assert (params.scheduler, params.guidance_scale, params.seed, params.width) == ("euler_a", 5.5, 3, 64)


def test_what_cannot_be_taken_over_from_a_text_is_told(qtbot, document):
    with qtbot.waitSignal(document.error_raised) as raised:
        document.paste_generation_text("a cat\nSteps: 12, Sampler: Quantum, CFG scale: 5")
    assert "Quantum" in raised.args[0].detail


def test_settings_are_read_from_a_picture(document, gallery):
    request = make_request(prompt="from the file")
    variation = gallery.save(request, make_result(request))
    assert document.read_settings(variation.path) == request
    assert parameters_text(request, variation.size).startswith("from the file")


def test_the_session_comes_back(qtbot, make_document, picture):
    first = make_document()
    open_image(qtbot, first, picture("cat.png"))
    first.set_params("Values", prompt="kept", strength=0.35)
    first.close()
    second = make_document()
    with qtbot.waitSignal(second.init_image_changed):
        second.restore_session()
    assert second.params == first.params
    assert second.init_image.ref == first.init_image.ref
    assert not second.undo_stack.canUndo()


def test_work_is_on_disk_within_two_seconds_without_being_asked(qtbot, document, session):
    document.set_param("prompt", "typed")
    qtbot.waitUntil(lambda: (session.load("document") or {}).get("params", {}).get("prompt") == "typed", timeout=2000)


@pytest.mark.parametrize("foreign", [{"steps": "many"}, 5, ["prompt"]])
def test_a_session_with_foreign_values_begins_with_the_usual_ones_and_is_kept(qtbot, make_document, session, foreign):
    session.save("document", {"params": foreign})
    document = make_document()
    with qtbot.waitSignal(document.error_raised):
        document.restore_session()
    assert document.params == replace(Params(), guidance_scale=4.0, steps=20)
    assert [json.loads(path.read_text())["params"] for path in session.moved_aside] == [foreign]


def test_an_init_image_that_is_still_being_opened_is_not_forgotten(qtbot, make_document, picture, session):
    first = make_document()
    open_image(qtbot, first, picture("cat.png"))
    first.close()
    second = make_document()
    second.restore_session()
    second.set_param("prompt", "typed at once")
    second.flush()
    assert session.load("document")["init_image"]["name"] == "cat.png"


def test_another_checkpoint_brings_its_recipe_while_the_values_are_still_a_recipes(document):
    document.apply_recipe("stable-diffusion-1.5")
    document.choose_checkpoint("stabilityai/sdxl-turbo")
    assert (document.recipe.name, document.params.steps, document.params.guidance_scale) == ("sdxl-turbo", 4, 0.0)
    document.undo_stack.undo()
    assert document.recipe.name == "stable-diffusion-1.5"


def test_values_of_the_users_own_stay_when_another_checkpoint_is_chosen(document):
    document.apply_recipe("stable-diffusion-1.5")
    document.set_param("strength", 0.33)
    document.choose_checkpoint("stabilityai/sdxl-turbo")
    assert (document.params.strength, document.params.steps, document.recipe) == (0.33, 50, None)
    assert document.params.recipe == ""


def test_a_checkpoint_without_a_recipe_has_none(document):
    document.choose_checkpoint("/some/folder")
    assert document.recipe is None
    assert document.params.checkpoint == "/some/folder"


def test_a_request_has_the_words_of_the_style_and_the_choice_of_its_seed(document):
    document.styles = [Style("ink", "Ink", "ink drawing of {prompt}", "colour")]
    document.set_params("Style", prompt="a {red|blue} cat", style="ink", seed=3)
    (stage,) = document.make_requests(1)[0].stages
    assert stage.prompt in ("ink drawing of a red cat", "ink drawing of a blue cat")
    assert stage.negative_prompt == "colour"
    document.set_params("Style", style="unknown")
    with pytest.raises(RequestError, match="no such style"):
        document.make_requests(1)
