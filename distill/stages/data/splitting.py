"""Divides texts so that every label keeps its share: missing splits are cut, and limits are kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from distill.config.data import CutConfig, DataConfig
from distill.contracts import Task
from distill.errors import DataError
from distill.stages.data.labels import Labels
from distill.stages.data.rows import Rows

RowNumbers = npt.NDArray[np.int64]


def cut_missing(splits: dict[str, Rows], config: CutConfig) -> dict[str, Rows]:
    """Cut validation and test from train where they are not given.

    Raises:
        DataError: there are too few texts for it.
    """
    whole = len(splits["train"])
    result = dict(splits)
    for name, share in (("test", config.test), ("validation", config.validation)):
        if name not in splits:
            train = result["train"]
            size = round(share * whole)
            if not 0 < size < len(train):
                raise DataError(f"{whole} texts of train are too few to cut {name} from them (share {share})")
            picked, rest = pick_stratified(train.labels, size, config.seed)
            result |= {name: train.take(picked), "train": train.take(rest)}
    return result


def keep_limits(splits: dict[str, Rows], config: DataConfig, task: Task) -> dict[str, Rows]:
    """Cut each split to its limit; what train has too much becomes the transfer set where there is none.

    Raises:
        DataError: a transfer set is to come from train, but train has no limit.
    """
    limits, seed = config.limits, config.splits.seed
    result = dict(splits)
    for name in ("validation", "test"):
        result[name], _ = _limited(splits[name], getattr(limits, name), seed)
    result["train"], left_over = _limited(splits["train"], limits.train, seed)
    if len(splits["transfer"]) == 0 and limits.transfer is not None:
        if limits.train is None:
            raise DataError("data.limits.transfer takes what limits.train leaves over; set limits.train too")
        result["transfer"] = left_over.without_labels(task)
    result["transfer"] = _sampled(result["transfer"], limits.transfer, seed)
    return result


def pick_stratified(labels: Labels, size: int, seed: int) -> tuple[RowNumbers, RowNumbers]:
    """Pick exactly `size` rows so that every label keeps its share; return them and the rest, both ascending.

    Multi-label: iterative stratification (Sechidis et al. 2011). Single-label: by class; a class with one
    text stays in the rest, and where a part is too small to hold every class, rows are picked at random.
    """
    picked = _iteratively(labels, size, seed) if labels.ndim == 2 else _by_class(labels, size, seed)
    return _exactly(size, picked, len(labels), np.random.default_rng(seed))


def _iteratively(labels: Labels, size: int, seed: int) -> RowNumbers:
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

    positive = np.equal(labels, 1)
    # a text without any label is a kind of its own, whose share is kept too
    kinds = np.column_stack([positive, ~positive.any(axis=1)])
    cut = MultilabelStratifiedShuffleSplit(
        n_splits=1, train_size=len(labels) - size, test_size=size, random_state=seed
    )
    _, picked = next(cut.split(np.zeros(len(labels)), kinds))
    return np.asarray(picked, dtype=np.int64)


def _by_class(labels: Labels, size: int, seed: int) -> RowNumbers:
    from sklearn.model_selection import StratifiedShuffleSplit

    classes, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[place] > 1)
    if not len(classes) <= size <= len(several) - len(classes):
        return np.arange(0)
    cut = StratifiedShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    _, picked = next(cut.split(several, labels[several]))
    return np.asarray(several[picked], dtype=np.int64)


def _exactly(
    size: int, picked: RowNumbers, rows: int, generator: np.random.Generator
) -> tuple[RowNumbers, RowNumbers]:
    """Move random rows until the size is right: iterative stratification prefers shares to sizes."""
    picked = np.sort(generator.permutation(picked)[:size])
    rest = np.setdiff1d(np.arange(rows), picked)
    moved = generator.permutation(rest)[: size - len(picked)]
    return np.union1d(picked, moved), np.setdiff1d(rest, moved)


def _limited(rows: Rows, limit: int | None, seed: int) -> tuple[Rows, Rows]:
    """Return what stays, and what is too much."""
    if limit is None or len(rows) <= limit:
        return rows, rows.take(np.arange(0))
    too_much, stays = pick_stratified(rows.labels, len(rows) - limit, seed)
    return rows.take(stays), rows.take(too_much)


def _sampled(rows: Rows, limit: int | None, seed: int) -> Rows:
    if limit is None or len(rows) <= limit:
        return rows
    chosen = np.random.default_rng(seed).permutation(len(rows))[:limit]
    return rows.take(np.sort(chosen))
