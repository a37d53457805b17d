"""Pace: rate and time left."""

from __future__ import annotations

from desktop_app.core.engine import Phase, Progress
from desktop_app.studio.pace import Pace


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_said_before_two_steps():
    pace = Pace(Clock())
    pace.note(Progress(Phase.DENOISING, step=1, total=10))
    assert (pace.rate, pace.seconds_left) == (None, None)


def test_rate_and_time_left_follow_the_steps():
    clock = Clock()
    pace = Pace(clock)
    for step in range(1, 5):
        clock.now += 0.5
        pace.note(Progress(Phase.DENOISING, step=step, total=10))
    assert pace.rate == 2.0
    assert pace.seconds_left == 3.0


def test_one_slow_step_moves_the_rate_a_little():
    clock = Clock()
    pace = Pace(clock)
    for step, took in enumerate((0.5, 0.5, 0.5, 2.5), start=1):
        clock.now += took
        pace.note(Progress(Phase.DENOISING, step=step, total=10))
    assert pace.rate == 1.0


def test_no_time_is_left_to_tell_outside_denoising():
    clock = Clock()
    pace = Pace(clock)
    for step in (1, 2):
        clock.now += 1
        pace.note(Progress(Phase.DENOISING, step=step, total=2))
    pace.note(Progress(Phase.DECODING))
    assert pace.seconds_left is None
