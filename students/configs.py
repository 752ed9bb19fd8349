"""The catalogue of students: every knob with its meaning. Free of torch; networks are imported when built."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from distill.config.base import StudentConfig
from distill.config.pretrained import PretrainedModelConfig
from distill.contracts import BuildContext, Task, TextClassifier, Tokenizer
from students.embedding_configs import Embeddings, FastTextEmbeddings, FileEmbeddings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from distill.tokenizer import FastTokenizer
    from students.embeddings import WordEmbedding
    from students.subwords import SubwordTokenizer
    from students.word_vectors import WordVectors
    from students.words import WordSplitter


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
        return self._tokenizer(self._word_vectors(context))

    def build(self, context: BuildContext) -> TextClassifier:
        """Return the classifier, its word vectors filled in."""
        from students.embeddings import fill_vectors

        vectors = self._word_vectors(context)
        tokenizer = self._tokenizer(vectors)
        network = self.make_network(tokenizer, context.task)
        fill_vectors(network, vectors.values)
        return TextClassifier(tokenizer, network)

    def load_tokenizer(self, folder: Path) -> SubwordTokenizer:
        """Read the tokenizer, without torch and gensim."""
        from students.subwords import SubwordTokenizer

        return SubwordTokenizer.load(folder)

    def content_files(self, base_folder: Path) -> Mapping[str, Path]:
        """Return the file of word vectors, if there is one."""
        found = self.embeddings
        return {"embeddings": found.file(base_folder)} if isinstance(found, FileEmbeddings) else {}

    def pinned(self) -> Mapping[str, Any]:
        """Return all knobs but for the path of word vectors, which count by content."""
        return self.model_dump(mode="json", exclude={"training": True, "embeddings": {"path"}})

    def portable(self) -> Mapping[str, Any]:
        """Return all knobs but `training`; of the file of word vectors its name."""
        found = dict(super().portable())
        if isinstance(self.embeddings, FileEmbeddings):
            found["embeddings"] |= {"path": Path(self.embeddings.path).name}
        return found

    def _splitter(self) -> WordSplitter:
        from students.words import WordSplitter

        return WordSplitter(lowercase=self.lowercase)

    def _word_vectors(self, context: BuildContext) -> WordVectors:
        return self.embeddings.word_vectors(context, self._splitter())

    def _tokenizer(self, vectors: WordVectors) -> SubwordTokenizer:
        from students.subwords import SubwordTokenizer

        return SubwordTokenizer(
            self._splitter(),
            vectors.words,
            vectors.ngrams,
            dimension=vectors.values.shape[1],
            max_length=self.max_length,
            max_subwords=self.embeddings.max_subwords,
        )

    def _embedding_layer(self, tokenizer: Tokenizer) -> WordEmbedding:
        from students.embeddings import WordEmbedding

        return WordEmbedding.for_tokenizer(cast("SubwordTokenizer", tokenizer), freeze=self.embeddings.freeze)


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

        words = self._embedding_layer(tokenizer)
        return MeanEmbedding(words, self.hidden_size, task.num_labels, self.dropout)


COPIED_KNOBS = ("hidden_size", "num_heads", "intermediate_size", "vocabulary_size")
"""What copied layers bring with them."""
RANDOM_START = {
    "num_layers": 2,
    "hidden_size": 128,
    "num_heads": 2,
    "vocabulary_size": 8000,
    "max_length": 128,
}
"""The tiny BERT of Turc et al. (2019), with a vocabulary of its own."""


class TransformerStudentConfig(PretrainedModelConfig, StudentConfig):
    """A small BERT from scratch, or some layers of a larger model, picked evenly."""

    kind: Literal["transformer"] = "transformer"
    """A transformer encoder."""
    initialise_from: Literal["random", "pretrained", "fine_tuned"] = "random"
    """`random` learns tokens and weights from the texts; `pretrained` keeps layers of `weights`; `fine_tuned`
    keeps layers and head of the trained teacher (the half-depth recipe of Sanh et al. 2019)."""
    num_layers: int | None = Field(None, ge=1)
    """Layers; null is 2 for random, all of pretrained weights, half of a fine-tuned teacher's."""
    hidden_size: int | None = Field(None, ge=1)
    """The length of a token's vector; random only, where null is 128."""
    num_heads: int | None = Field(None, ge=1)
    """Attention heads, a divisor of `hidden_size`; random only, where null is 2."""
    intermediate_size: int | None = Field(None, ge=1)
    """The width of the layer within a layer; random only, where null is four times `hidden_size`."""
    vocabulary_size: int | None = Field(None, ge=8)
    """The most word pieces, learnt from train and transfer set; random only, where null is 8000."""
    max_length: int | None = Field(None, ge=3)
    """Tokens of a text that are read, special ones included; null is 128, or a fine-tuned teacher's."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """Share of values that are dropped in training."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, found: Any) -> Any:
        """Write down what null means, so that fingerprints hold it and a saved config reads back the same."""
        if not isinstance(found, dict):
            return found
        named = {key: value for key, value in found.items() if value is not None}
        match named.get("initialise_from", "random"):
            case "random":
                size = named.get("hidden_size", RANDOM_START["hidden_size"])
                wide = {"intermediate_size": 4 * size} if isinstance(size, int) else {}
                return RANDOM_START | wide | named
            case "pretrained":
                return {"max_length": RANDOM_START["max_length"]} | named
            case _:
                return named

    @model_validator(mode="after")
    def _knobs_fit_the_start(self) -> TransformerStudentConfig:
        if (self.weights is not None) != (self.initialise_from == "pretrained"):
            raise ValueError("weights and initialise_from: pretrained belong together; name both or neither")
        copied = {"random": (), "pretrained": COPIED_KNOBS, "fine_tuned": (*COPIED_KNOBS, "max_length")}
        given = [key for key in copied[self.initialise_from] if getattr(self, key) is not None]
        if given:
            raise ValueError(f"{', '.join(given)}: what layers are copied from decides this; leave it out")
        if self.hidden_size and self.num_heads and self.hidden_size % self.num_heads:
            raise ValueError(f"num_heads ({self.num_heads}) must divide hidden_size ({self.hidden_size})")
        return self

    @property
    def needs_teacher(self) -> bool:
        """With `fine_tuned`."""
        return self.initialise_from == "fine_tuned"

    def make_tokenizer(self, context: BuildContext) -> Tokenizer:
        """Return word pieces learnt from `context.texts`."""
        from distill.tokenizer import FastTokenizer

        size, length = cast("int", self.vocabulary_size), cast("int", self.max_length)
        return FastTokenizer.train(context.texts, vocabulary_size=size, max_length=length)

    def make_network(self, tokenizer: Tokenizer, task: Task) -> nn.Module:
        """Return a BERT with random weights."""
        from students.transformer import random_network

        return random_network(self, cast("FastTokenizer", tokenizer), task)

    def build(self, context: BuildContext) -> TextClassifier:
        """Return the classifier as training starts with it.

        Raises:
            ModelError: there are no such weights, or they have too few layers.
        """
        if self.initialise_from == "random":
            return super().build(context)
        from students.transformer import from_teacher, from_weights

        return from_teacher(self, context) if self.needs_teacher else from_weights(self, context)
