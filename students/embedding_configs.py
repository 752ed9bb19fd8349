"""Where word vectors come from: every knob with its meaning. Free of torch and gensim."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from distill.config.base import Config

if TYPE_CHECKING:
    from distill.contracts import BuildContext
    from students.word_vectors import WordVectors
    from students.words import WordSplitter


class WordRows(Config):
    """Which words get a vector of their own, and how many character n-grams stand in for any other word."""

    vocabulary_size: int = Field(20_000, ge=1)
    """The most words with a vector of their own, the frequent ones of train and transfer set first."""
    max_subwords: int = Field(40, ge=1)
    """The most character n-grams that make up one unknown word; beyond that the longest are dropped."""
    freeze: bool = False
    """True keeps the vectors as they are; false trains them with the network."""


class CountedRows(WordRows):
    """Words and character n-grams that are counted in train and transfer set."""

    dimension: int = Field(100, ge=1)
    """The length of a word's vector."""
    min_count: int = Field(2, ge=1)
    """A rarer word has no vector of its own: it is what teaches the n-grams to stand in for unseen words."""
    min_n: int = Field(3, ge=1)
    """The shortest character n-gram, counted in `<word>`."""
    max_n: int = Field(5, ge=1)
    """The longest character n-gram."""
    buckets: int = Field(20_000, ge=1, le=2_000_000)
    """N-grams are hashed into so many rows; only rows that occur are kept."""

    @model_validator(mode="after")
    def _lengths_in_order(self) -> CountedRows:
        if self.max_n < self.min_n:
            raise ValueError(f"max_n ({self.max_n}) must not be smaller than min_n ({self.min_n})")
        return self


class FastTextEmbeddings(CountedRows):
    """Skip-gram vectors with subwords, trained on train and transfer set (Bojanowski et al. 2017)."""

    kind: Literal["fasttext"] = "fasttext"
    """Trained here, once for all runs that ask for the same."""
    epochs: int = Field(10, ge=1)
    """Passes over the texts."""
    learning_rate: float = Field(0.05, gt=0)
    """The rate at the start, from where it falls linearly; 0.05 is fastText's own."""
    window: int = Field(5, ge=1)
    """How many words on either side count as context."""

    def word_vectors(self, context: BuildContext, splitter: WordSplitter) -> WordVectors:
        """Train the vectors, or take them from the memo."""
        from students.fasttext import trained_vectors

        return trained_vectors(self, context, splitter)


class FileEmbeddings(WordRows):
    """Vectors from a file: only the rows that train and transfer set need are kept."""

    kind: Literal["file"] = "file"
    """Read from `path`."""
    path: str = Field(min_length=1)
    """fastText's `.bin` (with subwords), or text: `.vec` or `.txt`, also `.gz` (words only). Relative to the
    experiment file."""
    max_ngrams: int = Field(50_000, ge=1)
    """The most n-gram rows to keep of a `.bin`, those that occur most often first."""

    def file(self, base_folder: Path) -> Path:
        """Return where the file is."""
        return base_folder / Path(self.path).expanduser()

    def word_vectors(self, context: BuildContext, splitter: WordSplitter) -> WordVectors:
        """Read the rows that the texts need."""
        from students.vector_files import read_vectors

        return read_vectors(self, context, splitter)


class RandomEmbeddings(CountedRows):
    """Vectors that start at random and are learnt with the network."""

    kind: Literal["random"] = "random"
    """Learnt from scratch."""
    subwords: bool = True
    """False gives every unknown word the same vector instead of its n-grams'."""
    freeze: Literal[False] = False
    """Random vectors are always trained."""

    def word_vectors(self, context: BuildContext, splitter: WordSplitter) -> WordVectors:
        """Draw the vectors."""
        from students.word_vectors import random_vectors

        return random_vectors(self, context, splitter)


Embeddings: TypeAlias = Annotated[
    FastTextEmbeddings | FileEmbeddings | RandomEmbeddings, Field(discriminator="kind")
]
