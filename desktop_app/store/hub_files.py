"""Which files of a repository a checkpoint needs, and which names and sizes of a listing are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from desktop_app.core.download import RemoteFile
from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import Family, family_of, unsupported
from desktop_app.core.family import NOT_LOADED
from desktop_app.store.checkpoint_files import HALF
from desktop_app.store.checkpoint_index import INDEX_NAME
from desktop_app.store.control_checkpoints import CONFIG_NAME, PROCESSOR_NAME, class_of, is_control_class
from desktop_app.store.hub_errors import hostile

MAX_FILE_BYTES = 2**40
MAX_FILES = 2000
MAX_NAME = 200
MAX_TEXT_BYTES = 64 * 1024 * 1024
"""Above it, no text file of a part is needed for anything."""

LARGE_BYTES = 1_500_000_000
"""A file of this size is a checkpoint, whatever its name."""

_DECEIVING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}
_REPO_TEXTS = re.compile(r"(readme|licen[cs]e|notice|use[-_ ]?policy)[\w.-]*", re.IGNORECASE)
_TEXT_SUFFIXES = (".json", ".txt", ".model", ".jinja")
_PART = re.compile(r"[A-Za-z]\w{0,60}")
_STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
_WEIGHTS = re.compile(
    rf"(?P<stem>{'|'.join(_STEMS)})(?:\.(?P<early>\w+?))?(?:-(?P<number>\d{{5}})-of-(?P<of>\d{{5}}))?(?:\.(?P<late>\w+))?"
    r"\.(?P<kind>safetensors|bin)"
)
_WEIGHT_INDEX = re.compile(r".*\.(safetensors|bin)\.index(\.\w+)?\.json")
_NOT_WHOLE = re.compile(r"lora|vae|control|adapter|embed|clip|encoder|t5xxl|upscale", re.IGNORECASE)


@dataclass(frozen=True)
class Choice:
    """Paths that a checkpoint needs; ``is_pickled`` when some of the weights are in an unsafe format only."""

    paths: tuple[str, ...]
    is_pickled: bool = False


def check_file(repo: str, file: RemoteFile) -> None:
    """Raise `CheckpointError` for a file whose name could write elsewhere or whose size and hashes are none."""
    check_name(repo, file.path)
    if not isinstance(file.size, int) or isinstance(file.size, bool) or not 0 <= file.size <= MAX_FILE_BYTES:
        raise hostile(repo, f"it lists {file.path} with {str(file.size)[:30]} bytes")
    if not re.fullmatch(r"[0-9a-f]{64}", file.sha256) and (
        file.sha256 or not re.fullmatch(r"[0-9a-f]{40}", file.git_sha1)
    ):
        raise hostile(repo, f"it lists {file.path} without a hash")


def is_hostile_name(path: str) -> bool:
    """Whether ``path`` tries to get out of its folder, on any system, or to look like another."""
    is_outside = any(part in ("", ".", "..") for part in path.split("/")) or re.match(r"[A-Za-z]:", path) is not None
    return is_outside or "\\" in path or _DECEIVING.search(path) is not None


def check_name(repo: str, path: str) -> None:
    """Raise `CheckpointError` unless ``path`` is a plain relative path on every system."""
    names = path.split("/")
    if (
        is_hostile_name(path)
        or len(path) > 2 * MAX_NAME
        or any(len(name) > MAX_NAME or name[-1] in " ." or set(name) & set('<>:"|?*') for name in names)
        or not path.isprintable()
        or any(name.partition(".")[0].strip().lower() in _RESERVED for name in names)
    ):
        raise hostile(repo, f"it has a file with the name {path[:100]!r}")


def choose_files(repo: str, files: Mapping[str, RemoteFile], index: Mapping[str, Any], variant: str) -> Choice:
    """What a checkpoint in diffusers layout needs of ``files``: its texts, and of each part one flavour of weights,
    ``variant`` where there is one and safetensors before pickles. Raises `CheckpointError`.
    """
    family = family_of(index)
    if family is None:
        raise unsupported(repo, str(index.get("_class_name"))[:80])
    paths, is_pickled = _repo_texts(files), False
    for part in parts_of(index, family):
        names = [path.partition("/")[2] for path in files if path.startswith(f"{part}/") and path.count("/") == 1]
        weights = choose_weights(names, variant)
        if not weights and part in family.weighted:
            raise _no_weights(repo, part, names)
        is_pickled = is_pickled or any(name.endswith(".bin") for name in weights)
        texts = [name for name in names if name.endswith(_TEXT_SUFFIXES) and not _WEIGHT_INDEX.fullmatch(name)]
        small = [name for name in texts if files[f"{part}/{name}"].size <= MAX_TEXT_BYTES]
        paths += [f"{part}/{name}" for name in (*small, *weights)]
    return Choice((INDEX_NAME, *paths), is_pickled)


def parts_of(index: Mapping[str, Any], family: Family) -> list[str]:
    """The parts that ``model_index.json`` names, without those that are never loaded."""
    named = [part for part, entry in index.items() if isinstance(entry, list) and entry and entry[0] is not None]
    return [part for part in named if _PART.fullmatch(part) and (part not in NOT_LOADED or part in family.weighted)]


def _repo_texts(files: Mapping[str, RemoteFile]) -> list[str]:
    """README, licence and the like: small files beside the index."""
    return [path for path, file in files.items() if _REPO_TEXTS.fullmatch(path) and file.size <= 2**20]


def choose_weights(names: Iterable[str], variant: str) -> tuple[str, ...]:
    """One flavour of the weights among the file names of a part: a file, or all shards and their index. Empty where
    there is none that is whole.
    """
    there = set(names)
    groups: dict[tuple[str, str, int, str], list[str]] = {}
    for match in filter(None, map(_WEIGHTS.fullmatch, sorted(there))):
        flavour = match["early"] or match["late"] or ""
        key = (match["kind"], flavour, _STEMS.index(match["stem"]), match["of"] or "")
        groups.setdefault(key, []).append(match[0])
    flavours = list(dict.fromkeys((variant, "", HALF)))
    ranked = sorted(
        (key for key in groups if key[1] in flavours),
        key=lambda key: (key[0] != "safetensors", flavours.index(key[1]), key[2], key[3]),
    )
    for kind, flavour, stem, of in ranked:
        found = groups[kind, flavour, stem, of]
        if not of:
            return tuple(found)
        index = f"{_STEMS[stem]}.{kind}.index{'.' + flavour if flavour else ''}.json"
        if index in there and len(found) == int(of):
            return (*found, index)
    return ()


def _no_weights(repo: str, part: str, names: list[str]) -> CheckpointError:
    others = ", ".join(sorted(name for name in names if _WEIGHTS.fullmatch(name)))
    reason = f"{part} has only {others}" if others else f"{part} has no weights"
    return CheckpointError(
        "The checkpoint lacks weights that can be used",
        f"{repo}: {reason}"[:300],
        f"Plain weights and the variant {HALF} are looked for, in files for diffusers. Choose another checkpoint.",
    )


def is_one_part(files: Mapping[str, RemoteFile]) -> bool:
    """Whether a repository has the files of one part alone, as ControlNets and annotators have them."""
    has_weights = any(_WEIGHTS.fullmatch(path) or _WEIGHT_INDEX.fullmatch(path) for path in files)
    return INDEX_NAME not in files and CONFIG_NAME in files and has_weights


def choose_control(
    repo: str, files: Mapping[str, RemoteFile], config: Mapping[str, Any], variant: str
) -> Choice | None:
    """What a ControlNet or an annotator with this ``config`` needs of ``files``; None where it is neither. Raises
    `CheckpointError`.
    """
    if not is_control_class(class_of(config)):
        return None
    names = [path for path in files if "/" not in path]
    weights = choose_weights(names, variant)
    if not weights:
        raise _no_weights(repo, "it", names)
    texts = [name for name in (CONFIG_NAME, PROCESSOR_NAME) if name in files]
    return Choice((*_repo_texts(files), *texts, *weights), any(name.endswith(".bin") for name in weights))


def pickled_control(repo: str) -> CheckpointError:
    """What is told of a ControlNet or an annotator of which there are only pickles."""
    detail = f"{repo}: its weights are in a format that can run any program when it is opened"
    hint = "Only pipelines are converted. Choose another one, with .safetensors files."
    return CheckpointError("The weights of the checkpoint are pickled", detail, hint)


def choose_single_file(repo: str, files: Mapping[str, RemoteFile], variant: str) -> Choice:
    """The one file of a repository without an index that is a whole checkpoint. Raises `CheckpointError`."""
    names = [
        path for path in files if "/" not in path and path.endswith(".safetensors") and not _WEIGHTS.fullmatch(path)
    ]
    whole = [name for name in names if not _NOT_WHOLE.search(name) or files[name].size >= LARGE_BYTES]
    for mark in filter(None, (variant, "emaonly", "pruned")):
        marked = [name for name in whole if mark in name.lower()]
        whole = marked if len(whole) > 1 and marked else whole
    plain = [name for name in whole if "inpaint" not in name.lower()]
    whole = plain if len(whole) > 1 and plain else whole
    if len(whole) != 1:
        raise _not_one(repo, whole)
    return Choice((*_repo_texts(files), whole[0]))


def _not_one(repo: str, names: list[str]) -> CheckpointError:
    if names:
        detail = f"{repo} has {len(names)} files: {', '.join(sorted(names)[:6])}"
        hint = "Download the one that you want with a browser, and drop it onto the window."
        return CheckpointError("It is not clear which file is the checkpoint", detail[:300], hint)
    return CheckpointError(
        "The repository is no checkpoint",
        f"{repo} has neither {INDEX_NAME} nor a .safetensors file",
        "Look for one in diffusers layout, or for a .safetensors file.",
    )
