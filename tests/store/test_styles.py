"""StyleStore: the program's styles, and the user's own behind them."""

from __future__ import annotations

import pytest
from support import PROJECT

from desktop_app.core.styles import STYLES_NAME
from desktop_app.store.styles import StyleStore

SHIPPED = PROJECT / "resources" / STYLES_NAME


@pytest.fixture
def own(tmp_path):
    return tmp_path / STYLES_NAME


@pytest.fixture
def store(own):
    return StyleStore(own, SHIPPED)


def test_without_own_ones_there_are_those_of_the_program(store):
    assert store.list()[0].label == "Photograph"
    assert store.damaged() is None


def test_own_ones_follow(store, own):
    own.write_text('[mine]\nlabel = "Mine"\nprompt = "{prompt}, mine"')
    assert [style.name for style in store.list()][-1] == "mine"
    assert len(store.list()) > 16


@pytest.mark.parametrize("text", ["[mine", '[oil]\nlabel = "Mine"\nprompt = "{prompt}"'])
def test_own_ones_that_cannot_be_read_are_told_and_the_others_stay(store, own, text):
    own.write_text(text)
    damaged = store.damaged()
    assert damaged is not None
    assert STYLES_NAME in damaged.detail
    assert "mine" not in [style.name for style in store.list()]
