"""Finds and reads the splits of a source, wherever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distill.config.data import DataConfig
from distill.config.source import SourceConfig
from distill.errors import DataError
from distill.fingerprint import file_hash
from distill.stages.data.hub import read_hub
from distill.stages.data.tables import Table, read_table


@dataclass(frozen=True)
class RawData:
    """What was read: split -> table, and the licence where the source states one."""

    tables: Mapping[str, Table]
    licence: str | None


def read_sources(config: DataConfig, base_folder: Path) -> RawData:
    """Read all splits that are given, the transfer set of `data.transfer` among them.

    Raises:
        DataError: something is missing or unreadable, or there are two transfer sets.
    """
    found = _read(config.source, base_folder)
    licence = config.licence or found.licence
    if config.transfer is None:
        return RawData(found.tables, licence)
    if "transfer" in found.tables:
        name = found.tables["transfer"].name
        raise DataError(
            f"data.transfer: data.source brings a transfer set already, {name}; leave one of them out"
        )
    transfer = _read(config.transfer, base_folder).tables["train"]
    return RawData({**found.tables, "transfer": transfer}, licence)


def _read(source: SourceConfig, base_folder: Path) -> RawData:
    if source.hub is not None:
        return RawData(*read_hub(source))
    paths = source.resolve(base_folder)
    if source.sha256 is not None:
        _check_content(paths["train"], source.sha256)
    return RawData({name: read_table(path, source) for name, path in paths.items()}, source.licence())


def _check_content(path: Path, sha256: str) -> None:
    found = file_hash(path)
    if found != sha256:
        raise DataError(
            f"{path}: sha256 is {found}, but the experiment expects {sha256}; "
            "this is another version of the file"
        )
