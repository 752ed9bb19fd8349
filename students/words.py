"""Raw text to words, with Hugging Face `tokenizers`, as all students over word vectors see it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as RustTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PADDING, UNKNOWN = 0, 1
"""The first two rows of every table of word vectors."""
FIRST_WORD = 2
"""The row of the first word."""

WORD = r"\w+(?:['\x{2019}]\w+)*|[^\w\s]\p{M}*"
"""Letters and digits with apostrophes inside ("don't"), or one other sign (an emoji with its variant)."""


class WordSplitter:
    """Normalises a text and cuts it into words and signs."""

    def __init__(self, *, lowercase: bool = True) -> None:
        steps: list[normalizers.Normalizer] = [normalizers.NFC()]
        if lowercase:
            steps.append(normalizers.Lowercase())
        self._normalizer: normalizers.Normalizer = normalizers.Sequence(steps)
        self._pre_tokenizer: pre_tokenizers.PreTokenizer = pre_tokenizers.Split(
            Regex(WORD), behavior="removed", invert=True
        )
        self.lowercase = lowercase

    def split(self, text: str) -> list[str]:
        """Return the words of a text; none where it holds only white space."""
        normal = self._normalizer.normalize_str(text)
        return [word for word, _ in self._pre_tokenizer.pre_tokenize_str(normal)]

    def as_tokenizer(self, words: Sequence[str]) -> RustTokenizer:
        """Return the same pipeline as one saveable tokenizer that gives a word its row."""
        rows = {"[PAD]": PADDING, "[UNK]": UNKNOWN}
        rows.update((word, row) for row, word in enumerate(words, start=FIRST_WORD))
        rust = RustTokenizer(models.WordLevel(rows, unk_token="[UNK]"))  # noqa: S106 (a token, but no secret)
        rust.normalizer = self._normalizer
        rust.pre_tokenizer = self._pre_tokenizer
        return rust


def count_words(texts: Iterable[str], splitter: WordSplitter) -> Counter[str]:
    """Count every word of the texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(splitter.split(text))
    return counts


def frequent_words(
    counts: Counter[str], *, at_most: int | None = None, min_count: int = 1
) -> tuple[str, ...]:
    """Return the words that occur at least `min_count` times, frequent ones first, equals by alphabet."""
    ranked = sorted((-count, word) for word, count in counts.items() if count >= min_count)
    return tuple(word for _, word in ranked[:at_most])
