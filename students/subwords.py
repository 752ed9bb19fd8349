"""The tokenizer of students over word vectors: known words are one row, unknown words several n-gram rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer as RustTokenizer

from distill.contracts import Encoding, TokenStatistics
from distill.errors import ModelError
from students.ngrams import Ngrams
from students.words import FIRST_WORD, UNKNOWN, WordSplitter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NO_SUBWORDS = "the vectors have no subwords: unknown words fall back to one `unk` vector"
"""What coverage and model card say of students over `.vec` files and the like."""
MAX_REMEMBERED = 100_000
"""Unknown words whose rows are remembered; bounded, for a student may serve for months."""


class SubwordTokenizer:
    """Gives `ids`, int64 of shape [words, rows]: which rows of the vector table make up each word.

    A known word has one row, an unknown word the rows of its character n-grams, or the unknown row where it
    has none; the rest is 0. A word whose ids are all 0 is padding. The rows are, in this order: padding,
    unknown, the words, the n-grams.
    """

    FILE, SETTINGS = "tokenizer.json", "subwords.json"
    input_names = ("ids",)

    def __init__(
        self,
        splitter: WordSplitter,
        words: Sequence[str],
        ngrams: Ngrams | None,
        *,
        dimension: int,
        max_length: int,
        max_subwords: int,
    ) -> None:
        self.splitter = splitter
        self.words = tuple(words)
        self.ngrams = ngrams
        self.dimension = dimension
        self.max_length = max_length
        self.max_subwords = max_subwords
        self._known = {word: (row,) for row, word in enumerate(self.words, start=FIRST_WORD)}
        self._remembered: dict[str, tuple[int, ...]] = {}

    @property
    def num_rows(self) -> int:
        """Rows of the table of vectors, padding and unknown included."""
        return FIRST_WORD + len(self.words) + (len(self.ngrams.kept) if self.ngrams else 0)

    @property
    def has_subwords(self) -> bool:
        """Whether unknown words get a vector of their own; if not, they all share one."""
        return self.ngrams is not None

    @property
    def pad_values(self) -> Mapping[str, float]:
        """Padding is row 0."""
        return {}

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the rows of each text's first `max_length` words; without words it is one unknown word."""
        return [{"ids": self._ids(self.splitter.split(text)[: self.max_length])} for text in texts]

    def _ids(self, words: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
        rows = [self._known.get(word) or self._rows_of_unknown(word) for word in words] or [(UNKNOWN,)]
        widest = max(map(len, rows))
        if widest > 1:
            rows = [row + (0,) * (widest - len(row)) for row in rows]
        return np.array(rows, dtype=np.int64)

    def _rows_of_unknown(self, word: str) -> tuple[int, ...]:
        rows = self._remembered.get(word)
        if rows is None:
            first = FIRST_WORD + len(self.words)
            places = self.ngrams.places(word, self.max_subwords) if self.ngrams else []
            rows = tuple(first + place for place in places) or (UNKNOWN,)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[word] = rows
        return rows

    def statistics(self, texts: Sequence[str]) -> TokenStatistics:
        """Count words before truncation, those without a row of their own, and truncated texts."""
        split = [self.splitter.split(text) for text in texts]
        return TokenStatistics(
            texts=len(split),
            tokens=sum(map(len, split)),
            unknown_tokens=sum(word not in self._known for words in split for word in words),
            truncated_texts=sum(len(words) > self.max_length for words in split),
            note="" if self.has_subwords else NO_SUBWORDS,
        )

    def save(self, folder: Path) -> None:
        """Write the words as `tokenizer.json`, everything else as `subwords.json`."""
        self.splitter.as_tokenizer(self.words).save(str(folder / self.FILE))
        settings = {
            "dimension": self.dimension,
            "max_length": self.max_length,
            "max_subwords": self.max_subwords,
            "lowercase": self.splitter.lowercase,
            "ngrams": asdict(self.ngrams) if self.ngrams else None,
        }
        (folder / self.SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> SubwordTokenizer:
        """Read what `save` wrote.

        Raises:
            ModelError: a file is missing or damaged.
        """
        try:
            settings = json.loads((folder / cls.SETTINGS).read_text(encoding="utf-8"))
            vocabulary = RustTokenizer.from_file(str(folder / cls.FILE)).get_vocab()
            words = sorted(vocabulary, key=vocabulary.__getitem__)[FIRST_WORD:]
            splitter = WordSplitter(lowercase=settings.pop("lowercase"))
            found = settings.pop("ngrams")
            ngrams = Ngrams(**found | {"kept": tuple(found["kept"])}) if found else None
            return cls(splitter, words, ngrams, **settings)
        except Exception as error:  # the Rust side raises plain Exception
            raise ModelError(f"{folder}: no usable tokenizer ({error})") from error
