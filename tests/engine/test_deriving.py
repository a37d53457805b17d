"""Deriving control images: what every engine does, whatever it is made of."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from engine_runs import NEVER, Recorder, paint
from support import make_picture, make_request

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.engine import Phase
from desktop_app.core.errors import Cancelled, CheckpointError, ImageError, OutOfMemory
from desktop_app.core.params import Fit
from desktop_app.core.placement import plan_placement
from desktop_app.core.request import hash_pixels
from desktop_app.engine.deriving import derive_ref

CANNY = Control(ControlMode.CANNY)


def derive(engine, ref, control=CANNY, recorder=None, cancel=NEVER, **placing):
    return engine.derive(control, ref, recorder or Recorder(), cancel, **placing).image


def test_a_control_image_has_the_size_of_its_picture_or_the_working_size(engine, init_ref):
    ref = init_ref((96, 60), "RGBA")
    assert (derive(engine, ref).size, derive(engine, ref).mode) == ((96, 60), "RGB")
    assert derive(engine, ref, placement=plan_placement((96, 60), (64, 64), Fit.PAD)).size == (64, 64)


def test_a_control_image_follows_its_mode_and_its_picture(engine, init_ref):
    modes = (ControlMode.CANNY, ControlMode.SCRIBBLE, ControlMode.DEPTH, ControlMode.TILE)
    ref, other = init_ref((128, 96)), init_ref((128, 96), seed=1)
    hashes = [hash_pixels(derive(engine, picture, Control(mode))) for mode in modes for picture in (ref, other)]
    assert len(set(hashes)) == len(hashes)
    assert hash_pixels(derive(engine, ref)) == hashes[0]


def test_thresholds_decide_what_is_an_edge(engine, init_ref):
    ref = init_ref((128, 128))
    few, many = (derive(engine, ref, replace(CANNY, low=low, high=low + 1)) for low in (250, 5))
    assert sum(few.convert("L").tobytes()) < sum(many.convert("L").tobytes())


def test_a_picture_that_is_a_control_image_already_is_only_placed(engine, init_ref):
    ref = init_ref((64, 64))
    control = replace(CANNY, derive=False)
    assert hash_pixels(derive(engine, ref, control)) == ref.sha256
    assert derive(engine, ref, control, placement=plan_placement((64, 64), (32, 48), Fit.CROP)).size == (32, 48)


def test_deriving_is_a_phase_of_its_own_with_steps(engine, init_ref, recorder):
    derive(engine, init_ref(), recorder=recorder)
    assert recorder.phases == [Phase.DERIVING]
    assert recorder.events[0].total == 0
    assert recorder.events[-1].step == recorder.events[-1].total > 0


def test_no_control_image_is_derived_that_is_cancelled_before(engine, init_ref, recorder):
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        derive(engine, init_ref(), recorder=recorder, cancel=cancel)
    assert not recorder.events


def test_a_cancel_stops_the_deriving(engine, init_ref):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        engine.derive(CANNY, init_ref(), lambda _progress: cancel.set(), cancel)
    assert derive(engine, init_ref()).size == (64, 64)


def test_a_picture_that_has_changed_gives_no_control_image(engine, init_ref):
    ref = init_ref()
    make_picture((64, 64), seed=5).save(ref.path)
    with pytest.raises(ImageError, match="has changed"):
        derive(engine, ref)


def test_a_picture_that_is_gone_gives_no_control_image(engine, init_ref):
    ref = init_ref()
    ref.path.unlink()
    with pytest.raises(ImageError):
        derive(engine, ref)


def test_an_annotator_that_is_not_there_is_told(real_engine, init_ref):
    with pytest.raises(CheckpointError):
        derive(real_engine, init_ref(), Control(ControlMode.DEPTH, annotator="no/such"))


def test_deriving_is_no_part_of_the_next_picture(engine, init_ref):
    request = make_request(init_ref())
    before = hash_pixels(paint(engine, request))
    derive(engine, init_ref())
    assert hash_pixels(paint(engine, request)) == before


def test_the_checkpoints_make_room_for_an_annotator_once(init_ref):
    made_room = []

    def refuse(_ref):
        raise OutOfMemory("The memory is full")

    control = Control(ControlMode.DEPTH, annotator="some/annotator")
    with pytest.raises(OutOfMemory):
        derive_ref(control, init_ref(), refuse, Recorder(), NEVER, make_room=lambda: made_room.append(True))
    assert made_room == [True]
