"""RunPlan: what would run if Generate were pressed now, in numbers and in sentences. Made at every slider tick."""

from __future__ import annotations

from dataclasses import dataclass

from desktop_app.core.adapter import DescribeAdapter
from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError, StudioError
from desktop_app.core.kinds import UPSCALES, StageKind
from desktop_app.core.params import Fit, Params
from desktop_app.core.placement import Placement
from desktop_app.core.planned import Describe
from desktop_app.core.planning import RunFacts, plan_run
from desktop_app.core.steps import effective_steps

Size = tuple[int, int]


@dataclass(frozen=True)
class RunPlan:
    """Sizes are (width, height) in pixels. ``unused`` are those of the sentences that tell of values without effect.
    ``kinds`` are the stages that would run for one picture, and ``reused`` is how many of all pictures' need not, since
    what they make is still there; of many pictures, the first few's. With ``error`` there are no sizes and no sentences
    but the error's.
    """

    steps: int
    effective_steps: int
    working_size: Size | None = None
    result_size: Size | None = None
    placement: Placement | None = None
    sentences: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    error: RequestError | None = None
    kinds: tuple[StageKind, ...] = ()
    reused: int = 0

    @property
    def stages(self) -> int:
        """How many would run; 0 where that is not known."""
        return len(self.kinds)

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
    describe_adapter: DescribeAdapter | None = None,
    *,
    has_mask: bool = False,
) -> RunPlan:
    """The plan for ``params`` on an init image of ``init_size``, or on none; never raises `RequestError`. ``describe``
    and ``describe_adapter`` are as in `plan_run`.
    """
    try:
        known = known_checkpoint(info, checkpoint_error)
        facts = plan_run(params, init_size, known, describe, describe_adapter, has_mask=has_mask)
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
        kinds=facts.stage_kinds,
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
    steps = _chain_sentence(facts, params) if facts.cards else _steps_sentence(facts)
    sizes = _size_sentences(facts)
    return tuple(filter(None, (steps, _prior_sentence(facts), _placement_sentence(facts, params), *sizes)))


def _chain_sentence(facts: RunFacts, params: Params) -> str:
    """Such as "3 stages: 24 of 40 steps, then 9 of 20, then ×4 in 75 steps"."""
    count = len(facts.stage_steps)
    own = count - facts.cards
    cards = [card for card in params.chain if card.is_on]
    parts = [_own_words(facts, own)] if own else []
    parts += [_card_words(facts, own + index, card) for index, card in enumerate(cards)]
    stages = "1 stage" if count == 1 else f"{count} stages"
    return f"{stages}: {', then '.join(parts)}"


def _own_words(facts: RunFacts, own: int) -> str:
    """What the controls say without the chain, whose first ``own`` stages that is."""
    first = facts.stage_steps[0]
    takes_over = own > 1 and facts.takes_over
    steps = sum(facts.stage_steps[:own]) if takes_over else first
    words = _count(steps) if steps == facts.steps else f"{steps} of {_count(facts.steps)}"
    return words + (_refiner_words(facts.stage_steps[own - 1], takes_over=takes_over) if own > 1 else "")


def _card_words(facts: RunFacts, number: int, card: Card) -> str:
    steps, kind = facts.stage_steps[number], facts.stage_kinds[number]
    if card.refines:
        return f"the last {steps if steps > 1 else 'one'}"
    before = facts.sizes[number - 1] if number else facts.working_size
    times = f"×{facts.sizes[number][0] / before[0]:.3g}"
    if kind is StageKind.PIXEL_UPSCALE:
        return times
    if kind in UPSCALES:
        return f"{times} in {_count(steps)}"
    words = f"{steps} of {card.steps}"
    words += "" if number else " steps"
    return f"{words} inside the mask" if kind is StageKind.INPAINT else words


def _prior_sentence(facts: RunFacts) -> str:
    return f"The prior reads the prompt first, in {_count(facts.prior_steps)}" if facts.prior_steps else ""


def _steps_sentence(facts: RunFacts) -> str:
    last = facts.stage_steps[-1]
    refined = _refiner_words(last, takes_over=facts.takes_over) if len(facts.stage_steps) > 1 else ""
    if facts.placement is None:
        return f"Painted from the prompt alone, {_count(facts.steps)}{refined}"
    first = facts.effective_steps if facts.takes_over else facts.stage_steps[0]
    verb = "runs" if first == 1 and facts.steps == 1 else "run"
    inside = " inside the mask" if facts.stage_kinds[0] is StageKind.INPAINT else ""
    return f"{first} of {_count(facts.steps)} {verb}{inside}{refined}"


def _refiner_words(steps: int, *, takes_over: bool) -> str:
    if takes_over:
        return f", the last {steps if steps > 1 else 'one'} by the refiner"
    return f", then {steps} more by the refiner"


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


def _size_sentences(facts: RunFacts) -> tuple[str, ...]:
    works = f"Works at {_text(facts.working_size)}"
    if facts.sizes and facts.sizes[-1] != facts.working_size:
        return works, f"Comes out at {_text(facts.result_size)}"
    if facts.result_size == facts.working_size:
        return (works,)
    return (f"{works}, then scaled to {_text(facts.result_size)}",)


def _size_of(box: tuple[float, float, float, float]) -> Size:
    return round(box[2] - box[0]), round(box[3] - box[1])


def _count(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"


def _text(size: Size) -> str:
    return f"{size[0]} × {size[1]}"
