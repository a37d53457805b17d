"""ShareDone: the bar of a run, over everything that an engine may tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine_runs import shares_of
from support import make_request

from desktop_app.core.engine import Phase, Progress
from desktop_app.core.request import StageKind


def refined(**changes):
    """30 steps, the last fifth of them by a refiner."""
    base = make_request(steps=30, end=0.8)
    refiner = replace(base.stages[0], kind=StageKind.IMAGE_TO_IMAGE, begin=0.8, end=1.0)
    return replace(base, stages=(*base.stages, replace(refiner, **changes)))


def denoising(stage: int, stages: int, total: int) -> list[Progress]:
    return [Progress(Phase.DENOISING, stage, stages, step, total) for step in range(1, total + 1)]


def one_stage(phases, stage: int = 0, stages: int = 1) -> list[Progress]:
    return [Progress(phase, stage, stages) for phase in phases]


def test_the_bar_goes_to_the_end_of_a_plain_run_and_never_back():
    events = [*one_stage((Phase.STARTING, Phase.LOADING, Phase.ENCODING)), *denoising(0, 1, 4)]
    events += one_stage((Phase.DECODING, Phase.SAVING))
    shares = shares_of(make_request(), events)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 0.98)


def test_the_steps_of_a_prior_move_the_bar_and_the_decoder_does_not_take_it_back():
    loading = [*one_stage((Phase.STARTING, Phase.LOADING, Phase.ENCODING))]
    prior = [Progress(Phase.ENCODING, 0, 1, step, 3) for step in (1, 2, 3)]
    decoder = [*one_stage((Phase.LOADING, Phase.ENCODING)), *denoising(0, 1, 4), *one_stage((Phase.DECODING,))]
    shares = shares_of(make_request(prior="prior"), [*loading, *prior, *decoder])
    assert shares == sorted(shares)
    assert shares[3:6] == pytest.approx([0.15, 0.20, 0.25])
    assert shares[6:8] == pytest.approx([0.25, 0.25])
    assert shares[8] > 0.25


def test_each_stage_has_a_part_of_the_bar_as_long_as_its_steps():
    phases = (Phase.LOADING, Phase.ENCODING)
    first = [*one_stage((Phase.STARTING, *phases), 0, 2), *denoising(0, 2, 24)]
    second = [*one_stage(phases, 1, 2), *denoising(1, 2, 6), *one_stage((Phase.DECODING, Phase.SAVING), 1, 2)]
    shares = shares_of(refined(), [*first, *second])
    assert shares == sorted(shares)
    assert shares[len(first) - 1] == pytest.approx(0.8 * 0.94)
    assert shares[len(first)] == pytest.approx(0.8 + 0.2 * 0.05)


def test_a_stage_that_begins_again_with_less_memory_goes_on_from_where_the_bar_stands():
    again = [*one_stage((Phase.LOADING, Phase.ENCODING)), *denoising(0, 1, 4)]
    shares = shares_of(make_request(), [*one_stage((Phase.STARTING,)), *again[:4], *again])
    assert shares == sorted(shares)
    assert len(set(shares[-4:])) == 4
    assert shares[-1] == pytest.approx(0.94)


def test_a_request_with_a_strength_that_nobody_can_run_gives_a_share_too():
    assert shares_of(refined(begin=0.0, strength=float("inf")), one_stage((Phase.SAVING,), 1, 2)) == [
        pytest.approx((24 + 30 * 0.98) / 54)
    ]
