"""What a user agrees to says what is true on the system that it is shown on."""

from __future__ import annotations

import pytest

from desktop_app.core.conversion import consent_for


def test_on_linux_the_kernel_closes_the_network():
    text = consent_for("linux").text
    assert "The system takes from it the network" in text
    assert "only Python's own" not in text


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_the_weaker_barrier_is_admitted(system):
    text = consent_for(system).text
    assert "The system takes" not in text
    assert "does not hold against a fault in PyTorch" in text


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_the_risk_that_remains_is_told_in_three_paragraphs(system):
    paragraphs = consent_for(system).text.split("\n\n")
    assert len(paragraphs) == 3
    assert "No such barrier is perfect" in paragraphs[2]
