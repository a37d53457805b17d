"""ChainFacts: hand-overs and re-used stages, on the document with the starter checkpoint."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
from PySide6.QtCore import Qt

from desktop_app.core.chain import Card
from desktop_app.core.engine import EngineStatus
from desktop_app.core.handover import ON_PIXELS, OTHER_CHANNELS, Handover
from desktop_app.core.params import Params
from desktop_app.core.request import StageKind
from desktop_app.core.stage_keys import stage_keys
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.studio.chain_facts import ChainFacts


@pytest.fixture
def facts(document, paths):
    with closing(ChainFacts(document, CheckpointStore(paths))) as made:
        yield made


@pytest.fixture
def look(qtbot, document, facts):
    """Sets values, and waits for what is found out of them."""

    def look(**changes):
        document.set_params("Test", **changes)
        with qtbot.waitSignal(facts.changed):
            facts.look(document.plan())
        return facts.handovers

    return look


def test_every_card_is_told_what_it_gets(look):
    assert look(chain=(Card(), Card(strength=0.3))) == dict.fromkeys((0, 1), Handover(False, OTHER_CHANNELS))


def test_a_card_that_is_off_hands_nothing_on(look):
    cards = (Card(StageKind.PIXEL_UPSCALE, "/x4.safetensors", is_on=False), Card(), Card(begin=0.5))
    found = look(chain=cards)
    assert list(found) == [1, 2]
    assert found[1] == Handover(False, OTHER_CHANNELS)
    assert found[2].words == "latents: takes over at 0.5 of the schedule"


def test_without_the_first_stage_the_first_card_gets_nothing(look):
    upscaler = Card(StageKind.PIXEL_UPSCALE, "/x4.safetensors")
    assert look(chain=(Card(), upscaler), first_stage=False) == {1: Handover(False, ON_PIXELS)}


def test_a_checkpoint_that_is_not_there_leaves_only_its_own_line_out(look):
    found = look(chain=(Card(checkpoint="nobody/nothing"), Card(), Card()))
    assert list(found) == [2]


def test_an_answer_that_comes_late_is_dropped(qtbot, document, facts):
    document.set_param("chain", (Card(), Card(StageKind.PIXEL_UPSCALE, "/x4.safetensors")))
    facts.look(document.plan())
    document.set_params("Test", chain=(Card(),))
    with qtbot.waitSignal(facts.changed):
        facts.look(document.plan())
    qtbot.waitUntil(lambda: facts._runner.running == 0)
    assert list(facts.handovers) == [0]


def test_the_same_chain_is_not_compared_twice_until_a_checkpoint_changes(qtbot, look, document, facts):
    look(chain=(Card(),))
    document.set_params("Test", prompt="a cat", chain=(Card(strength=0.2),))
    facts.look(document.plan())
    assert facts._runner.running == 0
    assert 0 in facts.handovers
    document.checkpoint_changed.emit()
    with qtbot.waitSignal(facts.changed):
        facts.look(document.plan())


def test_stages_whose_pictures_are_there_are_counted_from_the_first_on(look, document, facts):
    chain = tuple(Card(steps=10 + number) for number in range(3))
    look(chain=chain, seed=7)
    keys = stage_keys(document.make_requests(1)[0])
    facts.show_engine(EngineStatus(stage_keys=frozenset(keys[:2])))
    plan = facts.look(document.plan())
    assert (plan.reused, plan.stages) == (2, 4)
    facts.show_engine(EngineStatus(stage_keys=frozenset(keys)))
    assert facts.look(document.plan()).reused == 3
    facts.show_engine(EngineStatus(stage_keys=frozenset(keys[1:])))
    assert facts.look(document.plan()).reused == 0


@pytest.mark.parametrize(
    ("changes", "reused"),
    [
        ({"seed": None}, 0),
        ({"seed": 8}, 0),
        ({"prompt": "another"}, 0),
        ({"strength": 0.1}, 2),
        ({"chain": (Card(steps=10), Card(steps=12, strength=0.3))}, 2),
        ({"chain": (Card(steps=11), Card(steps=12))}, 1),
        ({"chain": ()}, 0),
        ({"recipe": ""}, 2),
    ],
)
def test_what_was_changed_decides_what_is_run_again(look, document, facts, changes, reused):
    look(chain=(Card(steps=10), Card(steps=12)), seed=7)
    facts.show_engine(EngineStatus(stage_keys=frozenset(stage_keys(document.make_requests(1)[0]))))
    document.set_params("Test", **changes)
    assert facts.look(document.plan()).reused == reused


def test_the_engine_s_news_is_told_once(qtbot, facts):
    status = EngineStatus(stage_keys=frozenset({"a"}))
    with qtbot.waitSignal(facts.changed):
        facts.show_engine(status)
    with qtbot.assertNotEmitted(facts.changed):
        facts.show_engine(replace(status, memory_used=5))


def test_the_engine_is_asked_again_where_files_may_have_been_replaced_meanwhile(qtbot, qapp, document, facts):
    asked = []
    facts.status_wanted.connect(lambda: asked.append(1))
    come_back = partial(qapp.applicationStateChanged.emit, Qt.ApplicationState.ApplicationActive)
    come_back()
    assert not asked, "it has nothing that could be re-used"
    status = EngineStatus(stage_keys=frozenset({"a"}))
    for happen in (come_back, document.checkpoint_changed.emit):
        facts.show_engine(status)
        asked.clear()
        happen()
        happen()
        assert len(asked) == 1


def test_a_plan_with_an_error_re_uses_nothing(document, facts):
    document.set_params("Test", chain=(Card(strength=0.0),), seed=7)
    facts.show_engine(EngineStatus(stage_keys=frozenset({"a"})))
    plan = facts.look(document.plan())
    assert plan.error is not None
    assert plan.reused == 0
    assert Params() != document.params
