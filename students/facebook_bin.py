"""Reads fastText's binary models in place: the published ones hold two million words and weigh 7 GB."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distill.errors import DataError
from students.ngrams import ngram_hashes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy.typing as npt

MAGIC = 793712314
HEADER = struct.Struct("<14id3i2q")
"""Magic, version, twelve settings, sampling threshold; counts of entries, words, labels, tokens, pruned."""
AFTER_WORD = 9
"""Bytes between a word's final zero and the next word: its count, and whether it is a label."""
MATRIX = struct.Struct("<?2q")
"""Whether the matrix is compressed, its rows and columns."""


@dataclass(frozen=True)
class FacebookModel:
    """A `.bin` model whose matrix stays on disk."""

    rows: Mapping[str, int]
    """The rows of the words that were asked for."""
    num_words: int
    """Words of the model; the rows of n-grams come after them."""
    min_n: int
    max_n: int
    """The lengths of n-grams; `max_n` is 0 where the model has none."""
    buckets: int
    matrix: npt.NDArray[np.float32]
    """Float32 [words + buckets, dimension], mapped."""

    def word_vector(self, word: str) -> npt.NDArray[np.float32]:
        """Return a known word's vector: the mean of its own row and its n-grams' rows."""
        rows = [self.rows[word]]
        if self.max_n:
            hashes = ngram_hashes(word, self.min_n, self.max_n)
            rows += [self.num_words + value % self.buckets for _, value in hashes]
        vector: npt.NDArray[np.float32] = self.matrix[rows].mean(axis=0, dtype=np.float32)
        return vector

    @classmethod
    def open(cls, path: Path, words: Collection[str]) -> FacebookModel:
        """Map the file and find these words in it.

        Raises:
            DataError: not a fastText model of words, or cut short.
        """
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return cls._parse(path, content, words)
        except (struct.error, ValueError) as error:
            raise DataError(f"{path}: not a fastText .bin model of words, or cut short ({error})") from error

    @classmethod
    def _parse(cls, path: Path, content: mmap.mmap, words: Collection[str]) -> FacebookModel:
        magic, _, dimension, *settings = HEADER.unpack_from(content)
        buckets, min_n, max_n = settings[7:10]
        entries, num_words, num_labels = settings[12:15]
        if magic != MAGIC:
            raise ValueError("it does not begin with fastText's mark")
        if num_labels:
            raise ValueError("it is a classifier with labels")
        rows, place = _find_words(content, entries, words)
        compressed, num_rows, columns = MATRIX.unpack_from(content, place)
        if compressed or columns != dimension or num_rows != num_words + buckets:
            raise ValueError("its matrix is compressed or of another shape than its settings")
        offset = place + MATRIX.size
        matrix = np.memmap(path, dtype="<f4", mode="r", offset=offset, shape=(num_rows, columns))
        return cls(rows, num_words, min_n, max_n, buckets, matrix)


def _find_words(content: mmap.mmap, entries: int, words: Collection[str]) -> tuple[dict[str, int], int]:
    """Return the rows of these words, and where the list of words ends."""
    wanted = {word.encode(): word for word in words}
    rows: dict[str, int] = {}
    place = HEADER.size
    for row in range(entries):
        end = content.find(b"\0", place)
        if end < 0:
            raise ValueError("its list of words does not end")
        if (name := content[place:end]) in wanted:
            rows[wanted[name]] = row
        place = end + 1 + AFTER_WORD
    return rows, place
