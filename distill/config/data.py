"""The `data` section of an experiment file: texts, labels, cleaning, splits. Free of torch and pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from distill.config.base import Config
from distill.config.source import SourceConfig, format_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from distill.contracts import TaskKind


LARGEST_SEED = 2**32 - 1
"""What scikit-learn's generators take."""


class CleaningConfig(Config):
    """What is done to each text before anybody reads it, in this order. Every split is cleaned alike."""

    fix_mojibake: bool = False
    """Repair text that was decoded wrongly, and HTML entities, with ftfy (an optional package)."""
    unicode: Literal["NFC", "NFKC"] | None = "NFC"
    """The Unicode normal form; null leaves texts as they are."""
    urls: str | None = None
    """What stands for every web address, as `[URL]`; null leaves them."""
    users: str | None = None
    """What stands for every `@name`, as `@user`; null leaves them."""
    emoji: Literal["names"] | None = None
    """`names` spells emoji out, as ` face with tears of joy `."""
    lowercase: bool = False
    """Turn all letters into small ones."""
    whitespace: bool = True
    """Turn each run of white space, line breaks too, into one space, and strip the ends."""


class CutConfig(Config):
    """How missing validation and test splits are cut from train; a split that is given is never cut."""

    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the texts that are cut up."""
    test: float = Field(0.1, gt=0, lt=1)
    """Share of the texts that are cut up."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Decides which texts, here and in `limits`."""

    @model_validator(mode="after")
    def _train_remains(self) -> CutConfig:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must be less than 1, or nothing remains for train")
        return self


class LimitsConfig(Config):
    """The most texts that a split keeps, chosen stratified. A limited test split is no official one."""

    train: int | None = Field(None, ge=1)
    """Texts that keep their labels."""
    validation: int | None = Field(None, ge=1)
    """Texts of validation."""
    test: int | None = Field(None, ge=1)
    """Texts of test."""
    transfer: int | None = Field(None, ge=1)
    """Unlabelled texts. Where no transfer split is given, they are taken from what `limits.train` left over,
    and their labels are forgotten."""


class DataConfig(Config):
    """Texts and what they are labelled with.

    One of these says where labels are:

        labels: [anger, joy]            # multi-label: a 0/1 column for each
        ---
        labels: [anger, joy]            # multi-label: one column that holds a list, a single class,
        label_column: emotions          # or, with `delimiter`, a string such as "anger, joy"
        delimiter: ","
        ---
        label: author                   # single-label: one class of several
        classes: [gogol, pushkin]       # optional: the order; the column may then hold indexes

    A class column becomes independent labels, `neutral` being none of them, so:

        labels: [negative, positive]
        label_column: sentiment
        ignore_values: [neutral]
    """

    source: SourceConfig
    """Where the texts are."""
    text: str
    """The column of texts."""
    labels: tuple[str, ...] | None = Field(None, min_length=1)
    """Multi-label: the names of the labels, a column each unless `label_column` says otherwise."""
    label_column: str | None = None
    """The one column that names each text's labels; a list, a delimited string or a single class."""
    delimiter: str | None = Field(None, min_length=1)
    """What separates several labels in a string of `label_column`."""
    label: str | None = None
    """Single-label: the column of classes."""
    classes: tuple[str, ...] | None = None
    """The classes of `label`, in order; by default those found in train, sorted."""
    ignore_values: tuple[str, ...] = ()
    """Classes that mean "no label" in the class column: none of `labels`; with `label`, unlabelled."""
    unknown_value: int | float | str | None = None
    """What a cell holds whose label is not known, as -1; `""` is an empty cell. By default, all are known."""
    cleaning: CleaningConfig = CleaningConfig()
    """What is done to each text."""
    empty_texts: Literal["error", "drop"] = "error"
    """What happens to texts that are empty, or become so by cleaning."""
    splits: CutConfig = CutConfig()
    """How missing splits are cut."""
    duplicates: Literal["merge", "keep"] = "merge"
    """Whether equal texts of train and of the transfer set become one; validation and test are left alone."""
    conflicts: Literal["drop", "union", "majority", "keep_first"] = "majority"
    """The labels of merged texts that disagree: leave the text out, any positive counts (multi-label only),
    most votes for each label (the first text decides a tie), or the first text's."""
    limits: LimitsConfig = LimitsConfig()
    """The most texts that each split keeps."""
    transfer: SourceConfig | None = None
    """Where unlabelled texts are that only the teacher labels: one file, or the train split there."""
    licence: str | None = None
    """The licence of the texts, for model cards; by default what the source itself states."""

    @model_validator(mode="after")
    def _labels_are_told_one_way(self) -> DataConfig:
        if (self.labels is None) == (self.label is None):
            raise ValueError("give either labels (multi-label) or label (single-label)")
        for key, owner in (("label_column", "labels"), ("classes", "label"), ("delimiter", "label_column")):
            if getattr(self, key) is not None and getattr(self, owner) is None:
                raise ValueError(f"'{key}' goes with '{owner}'")
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError("'classes' needs two classes or more")
        if self.ignore_values and self.class_column is None:
            raise ValueError("'ignore_values' goes with 'label_column' or 'label'")
        return self

    @model_validator(mode="after")
    def _names_are_distinct(self) -> DataConfig:
        names = self.label_names or ()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"'{twice[0]}' is named twice in {'labels' if self.labels else 'classes'}")
        both = sorted(set(names) & set(self.ignore_values))
        if both:
            raise ValueError(f"'{both[0]}' is both a label and in ignore_values")
        columns = [self.class_column] if self.class_column else names
        if self.text in columns:
            raise ValueError(f"column '{self.text}' cannot hold both text and label")
        return self

    @model_validator(mode="after")
    def _values_fit_the_task(self) -> DataConfig:
        if self.class_column is None and str(self.unknown_value) in ("0", "1", "0.0", "1.0"):
            raise ValueError(f"unknown_value cannot be {self.unknown_value}: 0 and 1 are known labels")
        if self.conflicts == "union" and self.task_kind == "single_label":
            raise ValueError("conflicts: union goes with labels; with label, a text has one class")
        return self

    @property
    def task_kind(self) -> TaskKind:
        """What is to be predicted: independent labels, or one class of several."""
        return "single_label" if self.labels is None else "multi_label"

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """The names of labels or classes; None where the classes are only found in the texts."""
        return self.classes if self.labels is None else self.labels

    @property
    def class_column(self) -> str | None:
        """The column that names labels or classes; None where each label has a column of its own."""
        return self.label if self.labels is None else self.label_column

    def content_files(self, base_folder: Path) -> Mapping[str, Path]:
        """Return the files that enter the fingerprint by content, named by split and format.

        Raises:
            DataError: a file or package is missing.
        """
        found = self.source.resolve(base_folder)
        if self.transfer is not None and (path := self.transfer.resolve(base_folder).get("train")):
            found = {**found, "transfer": path}
        return {f"{name}{format_of(path)}": path for name, path in found.items()}

    def fingerprint_part(self) -> Mapping[str, Any]:
        """Return what enters fingerprints beside the files' content: every knob, but no path."""
        part = self.model_dump(mode="json", exclude={"source", "transfer"})
        transfer = None if self.transfer is None else self.transfer.pinned()
        return {**part, "source": self.source.pinned(), "transfer": transfer}
