"""Document: a prior and a refiner beside the chosen checkpoint, read from disk once and away from the GUI thread."""

from __future__ import annotations

import shutil

import pytest
from tiny_kandinsky import write_stages

from desktop_app.core.chain import Card
from desktop_app.core.errors import RequestError
from desktop_app.studio.restoring import PARTS


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return write_stages(folder)


@pytest.fixture
def choose(qtbot, document):
    """Sets values, and waits until the checkpoints that they name are known."""

    def choose(**changes):
        document.set_params("Choose", **{name: _plain(value) for name, value in changes.items()})
        qtbot.waitUntil(lambda: document.plan().sentence != "" or document.plan().error is not None)
        return document.plan()

    return choose


def _plain(value):
    return value if isinstance(value, int | float | str | None) else str(value)


def test_a_refiner_is_read_once_and_then_planned_with(document, choose, tiny, monkeypatch):
    plan = choose(checkpoint=tiny / "base", refiner=tiny / "refiner", steps=20)
    assert plan.sentences[0] == "Painted from the prompt alone, 20 steps, the last 4 by the refiner"
    monkeypatch.setattr("desktop_app.store.checkpoints.CheckpointStore.describe", None)  # nothing is read any more
    document.set_param("refiner_share", 0.5)
    assert document.plan().sentences[0].endswith("the last 10 by the refiner")
    request = document.make_requests(1)[0]
    assert [stage.checkpoint for stage in request.stages] == [str(tiny / "base"), str(tiny / "refiner")]


def test_until_a_refiner_is_read_nothing_is_said_and_requests_wait_for_the_disk(document, choose, tiny):
    choose(checkpoint=tiny / "base")
    document.set_param("refiner", str(tiny / "refiner"))
    assert (document.plan().sentences, document.plan().error) == ((), None)
    assert len(document.make_requests(1)[0].stages) == 2


def test_a_refiner_that_does_not_fit_or_is_not_there_is_told_beside_its_control(document, choose, tiny):
    for name in ("decoder", "nowhere"):
        plan = choose(checkpoint=tiny / "base", refiner=tiny / name)
        assert plan.error.param == "refiner"
        with pytest.raises(RequestError) as caught:
            document.make_requests(1)
        assert caught.value.param == "refiner"


def test_a_prior_that_came_after_it_was_missed_is_found(qtbot, document, choose, tiny, tmp_path):
    prior = tmp_path / "prior"
    assert choose(checkpoint=tiny / "decoder", prior=prior).error.param == "prior"
    shutil.copytree(tiny / "prior", prior)
    document.read_checkpoints_again()
    qtbot.waitUntil(lambda: document.plan().error is None and document.plan().sentence != "")
    assert document.make_requests(1)[0].stages[0].prior == str(prior)


def test_the_prior_that_the_checkpoint_names_needs_no_choice(document, choose, tiny):
    choose(checkpoint=tiny / "decoder", prior_steps=9)
    stage = document.make_requests(1)[0].stages[0]
    assert (stage.prior, stage.prior_steps) == (str(tiny / "prior"), 9)


@pytest.mark.parametrize("way", [{"refiner_share": 0.7}, {"refiner_strength": 0.3}])
def test_a_request_with_a_refiner_is_restored_with_all_its_values(document, choose, tiny, way):
    choose(checkpoint=tiny / "base", refiner=tiny / "refiner", seed=3, aesthetic_score=9.0, **way)
    request = document.make_requests(1)[0]
    choose(checkpoint="starter", refiner="", refiner_share=0.8, refiner_strength=0.0, aesthetic_score=6.0, seed=None)
    document.restore(request, set(PARTS))
    assert document.params.refiner == str(tiny / "refiner")
    assert document.make_requests(1)[0] == request


def test_a_prompt_that_the_prior_reads_is_counted_by_its_tokenizer(document, choose, tiny):
    choose(checkpoint=tiny / "decoder")
    assert document.count_tokens("the cat").limit == 77


def test_what_is_not_read_of_a_prompt_is_told_where_it_is_not_read_in_chunks(document, choose, tiny):
    choose(checkpoint=tiny / "decoder")
    count = document.count_tokens("the cat " * 60)
    assert (count.chunks, count.used > count.limit) == (1, True)
    assert count.overflow is not None


def test_the_plan_says_that_the_prior_reads_first(choose, tiny):
    plan = choose(checkpoint=tiny / "decoder", prior_steps=9)
    assert "The prior reads the prompt first, in 9 steps" in plan.sentences


def test_what_a_card_lacks_is_offered_for_download(document, choose):
    document.set_params("Choose", chain=(Card(checkpoint="nobody/comic"), Card(checkpoint="nobody/off", is_on=False)))
    plan = choose()
    assert plan.error is not None
    assert plan.error.param == "chain.0"
    assert document.missing == ("nobody/comic",)


def test_what_another_recipe_lacked_is_not_offered_with_this_one(document, choose):
    document.apply_recipe("upscale-8")
    choose()
    assert "stabilityai/sd-x2-latent-upscaler" in document.missing
    document.apply_recipe("three-styles")
    choose()
    assert "kohbanye/pixel-art-style" in document.missing
    assert "stabilityai/sd-x2-latent-upscaler" not in document.missing


def test_another_first_checkpoint_leaves_the_chain(document, tiny):
    document.apply_recipe("three-styles")
    chain = document.params.chain
    document.choose_checkpoint("starter")
    assert document.params.chain == chain
    document.apply_recipe("starter")
    assert document.params.chain == ()
