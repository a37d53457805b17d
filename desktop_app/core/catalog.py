"""The catalog: checkpoints that are worth knowing, with what a user wants to know before the download."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CatalogEntry:
    """``ref`` is its hub id, ``family`` a label of `desktop_app.core.families`; ``size_bytes`` what is downloaded;
    ``parts`` the parameters of each part with weights, by name; ``needs`` the REFs without which it cannot paint;
    ``is_gated``: its licence has to be accepted on the hub first; ``is_pickled``: see `DownloadPlan`;
    ``trigger_words`` go into the prompt to call what it was trained on.
    """

    ref: str
    label: str
    family: str
    size_bytes: int
    licence: str
    note: str
    native_size: int
    parts: dict[str, int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    trigger_words: tuple[str, ...] = ()
    is_gated: bool = False
    is_pickled: bool = False
