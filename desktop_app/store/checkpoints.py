"""CheckpointStore: finds checkpoints on disk, checks them before anything is loaded, and describes them.

Only folders in diffusers layout, with safetensors and known classes of diffusers and transformers: no code of a
checkpoint is ever run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.errors import CheckpointError, StoreError
from desktop_app.core.families import FAMILIES, Family, family_of
from desktop_app.store.checkpoint_files import (
    UNSAFE_SUFFIXES,
    check_inside,
    check_weights,
    choose_variant,
    damaged,
    read_json,
    unsafe,
    weight_files,
)
from desktop_app.store.paths import Paths, resources_dir

STARTER_LABEL = "Starter (offline, small pictures)"
INDEX_NAME = "model_index.json"
_CLIP_VISION = {"transformers.CLIPImageProcessor", "transformers.CLIPFeatureExtractor"}
_CLIP_TOKENIZERS = {"transformers.CLIPTokenizer", "transformers.CLIPTokenizerFast"}
COMPONENTS: dict[str, set[str]] = {
    "unet": {"diffusers.UNet2DConditionModel"},
    "vae": {"diffusers.AutoencoderKL", "diffusers.AutoencoderTiny"},
    "text_encoder": {"transformers.CLIPTextModel"},
    "text_encoder_2": {"transformers.CLIPTextModelWithProjection"},
    "tokenizer": _CLIP_TOKENIZERS,
    "tokenizer_2": _CLIP_TOKENIZERS,
    "feature_extractor": _CLIP_VISION,
    "safety_checker": {"stable_diffusion.StableDiffusionSafetyChecker"},
    "image_encoder": {"transformers.CLIPVisionModelWithProjection"},
}
"""Parts of a pipeline, and the classes that each may have. A scheduler may be any of diffusers'."""

LATENT_CHANNELS = 4
"""Where a configuration does not say."""

_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
_SCHEDULER = re.compile(r"[A-Za-z0-9]+Scheduler")


class CheckpointStore:
    """Reads folders; keeps nothing, so it can be used from any thread."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.checkpoints

    def resolve(self, ref: str) -> Path:
        """The folder of the checkpoint ``ref``, checked file by file. Raises `CheckpointError`."""
        with _readable(ref):
            folder = self._find(ref)
            family = _read_family(folder)
            variant = choose_variant(folder, family.weighted)
            for part in family.weighted:
                check_weights(folder, part, variant)
            _read_config(folder, "scheduler")
            _read_parts(folder, family)
            for part in family.tokenizers:
                if _tokenizer(folder, part) is None:
                    raise damaged(folder / part, "it has neither tokenizer.json nor vocab.json and merges.txt")
            return folder

    def describe(self, ref: str) -> CheckpointInfo:
        """What is known of ``ref`` from its JSON files. Raises `CheckpointError`."""
        with _readable(ref):
            return self._describe(ref, self._find(ref))

    def _describe(self, ref: str, folder: Path) -> CheckpointInfo:
        family = _read_family(folder)
        unet, vae, *texts = _read_parts(folder, family)
        multiple = _vae_factor(folder, vae)
        return CheckpointInfo(
            ref=ref,
            label=STARTER_LABEL if ref == STARTER else folder.name,
            path=folder,
            family=family.label,
            native_size=_number(folder, "unet", unet, "sample_size") * multiple,
            multiple=multiple,
            max_tokens=min(_max_tokens(folder, *pair) for pair in zip(_readers(family), texts, strict=True)),
            tokenizer=_tokenizer(folder, family.tokenizers[0]),
            size_bytes=_size(folder, family),
            kinds=family.kinds,
        )

    def list(self) -> list[CheckpointInfo]:
        """The starter, then the folders in diffusers layout in the checkpoints folder; those that can be described."""
        return [found for found in self.survey().values() if isinstance(found, CheckpointInfo)]

    def survey(self) -> dict[str, CheckpointInfo | CheckpointError]:
        """By REF, what `list` goes through; and of those that cannot be described, why."""
        found: dict[str, CheckpointInfo | CheckpointError] = {}
        for ref in (STARTER, *sorted(str(index.parent) for index in self._folder.glob(f"*/{INDEX_NAME}"))):
            try:
                found[ref] = self.describe(ref)
            except CheckpointError as e:
                found[ref] = e
        return found

    def _find(self, ref: str) -> Path:
        if ref == STARTER:
            return _starter()
        try:
            path = Path(ref).expanduser()
            own = self._folder / ref
            for folder in (path, own) if not path.is_absolute() else (path,):
                if ref and folder.is_dir() and "\0" not in ref:
                    return folder.resolve()
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError) as e:
            raise CheckpointError("The checkpoint cannot be found", f"{ref[:200]!r}: {e}", _WHAT_IS_POSSIBLE) from e
        raise _not_a_folder(ref, path, is_file=is_file)


@contextlib.contextmanager
def _readable(ref: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        detail = f"{ref[:200]}: {e.strerror or e}"
        hint = "Make the folder and all in it readable for you, and check its disk."
        raise CheckpointError("The checkpoint cannot be read", detail, hint) from e


_WHAT_IS_POSSIBLE = (
    f'Choose "{STARTER}", or a folder in diffusers layout (it contains {INDEX_NAME}, and a folder for each part).'
)


def _starter() -> Path:
    try:
        folder = resources_dir() / STARTER
    except StoreError as e:
        raise CheckpointError("The starter checkpoint is missing", e.detail, e.hint) from e
    if not folder.is_dir():
        raise CheckpointError("The starter checkpoint is missing", str(folder), "Install Underpaint again.")
    return folder


def _not_a_folder(ref: str, path: Path, *, is_file: bool) -> CheckpointError:
    if path.suffix.lower() in UNSAFE_SUFFIXES:
        return unsafe(path.name)
    if is_file or path.suffix.lower() == ".safetensors":
        return CheckpointError("Single-file checkpoints cannot be opened by this version", ref, _WHAT_IS_POSSIBLE)
    if _HUB_ID.fullmatch(ref):
        detail = f"{ref} is no folder here, and looks like a name on the Hugging Face hub"
        hint = f"Download it with another program first. {_WHAT_IS_POSSIBLE}"
        return CheckpointError("Downloading is not possible in this version", detail, hint)
    return CheckpointError("The checkpoint cannot be found", repr(ref[:200]), _WHAT_IS_POSSIBLE)


# JSON files --------------------------------------------------------------------------------------


def _read_family(folder: Path) -> Family:
    """The family that ``model_index.json`` tells; its classes are all known, and no part is missing in it."""
    path = folder / INDEX_NAME
    if not path.is_file():
        raise _no_index(folder)
    index = read_json(folder, path)
    family = family_of(index)
    if family is None:
        known = ", ".join(family.label for family in FAMILIES)
        detail = f"{folder.name} is for {str(index.get('_class_name'))[:80]}"
        raise CheckpointError("This family of checkpoints is not supported", detail, f"Supported are: {known}.")
    for part, entry in index.items():
        if not part.startswith("_") and isinstance(entry, list):
            _check_class(path, part, entry, is_required=part in family.required)
    missing = [part for part in family.required if not isinstance(index.get(part), list)]
    if missing:
        raise damaged(path, f"it does not name {', '.join(missing)}")
    return family


def _no_index(folder: Path) -> CheckpointError:
    files = [path for path in folder.iterdir() if path.is_file()]
    if any(path.suffix.lower() in UNSAFE_SUFFIXES for path in files):
        return unsafe(folder.name)
    return CheckpointError("The folder is no checkpoint", f"{folder} has no {INDEX_NAME}", _WHAT_IS_POSSIBLE)


def _check_class(path: Path, part: str, entry: list[Any], *, is_required: bool) -> None:
    """Only classes from the table: a class is imported by name later, so a stranger's name is never passed on."""
    if entry == [None, None] and not is_required:
        return
    library, name = entry if len(entry) == 2 and all(isinstance(text, str) for text in entry) else ("", str(entry))
    known_scheduler = part == "scheduler" and library == "diffusers" and _SCHEDULER.fullmatch(name)
    if not known_scheduler and f"{library}.{name}" not in COMPONENTS.get(part, set()):
        raise CheckpointError(
            "The checkpoint asks for a class that is not known",
            f"{path.parent.name}/{path.name}: {part} is {library}.{name}"[:300],
            "Only the usual classes of diffusers and transformers are loaded, since others could run any program.",
        )


def _read_config(folder: Path, part: str) -> dict[str, Any]:
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    return read_json(folder, folder / part / name)


def _read_parts(folder: Path, family: Family) -> tuple[dict[str, Any], ...]:
    """Configurations of the parts with weights, which must be for painting pictures from noise."""
    configs = tuple(_read_config(folder, part) for part in family.weighted)
    takes, latents = configs[0].get("in_channels", LATENT_CHANNELS), configs[1].get("latent_channels", LATENT_CHANNELS)
    if takes != latents:  # a mask, a depth map or another picture beside the latents
        detail = f"{folder.name}: its unet takes {str(takes)[:40]} channels, and latents have {str(latents)[:40]}"
        hint = "It is for inpainting, depth or instructions. Choose one for text-to-image."
        raise CheckpointError("The checkpoint is for another task", detail, hint)
    return configs


def _number(folder: Path, part: str, config: dict[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65536:
        raise damaged(folder / part / "config.json", f"{key} is {str(value)[:40]}")
    return value


def _vae_factor(folder: Path, vae: dict[str, Any]) -> int:
    """Pixels that one latent covers, on a side. Both kinds of VAE halve the picture between two of their blocks."""
    key = "encoder_block_out_channels" if vae.get("_class_name") == "AutoencoderTiny" else "block_out_channels"
    blocks = vae.get(key)
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= 8:
        raise damaged(folder / "vae" / "config.json", f"{key} is not a list of the blocks")
    return int(2 ** (len(blocks) - 1))


def _size(folder: Path, family: Family) -> int:
    """Bytes of the weights that would be loaded."""
    variant = choose_variant(folder, family.weighted)
    return sum(file.stat().st_size for part in family.weighted for file in weight_files(folder, part, variant))


def _readers(family: Family) -> list[tuple[str, str]]:
    return list(zip(family.text_encoders, family.tokenizers, strict=True))


def _max_tokens(folder: Path, reader: tuple[str, str], text: dict[str, Any]) -> int:
    """How many tokens a text encoder and its tokenizer, named by ``reader``, take."""
    positions = _number(folder, reader[0], text, "max_position_embeddings")
    path = folder / reader[1] / "tokenizer_config.json"
    limit = read_json(folder, path).get("model_max_length") if path.is_file() else None
    return min(positions, limit) if isinstance(limit, int) and limit > 2 else positions


def _tokenizer(folder: Path, part: str) -> Path | None:
    tokenizer = folder / part
    pair = (tokenizer / "vocab.json", tokenizer / "merges.txt")
    whole = tokenizer / "tokenizer.json"
    for file in (whole, *pair):
        check_inside(folder, file)
    return tokenizer if whole.is_file() or all(file.is_file() for file in pair) else None
