"""What every engine does, whatever it is made of."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from engine_runs import NEVER, SAME, Recorder, distance, paint
from PIL import Image
from support import make_picture, make_request

from desktop_app.core.engine import EngineOptions, Phase
from desktop_app.core.errors import Cancelled, CheckpointError, ImageError
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.params import Fit
from desktop_app.core.request import hash_pixels


def test_a_picture_from_the_prompt_alone_has_the_working_size(engine):
    assert paint(engine, make_request(width=64, height=48)).size == (64, 48)


def test_a_result_has_the_init_images_own_size_when_asked(engine, init_ref):
    request = make_request(init_ref((96, 60)), width=80, height=48)
    assert paint(engine, request).size == (96, 58)
    assert paint(engine, replace(request, fit=Fit.PAD)).size == (96, 60)
    assert paint(engine, replace(request, own_size=False)).size == (80, 48)


@pytest.mark.parametrize("own_size", [True, False])
def test_alpha_is_given_back(engine, init_ref, own_size):
    ref = init_ref((64, 64), "RGBA")
    result = paint(engine, make_request(ref, own_size=own_size))
    assert result.mode == "RGBA"
    assert result.getchannel("A").tobytes() == Image.open(ref.path).getchannel("A").tobytes()


def test_the_same_request_gives_the_same_pixels(engine, init_ref):
    request = make_request(init_ref())
    assert hash_pixels(paint(engine, request)) == hash_pixels(paint(engine, request))


def test_another_seed_gives_another_picture(engine, init_ref):
    request = make_request(init_ref())
    assert hash_pixels(paint(engine, request)) != hash_pixels(paint(engine, replace(request, seed=8)))


@pytest.mark.parametrize(("steps", "strength", "effective"), [(4, 0.5, 2), (10, 0.29, 2), (5, 1.0, 5), (7, 0.15, 1)])
def test_each_effective_step_is_told_once(engine, init_ref, steps, strength, effective):
    recorder = Recorder()
    result = engine.run(make_request(init_ref(), steps=steps, strength=strength), recorder, NEVER)
    assert recorder.steps == list(range(1, effective + 1))
    assert result.steps_run == (effective,)
    assert {event.total for event in recorder.events if event.step} == {effective}


def test_phases_come_in_their_order(engine, init_ref):
    recorder = Recorder()
    engine.run(make_request(init_ref()), recorder, NEVER)
    order = [phase for phase in Phase if phase in recorder.phases]
    assert recorder.phases == order
    assert {Phase.ENCODING, Phase.DENOISING, Phase.DECODING} <= set(order)


def test_a_preview_comes_while_it_paints(engine):
    recorder = Recorder()
    engine.run(make_request(), recorder, NEVER)
    previews = [event.preview for event in recorder.events if event.preview]
    assert previews
    assert all(preview.mode == "RGB" and max(preview.size) <= 512 for preview in previews)


def test_nothing_runs_that_is_cancelled_before(engine, recorder):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        engine.run(make_request(), recorder, cancel)
    assert not recorder.steps


def test_a_cancel_stops_within_a_step_and_before_decoding(engine):
    cancel = threading.Event()
    recorder = Recorder(at_step=lambda step: cancel.set() if step == 3 else None)
    with pytest.raises(Cancelled):
        engine.run(make_request(steps=200), recorder, cancel)
    assert len(recorder.steps) <= 5
    assert Phase.DECODING not in recorder.phases


def test_a_run_after_a_cancelled_one_is_as_if_nothing_had_been(engine, init_ref):
    request = make_request(init_ref())
    before = hash_pixels(paint(engine, request))
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        engine.run(replace(request, seed=1), Recorder(at_step=lambda step: cancel.set()), cancel)
    assert hash_pixels(paint(engine, request)) == before


def test_an_init_image_that_has_changed_is_refused(engine, init_ref):
    ref = init_ref()
    make_picture((64, 64), seed=5).save(ref.path)
    with pytest.raises(ImageError, match="has changed"):
        paint(engine, make_request(ref))


def test_an_init_image_that_is_gone_is_refused(engine, init_ref):
    ref = init_ref()
    ref.path.unlink()
    with pytest.raises(ImageError):
        paint(engine, make_request(ref))


def test_strength_moves_the_picture_away_from_the_init_image(engine, init_ref):
    ref = init_ref()
    start = Image.open(ref.path)
    request = make_request(ref, steps=10)
    strengths = (0.2, 0.4, 0.6, 0.8, 1.0)
    results = [paint(engine, replace(request, stages=(replace(request.stages[0], strength=s),))) for s in strengths]
    distances = [distance(start, result) for result in results]
    assert distances == sorted(distances)
    assert distances[0] < distances[-1]


def test_a_closed_engine_starts_again(engine):
    request = make_request()
    before = hash_pixels(paint(engine, request))
    engine.close()
    assert hash_pixels(paint(engine, request)) == before


@pytest.mark.parametrize("plan", [MemoryPlan.GROUP_OFFLOAD, MemoryPlan.RESIDENT, None])
def test_how_memory_is_used_is_no_part_of_the_picture(engine, plan):
    request = make_request()
    before = paint(engine, request)
    engine.configure(EngineOptions(plan=plan, attention="sdpa"))
    result = engine.run(request, Recorder(), NEVER)
    engine.configure(EngineOptions())
    assert distance(before, result.image) < SAME
    assert result.notes == ()
    assert hash_pixels(paint(engine, request)) == hash_pixels(before)


def test_the_memory_that_is_free_and_how_it_computes_are_told(real_engine):
    real_engine.warm_up()
    status = real_engine.status()
    assert 0 < status.memory_free < status.memory_total
    assert status.ram_free > 0
    assert (status.dtype, status.attention) == ("float32", "PyTorch SDPA (xFormers not installed)")


def test_the_device_is_told(engine):
    engine.warm_up()
    assert engine.status().device in ("cpu", "cuda", "mps", "fake")


def test_a_missing_checkpoint_is_told_by_the_run_and_not_by_the_warm_up(real_engine):
    real_engine.warm_up("no/such")
    with pytest.raises(CheckpointError):
        paint(real_engine, make_request(checkpoint="no/such"))


def test_the_result_says_what_it_was_made_on(real_engine):
    environment = real_engine.run(make_request(), Recorder(), NEVER).environment
    assert environment["dtype"] == "float32"
    assert environment["threads"] == 1
    assert {"torch", "diffusers", "underpaint", "device"} <= set(environment)
