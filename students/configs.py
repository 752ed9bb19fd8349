"""The catalogue of students: every knob with its meaning. Free of torch; a network is imported when it is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from distill.config.base import Config, StudentConfig
from distill.contracts import BuildContext, Task, TextClassifier, Tokenizer

if TYPE_CHECKING:
    from torch import nn

    from students.embeddings import WordEmbedding
    from students.subwords import SubwordTokenizer
    from students.word_vectors import WordVectors
    from students.words import WordSplitter


class WordRows(Config):
    """Which words get a vector of their own, and how many character n-grams stand in for any other word."""

    vocabulary_size: int = Field(20_000, ge=1)
    """The most words with a vector of their own, the frequent ones of train and transfer set first."""
    max_subwords: int = Field(40, ge=1)
    """The most character n-grams that make up one unknown word; shorter ones count first."""
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
    epochs: int = Field(5, ge=1)
    """Passes over the texts."""
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
    """fastText's `.bin` (with subwords), or text as `.vec`, `.txt` or `.gz` of either (words only); relative to the
    experiment file."""
    max_ngrams: int = Field(50_000, ge=1)
    """The most n-gram rows to keep of a `.bin`, those that occur most often first."""

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


class WordStudentConfig(StudentConfig):
    """What the students over word vectors have in common."""

    embeddings: Embeddings = FastTextEmbeddings()
    """Where word vectors come from: `fasttext`, `file` or `random`."""
    max_length: int = Field(128, ge=1)
    """Words of a text that are read; the rest is cut."""
    lowercase: bool = True
    """Fold case."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Share of values that are dropped in training, of word vectors and before the output layer."""

    def make_tokenizer(self, context: BuildContext) -> Tokenizer:
        """Return the words and n-grams that `embeddings` finds in `context.texts`."""
        return self._word_vectors(context).tokenizer

    def build(self, context: BuildContext) -> TextClassifier:
        """Return the classifier, its word vectors filled in."""
        found = self._word_vectors(context)
        network = self.make_network(found.tokenizer, context.task)
        found.fill(network)
        return TextClassifier(found.tokenizer, network)

    def load_tokenizer(self, folder: Path) -> SubwordTokenizer:
        """Read the tokenizer, without torch and gensim."""
        from students.subwords import SubwordTokenizer

        return SubwordTokenizer.load(folder)

    def content_files(self, base_folder: Path) -> Mapping[str, Path]:
        """Return the file of word vectors, if there is one."""
        match self.embeddings:
            case FileEmbeddings(path=path):
                return {"embeddings": base_folder / Path(path).expanduser()}
            case _:
                return {}

    def pinned(self) -> Mapping[str, Any]:
        """Return all knobs but for the path of word vectors, which count by content."""
        return self.model_dump(mode="json", exclude={"training": True, "embeddings": {"path"}})

    def _word_vectors(self, context: BuildContext) -> WordVectors:
        from students.words import WordSplitter

        return self.embeddings.word_vectors(context, WordSplitter(self.max_length, lowercase=self.lowercase))

    def _embedding_layer(self, tokenizer: Tokenizer) -> WordEmbedding:
        from students.embeddings import WordEmbedding

        return WordEmbedding.for_tokenizer(tokenizer, freeze=self.embeddings.freeze)


class BiLSTMConfig(WordStudentConfig):
    """An LSTM over each text in both directions, pooled by maximum and mean."""

    kind: Literal["bilstm"] = "bilstm"
    """A bidirectional LSTM."""
    hidden_size: int = Field(128, ge=1)
    """The state's size in each direction."""

    def make_network(self, tokenizer: Tokenizer, task: Task) -> nn.Module:
        """Return `students.bilstm.BiLSTM`."""
        from students.bilstm import BiLSTM

        return BiLSTM(self._embedding_layer(tokenizer), self.hidden_size, task.num_labels, self.dropout)


class TextCNNConfig(WordStudentConfig):
    """Convolutions of several widths, each pooled by its maximum over time (Kim 2014)."""

    kind: Literal["textcnn"] = "textcnn"
    """A convolutional network."""
    kernel_sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field((3, 4, 5), min_length=1)
    """How many neighbouring words each kind of filter sees."""
    num_filters: int = Field(100, ge=1)
    """Filters of each width."""

    def make_network(self, tokenizer: Tokenizer, task: Task) -> nn.Module:
        """Return `students.textcnn.TextCNN`."""
        from students.textcnn import TextCNN

        words = self._embedding_layer(tokenizer)
        return TextCNN(words, self.kernel_sizes, self.num_filters, task.num_labels, self.dropout)


class MeanEmbeddingConfig(WordStudentConfig):
    """The mean of a text's word vectors, as fastText's own classifier has it (Joulin et al. 2017)."""

    kind: Literal["mean_embedding"] = "mean_embedding"
    """A bag of word vectors."""
    hidden_size: int | None = Field(None, ge=1)
    """The size of a hidden layer between mean and logits; null has none."""

    def make_network(self, tokenizer: Tokenizer, task: Task) -> nn.Module:
        """Return `students.mean_embedding.MeanEmbedding`."""
        from students.mean_embedding import MeanEmbedding

        return MeanEmbedding(self._embedding_layer(tokenizer), self.hidden_size, task.num_labels, self.dropout)
