"""TF-IDF of words and characters as a tokenizer: which features a text has, and how much each counts."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from distill.contracts import Encoding, TokenStatistics
from distill.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from distill.contracts import Array

WORD = re.compile(r"\b\w\w+\b")
Analyser = Callable[[str, tuple[int, int]], Iterator[str]]


def word_ngrams(text: str, lengths: tuple[int, int]) -> Iterator[str]:
    """Yield lower-case words of two letters and more, and their sequences, as scikit-learn's `word` does."""
    words = WORD.findall(text.lower())
    for length in range(lengths[0], lengths[1] + 1):
        for start in range(len(words) - length + 1):
            yield " ".join(words[start : start + length])


def character_ngrams(text: str, lengths: tuple[int, int]) -> Iterator[str]:
    """Yield lower-case character n-grams of each word with spaces around, like scikit-learn's `char_wb`."""
    for word in text.lower().split():
        padded = f" {word} "
        for length in range(lengths[0], lengths[1] + 1):
            if length >= len(padded):
                yield padded  # once, and no longer n-gram repeats it
                break
            for start in range(len(padded) - length + 1):
                yield padded[start : start + length]


ANALYSERS: Mapping[str, Analyser] = {"words": word_ngrams, "characters": character_ngrams}


@dataclass(frozen=True)
class Vectoriser:
    """One kind of feature: a vocabulary with inverse document frequencies, each text's vector of length 1.

    The figures are those of scikit-learn's `TfidfVectorizer(sublinear_tf=True)`, for one text much quicker.
    """

    analyser: str
    """A key of `ANALYSERS`."""
    lengths: tuple[int, int]
    vocabulary: Mapping[str, int]
    """Feature -> its number, in order from 0."""
    idf: Array

    @classmethod
    def fit(
        cls,
        analyser: str,
        lengths: tuple[int, int],
        texts: Sequence[str],
        min_texts: int,
        max_features: int | None,
    ) -> Vectoriser:
        """Count the features of texts.

        Args:
            analyser: a key of `ANALYSERS`.
            lengths: the shortest and the longest n-gram.
            texts: the texts to learn from.
            min_texts: a feature that occurs in fewer texts is left out.
            max_features: keep only so many, those first that occur most often.
        """
        in_texts: Counter[str] = Counter()
        in_all: Counter[str] = Counter()
        for text in texts:
            found = Counter(ANALYSERS[analyser](text, lengths))
            in_texts.update(found.keys())
            in_all.update(found)
        kept = [name for name, count in in_texts.items() if count >= min_texts]
        kept = sorted(sorted(kept, key=lambda name: (-in_all[name], name))[:max_features])
        idf = [math.log((1 + len(texts)) / (1 + in_texts[name])) + 1 for name in kept]
        return cls(analyser, lengths, {name: number for number, name in enumerate(kept)}, np.array(idf))

    def features(self, text: str) -> tuple[list[int], Array]:
        """Return the numbers of a text's features, and (1 + log count) * idf of each, L2-normalised."""
        found = Counter(ANALYSERS[self.analyser](text, self.lengths))
        counts = [(self.vocabulary[name], n) for name, n in found.items() if name in self.vocabulary]
        numbers = [number for number, _ in counts]
        weights = np.array([1.0 + math.log(n) for _, n in counts]) * self.idf[numbers]
        length = math.sqrt(float(weights @ weights)) or 1.0
        return numbers, weights / length


class TfidfTokenizer:
    """Gives `ids` int64 [features] and `weights` float32 [features]: a text's TF-IDF but for zeros."""

    FILE, IDF = "tfidf.json", "idf.safetensors"
    input_names = ("ids", "weights")
    pad_values: Mapping[str, float] = {}
    """Weight 0 pads, whatever the id."""

    def __init__(self, vectorisers: Sequence[Vectoriser]) -> None:
        self.vectorisers = tuple(vectorisers)

    @property
    def num_features(self) -> int:
        """The number of feature ids; those of the second vectoriser follow those of the first."""
        return sum(len(vectoriser.vocabulary) for vectoriser in self.vectorisers)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return each text's features; one without any gets feature 0 at weight 0."""
        return [self._encode(text) for text in texts]

    def _encode(self, text: str) -> Encoding:
        ids: list[int] = []
        weights: list[Array] = []
        offset = 0
        for vectoriser in self.vectorisers:
            numbers, values = vectoriser.features(text)
            ids += [offset + number for number in numbers]
            weights.append(values)
            offset += len(vectoriser.vocabulary)
        if not ids:
            return {"ids": np.zeros(1, np.int64), "weights": np.zeros(1, np.float32)}
        return {"ids": np.array(ids, np.int64), "weights": np.concatenate(weights).astype(np.float32)}

    def statistics(self, texts: Sequence[str]) -> TokenStatistics:
        """Count words, and those that are no feature of their own; no text is ever cut."""
        vocabulary = self.vectorisers[0].vocabulary
        words = [word for text in texts for word in word_ngrams(text, (1, 1))]
        return TokenStatistics(len(texts), len(words), sum(word not in vocabulary for word in words), 0)

    def save(self, folder: Path) -> None:
        """Write the vocabularies as JSON and the frequencies as safetensors."""
        from safetensors.numpy import save

        described = [
            {"analyser": v.analyser, "lengths": v.lengths, "features": list(v.vocabulary)}
            for v in self.vectorisers
        ]
        (folder / self.FILE).write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")
        (folder / self.IDF).write_bytes(save({v.analyser: v.idf for v in self.vectorisers}))

    @classmethod
    def load(cls, folder: Path) -> TfidfTokenizer:
        """Read what `save` wrote.

        Raises:
            ModelError: a file is missing or damaged.
        """
        from safetensors.numpy import load_file

        try:
            described = json.loads((folder / cls.FILE).read_text(encoding="utf-8"))
            idf = load_file(folder / cls.IDF)
            return cls(
                [
                    Vectoriser(
                        found["analyser"],
                        (found["lengths"][0], found["lengths"][1]),
                        {name: number for number, name in enumerate(found["features"])},
                        idf[found["analyser"]],
                    )
                    for found in described
                ]
            )
        except Exception as error:  # safetensors has exceptions of its own
            raise ModelError(f"{folder}: no usable TF-IDF features ({error})") from error
