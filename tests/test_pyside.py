"""Qt for Python itself: it must not lose references of True, False and None, as PySide6 6.12.0 does on Python 3.11."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from support import PROJECT

EMITTING = """
import sys
from PySide6.QtCore import QObject, Signal

class Sender(QObject):
    sent = Signal(object)

def receive(value):
    pass

sender = Sender()
before = [sys.getrefcount(value) for value in (True, False, None)]
sender.sent.connect(receive)
for count in range(200_000):
    sender.sent.emit((True, False, None)[count % 3])
for _ in range(200_000):
    sender.sent.connect(receive)
    sender.sent.disconnect(receive)
for _ in range(50_000):
    sender.setObjectName("x")
after = [sys.getrefcount(value) for value in (True, False, None)]
print(max(abs(new - old) for new, old in zip(after, before)))
"""
"""Prints how far the references drifted; with a bad version the interpreter aborts before."""


def test_200_000_emits_leave_the_references_of_true_false_and_none_alone():
    done = subprocess.run([sys.executable, "-c", EMITTING], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100


@pytest.fixture(scope="module")
def requirements() -> list[Requirement]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    parsed = [Requirement(text) for text in project["dependencies"]]
    return [requirement for requirement in parsed if requirement.name == "PySide6-Essentials"]


def is_allowed(requirements: list[Requirement], version: str, python: str) -> bool:
    applying = [r for r in requirements if r.marker is None or r.marker.evaluate({"python_version": python})]
    assert applying, f"no requirement of PySide6 for Python {python}"
    return all(requirement.specifier.contains(version) for requirement in applying)


@pytest.mark.parametrize(
    ("version", "python", "allowed"),
    [
        ("6.12.0", "3.11", False),
        ("6.12.0", "3.12", True),
        ("6.11.3", "3.11", True),
        ("6.12.1", "3.11", True),
        ("6.11.2", "3.12", False),
    ],
)
def test_the_version_that_aborts_python_3_11_is_refused_there_and_only_there(requirements, version, python, allowed):
    assert is_allowed(requirements, version, python) == allowed


def test_the_constraints_pin_a_version_that_is_allowed(requirements):
    lines = (PROJECT / "packaging" / "constraints.txt").read_text().splitlines()
    version = next(line.split("==")[1] for line in lines if line.startswith("PySide6_Essentials=="))
    assert is_allowed(requirements, version, "3.11")
