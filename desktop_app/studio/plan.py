"""RunPlan: what would run if Generate were pressed now, in numbers and in sentences. Made at every slider tick."""

from __future__ import annotations

from dataclasses import dataclass

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError, StudioError
from desktop_app.core.params import Fit, Params, effective_steps
from desktop_app.core.placement import Placement
from desktop_app.core.planning import RunFacts, plan_run
from desktop_app.core.stages import Describe

Size = tuple[int, int]


@dataclass(frozen=True)
class RunPlan:
    """Sizes are (width, height) in pixels. ``unused`` are those of the sentences that tell of values without effect.
    With ``error`` there are no sizes and no sentences but the error's.
    """

    steps: int
    effective_steps: int
    working_size: Size | None = None
    result_size: Size | None = None
    placement: Placement | None = None
    sentences: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    error: RequestError | None = None

    @property
    def sentence(self) -> str:
        """All sentences in one line."""
        return ". ".join(self.sentences) + "." if self.sentences else ""


def make_plan(
    params: Params,
    init_size: Size | None,
    info: CheckpointInfo | None,
    checkpoint_error: StudioError | None,
    describe: Describe | None = None,
) -> RunPlan:
    """The plan for ``params`` on an init image of ``init_size``, or on none; never raises `RequestError`. ``describe``
    is as in `plan_run`.
    """
    try:
        facts = plan_run(params, init_size, known_checkpoint(info, checkpoint_error), describe)
    except RequestError as e:
        return RunPlan(params.steps, _effective_steps(params, init_size), error=e)
    return RunPlan(
        steps=facts.steps,
        effective_steps=facts.effective_steps,
        working_size=facts.working_size,
        result_size=facts.result_size,
        placement=facts.placement,
        sentences=(*_sentences(facts, params), *facts.unused),
        unused=facts.unused,
    )


def known_checkpoint(info: CheckpointInfo | None, error: StudioError | None) -> CheckpointInfo:
    """``info``; where there is none, raises `RequestError` with what ``error`` says."""
    if info is not None:
        return info
    if error is None:
        raise RequestError("No checkpoint is chosen", "", "Choose one.", param="checkpoint")
    raise RequestError(error.title, error.detail, error.hint, param="checkpoint")


def _effective_steps(params: Params, init_size: Size | None) -> int:
    try:
        return params.steps if init_size is None else max(effective_steps(params.steps, params.strength), 0)
    except (TypeError, ValueError, OverflowError):
        return 0


def _sentences(facts: RunFacts, params: Params) -> tuple[str, ...]:
    steps = _steps_sentence(facts)
    return tuple(
        filter(None, (steps, _prior_sentence(facts), _placement_sentence(facts, params), _size_sentence(facts)))
    )


def _prior_sentence(facts: RunFacts) -> str:
    return f"The prior reads the prompt first, in {_count(facts.prior_steps)}" if facts.prior_steps else ""


def _steps_sentence(facts: RunFacts) -> str:
    refined = _refiner_words(facts)
    if facts.placement is None:
        return f"Painted from the prompt alone, {_count(facts.steps)}{refined}"
    first = facts.effective_steps if facts.takes_over else facts.stage_steps[0]
    verb = "runs" if first == 1 and facts.steps == 1 else "run"
    return f"{first} of {_count(facts.steps)} {verb}{refined}"


def _refiner_words(facts: RunFacts) -> str:
    if len(facts.stage_steps) == 1:
        return ""
    last = facts.stage_steps[-1]
    if facts.takes_over:
        return f", the last {last if last > 1 else 'one'} by the refiner"
    return f", then {last} more by the refiner"


def _placement_sentence(facts: RunFacts, params: Params) -> str:
    """How the init image comes to the working size, where that takes more than scaling it evenly."""
    placement = facts.placement
    if placement is None:
        return ""
    source = placement.source
    if params.fit is Fit.CROP:
        used = _size_of(placement.box)
        return f"The init image is cropped from {_text(source)} to {_text(used)}" if used != source else ""
    if params.fit is Fit.PAD:
        inner = _size_of(placement.inner)
        return "The edges of the init image are extended to fill the shape" if inner != placement.working else ""
    stretch = (placement.working[0] * source[1]) / (placement.working[1] * source[0])
    return "The init image is stretched to the shape" if abs(stretch - 1) > 0.01 else ""


def _size_sentence(facts: RunFacts) -> str:
    works = f"Works at {_text(facts.working_size)}"
    if facts.result_size == facts.working_size:
        return works
    return f"{works}, then scaled to {_text(facts.result_size)}"


def _size_of(box: tuple[float, float, float, float]) -> Size:
    return round(box[2] - box[0]), round(box[3] - box[1])


def _count(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def _text(size: Size) -> str:
    return f"{size[0]} × {size[1]}"
