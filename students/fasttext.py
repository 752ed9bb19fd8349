"""fastText's skip-gram with subwords, trained on what a student may read; bit-identical when repeated."""

from __future__ import annotations

import zlib
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from distill.errors import DataError
from students.word_vectors import WordVectors, counted_rows
from students.words import FIRST_WORD, WORD, count_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from distill.contracts import BuildContext
    from students.embedding_configs import FastTextEmbeddings
    from students.words import WordSplitter

SEED = 0
"""One seed for all runs: they share the vectors, which are an input of training like the texts."""


def trained_vectors(config: FastTextEmbeddings, context: BuildContext, splitter: WordSplitter) -> WordVectors:
    """Train word vectors on `context.texts`, or take those that an earlier run has trained.

    Raises:
        DataError: no word is frequent enough.
    """
    settings = config.model_dump(mode="json", exclude={"freeze", "max_subwords"}) | {
        "lowercase": splitter.lowercase,
        "word": WORD,
        "seed": SEED,
        "gensim": version("gensim"),
    }

    def produce(folder: Path) -> None:
        train(config, context.texts, splitter).save(folder)

    return WordVectors.load(context.memo("fasttext", settings, produce))


def train(config: FastTextEmbeddings, texts: Sequence[str], splitter: WordSplitter) -> WordVectors:
    """Train skip-gram with negative sampling (Bojanowski et al. 2017).

    A word's row is the mean of its own vector and its n-grams'; the unknown row, for words without any, is
    the origin, as in fastText. One worker, because the order of updates decides the result; words are ranked
    here rather than by gensim, whose sorting leaves the order of equals to the processor.
    """
    from gensim.models import FastText

    counts = count_words(texts, splitter)
    words, ngrams = counted_rows(config, counts)
    if not words:
        raise DataError(
            f"embeddings.min_count: no word of the training texts occurs {config.min_count} times; lower it"
        )
    model = FastText(
        sg=1,
        vector_size=config.dimension,
        alpha=config.learning_rate,
        window=config.window,
        min_count=1,
        min_n=config.min_n,
        max_n=config.max_n,
        bucket=config.buckets,
        workers=1,
        seed=SEED,
        hashfxn=_stable_hash,
        sorted_vocab=0,
    )
    model.build_vocab_from_freq({word: counts[word] for word in words}, corpus_count=len(texts))
    sentences = [splitter.split(text) for text in texts]
    model.train(sentences, total_examples=len(sentences), epochs=config.epochs)
    first_rows = np.zeros((FIRST_WORD, config.dimension), dtype=np.float32)
    values = np.concatenate([first_rows, model.wv.vectors, model.wv.vectors_ngrams[list(ngrams.kept)]])
    return WordVectors(words, ngrams, values)


def _stable_hash(text: str) -> int:
    """Stand in for Python's own hash, which differs from process to process."""
    return zlib.crc32(text.encode())
