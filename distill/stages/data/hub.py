"""The only door to the `datasets` library: a data set of the Hugging Face hub, by name and commit."""

from __future__ import annotations

from typing import Any

from distill.config.hub import ask_hub
from distill.config.source import OTHER_NAMES, SPLIT_NAMES, SourceConfig
from distill.errors import DataError
from distill.stages.data.tables import Table


def read_hub(source: SourceConfig) -> tuple[dict[str, Table], str | None]:
    """Return split -> table, and the licence that the data set states.

    Raises:
        DataError: the hub cannot be reached, or has no such data set; or it has no train split.
    """
    found = _fetched(source)
    tables = {}
    for given, split in found.items():
        name = OTHER_NAMES.get(given, given)
        if name in SPLIT_NAMES:
            tables[name] = Table(f"{source.hub} ({given})", _columns(split))
    if "train" not in tables:
        raise DataError(f"data.source.hub: '{source.hub}' has no train split (found: {', '.join(found)})")
    return tables, found["train"].info.license or None


def _fetched(source: SourceConfig) -> Any:
    import datasets

    reason = ask_hub(str(source.hub), str(source.revision), "dataset")
    if reason is None:
        try:
            return datasets.load_dataset(source.hub, source.config, revision=source.revision)
        except Exception as error:  # noqa: BLE001 - OSError, ValueError, httpx's own: whatever the layers below raise
            reason = str(error).partition("\n")[0]
    raise DataError(
        f"data.source.hub: '{source.hub}' at {source.revision} cannot be had: {reason}; "
        f"offline? Run `hf download {source.hub} --type dataset --revision {source.revision} "
        "--local-dir FOLDER` where there is a network, bring the folder here and name its files: "
        "source: {files: {train: ...}}"
    )


def _columns(split: Any) -> dict[str, list[Any]]:
    return {name: _named(list(split[name]), feature) for name, feature in split.features.items()}


def _named(cells: list[Any], feature: Any) -> list[Any]:
    """Return class names in place of class indexes, in lists of classes too."""
    import datasets

    inner = getattr(feature, "feature", feature)
    if not isinstance(inner, datasets.ClassLabel):
        return cells

    def name(index: int | None) -> str | None:
        return None if index is None or index < 0 else str(inner.int2str(index))

    return [[name(index) for index in cell] if isinstance(cell, list) else name(cell) for cell in cells]
