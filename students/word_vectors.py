"""Words and n-grams with a vector each: what every source of embeddings ends in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from students.ngrams import Ngrams
from students.words import FIRST_WORD, PADDING, WordSplitter, count_words, frequent_words

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    import numpy.typing as npt

    from distill.contracts import BuildContext
    from students.embedding_configs import CountedRows, RandomEmbeddings


@dataclass(frozen=True)
class WordVectors:
    """A table of vectors, float32 [2 + words + n-grams, dimension]: padding, unknown, words, n-grams."""

    words: tuple[str, ...]
    ngrams: Ngrams | None
    values: npt.NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write `vectors.npy` and `words.json`."""
        np.save(folder / "vectors.npy", self.values, allow_pickle=False)
        found = {"words": self.words, "ngrams": asdict(self.ngrams) if self.ngrams else None}
        (folder / "words.json").write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> WordVectors:
        """Read what `save` wrote."""
        found: dict[str, Any] = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        rows = found["ngrams"]
        ngrams = Ngrams(**rows | {"kept": tuple(rows["kept"])}) if rows else None
        return cls(tuple(found["words"]), ngrams, np.load(folder / "vectors.npy", allow_pickle=False))


def counted_rows(config: CountedRows, counts: Counter[str]) -> tuple[tuple[str, ...], Ngrams]:
    """Choose the words that get a row, and keep every n-gram bucket that occurs in any word of the texts."""
    words = frequent_words(counts, at_most=config.vocabulary_size, min_count=config.min_count)
    ngrams = Ngrams.of_words(counts, min_n=config.min_n, max_n=config.max_n, buckets=config.buckets)
    return words, ngrams


def random_vectors(config: RandomEmbeddings, context: BuildContext, splitter: WordSplitter) -> WordVectors:
    """Draw every vector from U[-0.25, 0.25], as Kim (2014) does for words without one."""
    words, ngrams = counted_rows(config, count_words(context.texts, splitter))
    kept = ngrams if config.subwords else None
    rows = FIRST_WORD + len(words) + (len(kept.kept) if kept else 0)
    values = np.random.default_rng(context.seed).uniform(-0.25, 0.25, (rows, config.dimension))
    values[PADDING] = 0
    return WordVectors(words, kept, values.astype(np.float32))
