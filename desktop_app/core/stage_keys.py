"""Keys of stages: what each stage of a request makes, named by the hash of everything that it depends on."""

from __future__ import annotations

import hashlib
import json

from desktop_app.core.kinds import StageKind
from desktop_app.core.request import Request

_NOT_OF_THE_STAGES = ("recipe", "colour_match")
_SIZE_OF_THE_RESULT = "own_size"
"""Fields of a request that only say what becomes of the last picture; the last one only where the first stage does
not paint inside a mask: else it says at which size the picture goes on.
"""


def stage_keys(request: Request) -> tuple[str, ...]:
    """One for each stage. Two requests whose first stages have equal keys get the same out of these."""
    record = request.to_json()
    stages = record.pop("stages")
    is_masked = request.stages[0].kind is StageKind.INPAINT
    left_out = _NOT_OF_THE_STAGES if is_masked else (*_NOT_OF_THE_STAGES, _SIZE_OF_THE_RESULT)
    common = {name: value for name, value in record.items() if name not in left_out}
    keys, digest = [], hashlib.sha256(_plain(common))
    for stage in stages:
        digest.update(_plain(stage))
        keys.append(digest.hexdigest())
    return tuple(keys)


def _plain(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
