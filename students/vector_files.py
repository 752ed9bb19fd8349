"""Word vectors from a file, cut down to what the texts need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from distill.errors import DataError
from students.facebook_bin import FacebookModel
from students.ngrams import Ngrams
from students.text_vectors import read_text_vectors
from students.word_vectors import WordVectors
from students.words import count_words, frequent_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from distill.contracts import BuildContext
    from students.embedding_configs import FileEmbeddings
    from students.words import WordSplitter


def read_vectors(config: FileEmbeddings, context: BuildContext, splitter: WordSplitter) -> WordVectors:
    """Read the rows that `context.texts` need: their words, and of a `.bin` their words' n-grams.

    Raises:
        DataError: the file is missing, cannot be read, or knows none of the words.
    """
    path = config.file(context.base_folder)
    if not path.is_file():
        raise DataError(f"embeddings.path: no file {path}")
    if path.name.endswith(".bin.gz"):
        raise DataError(f"{path}: unpack it first (gunzip), so that it can be read in place")
    words = frequent_words(count_words(context.texts, splitter))
    found = (_from_bin if path.suffix == ".bin" else _from_text)(config, path, words)
    if not found.words:
        raise DataError(
            f"{path}: holds none of the {len(words)} words of the training texts; "
            "is it of another language, or written in capitals?"
        )
    return found


def _from_bin(config: FileEmbeddings, path: Path, words: Sequence[str]) -> WordVectors:
    model = FacebookModel.open(path, words)
    known = tuple(word for word in words if word in model.rows)[: config.vocabulary_size]
    # a word without any n-gram is the origin, as in fastText
    unknown = np.zeros(model.matrix.shape[1], dtype=np.float32)
    vectors = [model.word_vector(word) for word in known]
    if not model.max_n:
        return WordVectors(known, None, _table(unknown, vectors))
    ngrams = Ngrams.of_words(
        words, min_n=model.min_n, max_n=model.max_n, buckets=model.buckets, at_most=config.max_ngrams
    )
    rows = model.matrix[model.num_words + np.array(ngrams.kept, dtype=np.int64)]
    return WordVectors(known, ngrams, _table(unknown, [*vectors, *rows]))


def _from_text(config: FileEmbeddings, path: Path, words: Sequence[str]) -> WordVectors:
    found = read_text_vectors(path, words)
    known = tuple(word for word in words if word in found)[: config.vocabulary_size]
    vectors = [found[word] for word in known]
    # there are no n-grams to tell unknown words apart: they all become the mean of the known ones
    unknown = np.stack(vectors or [np.zeros(1, dtype=np.float32)]).mean(axis=0, dtype=np.float32)
    return WordVectors(known, None, _table(unknown, vectors))


def _table(
    unknown: npt.NDArray[np.float32], vectors: Sequence[npt.NDArray[np.float32]]
) -> npt.NDArray[np.float32]:
    """Stack padding, the unknown row and the others: float32 [2 + vectors, dimension]."""
    first = [np.zeros_like(unknown), unknown]
    return np.stack([*first, *vectors]).astype(np.float32)
