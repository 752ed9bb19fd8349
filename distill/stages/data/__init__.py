"""The data stage: read -> label -> clean -> cut -> keep apart -> limit -> save.

sources, tables, hub   where texts come from
labels, cleaning       what a row says
splitting, overlap     which split a row belongs to
rows, report           ids, and what happened on the way
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.config.data import DataConfig
from distill.contracts import Task, Workbench
from distill.stages.data.cleaning import read_texts
from distill.stages.data.labels import find_task, no_labels, read_labels
from distill.stages.data.overlap import keep_apart
from distill.stages.data.report import check_corpus, write_report
from distill.stages.data.rows import Rows, make_corpus
from distill.stages.data.sources import read_sources
from distill.stages.data.splitting import cut_missing, keep_limits
from distill.stages.data.tables import Table

__all__ = ["prepare"]


def prepare(config: DataConfig, base_folder: Path, bench: Workbench) -> None:
    """Write the corpus and `report.json` into `bench.result`.

    A test split that is given stays as it is, but for cleaning; only `limits.test` makes it smaller.

    Raises:
        DataError: texts or labels cannot be used as they are; the message names file and line.
    """
    raw = read_sources(config, base_folder)
    task = find_task(config, raw.tables["train"])
    read = {}
    for done, (name, table) in enumerate(raw.tables.items()):
        bench.progress.advance(done, len(raw.tables), f"reading and cleaning {name}")
        read[name] = _read_rows(table, config, task, labelled=name != "transfer")
    bench.progress.advance(len(read), len(read), "keeping splits apart")
    filled = {name: _without_empty(rows) for name, rows in read.items()}
    cut = cut_missing({"transfer": Rows((), no_labels(0, task)), **filled}, config.splits)
    apart, overlap = keep_apart(cut, config)
    corpus = make_corpus(keep_limits(apart, config, task), task)
    check_corpus(corpus, config)
    corpus.save(bench.result)
    write_report(
        bench.result,
        corpus,
        licence=raw.licence,
        read=read,
        filled=filled,
        cut=cut,
        overlap=overlap,
        config=config,
    )


def _read_rows(table: Table, config: DataConfig, task: Task, *, labelled: bool) -> Rows:
    texts = read_texts(table, config)
    return Rows(texts, read_labels(table, config, task) if labelled else no_labels(len(texts), task))


def _without_empty(rows: Rows) -> Rows:
    return rows.take(np.array([bool(text) for text in rows.texts], dtype=np.bool_))
