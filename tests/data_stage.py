"""Runs the data stage on files that a test writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.config.data import DataConfig
from distill.contracts import Workbench
from distill.corpus import Corpus
from distill.stages.data import prepare


class SilentProgress:
    def stage(self, stage, name, *, cached): ...

    def advance(self, done, total, note=""): ...

    def note(self, text): ...


@dataclass(frozen=True)
class Prepared:
    corpus: Corpus
    report: dict[str, Any]


def prepared(folder: Path, files: dict[str, str | bytes], **config: Any) -> Prepared:
    """Write files into `folder`, prepare them as `config` says, and read the result back.

    Unless told otherwise, the folder is the source, and texts are in the column `text`.
    """
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    result = folder / "result"
    result.mkdir()
    settings = {"source": {"files": "."}, "text": "text", **config}
    bench = Workbench(result=result, scratch=folder, log=None, progress=SilentProgress())
    prepare(DataConfig.model_validate(settings), folder, bench)
    return Prepared(Corpus.load(result), json.loads((result / "report.json").read_text(encoding="utf-8")))


SMALL = {
    "validation.csv": "text,a,b\nvalidation text,1,0\n",
    "test.csv": "text,a,b\ntest text,0,1\n",
}
"""Validation and test for tests that are about train, with the labels a and b."""
