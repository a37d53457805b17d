"""What a user reads and agrees to before pickled weights are converted, and the word that starts it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

CHILD_WORD = "convert-weights-child"
"""The one argument by which a frozen program is told to be the process that converts."""


@dataclass(frozen=True)
class Consent:
    """Plain sentences: a title that asks, what a pickle is, what is done against it, what remains, and the word of the
    button that agrees.
    """

    title: str
    what_it_is: tuple[str, ...]
    what_is_done: tuple[str, ...]
    what_remains: tuple[str, ...]
    agree: str = "Convert"

    @property
    def text(self) -> str:
        """All sentences, one paragraph for each of the three."""
        return "\n\n".join(" ".join(lines) for lines in (self.what_it_is, self.what_is_done, self.what_remains))


_WHAT_IT_IS = (
    "The weights of this checkpoint exist only as pickles, an old format of Python.",
    "A pickle is a small program: opened carelessly it can do whatever you can do on this computer.",
    "Underpaint paints with safetensors files only, which hold numbers and nothing else.",
)
_ONCE = "It can open the pickles once, in a process of its own that ends afterwards, and write the same as safetensors."
_READS_WEIGHTS = (
    "That process refuses everything in a pickle that is not weights, and its memory and its time are limited."
)
_LINUX = (
    "The system takes from it the network, other programs and, where this kernel can, all files but the pickles.",
    "Without a closed network nothing is opened.",
)
_OTHER = ("It ends itself when Python code in it reaches for the network, another program or another file.",)
_WHAT_REMAINS = (
    "No such barrier is perfect: a fault in PyTorch or in the system that nobody knows yet could be used to pass it.",
    "So convert only what comes from somebody you trust, and prefer safetensors where there are any.",
)
_WEAKER = "On this system the barrier is only Python's own: it does not hold against a fault in PyTorch."


def consent_for(system: str) -> Consent:
    """The texts that are true on ``system``, named as ``sys.platform`` names it."""
    is_linux = system == "linux"
    return Consent(
        title="Convert pickled weights?",
        what_it_is=_WHAT_IT_IS,
        what_is_done=(_ONCE, _READS_WEIGHTS, *(_LINUX if is_linux else _OTHER)),
        what_remains=_WHAT_REMAINS if is_linux else (_WEAKER, *_WHAT_REMAINS),
    )


CONSENT = consent_for(sys.platform)
