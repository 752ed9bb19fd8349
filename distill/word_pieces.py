"""A vocabulary of word pieces that is the same in every process.

The trainer of Hugging Face `tokenizers` for WordPiece numbers the pieces that continue a word in the order in which
a randomly seeded hash map yields the words, and equal counts are then decided by those numbers: two processes learn
different vocabularies from the same texts. Its BPE trainer without a prefix sorts its alphabet and has no such freedom.
So a character inside a word is written as another character of its own, BPE is trained, and its tokens are read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer as RustTokenizer

CONTINUES = "##"
PRIVATE = 0xF0000
"""Planes 15 and 16 are for private use: they mirror planes 0 and 1, where all but rare ideographs are."""


def learn_word_pieces(
    splitter: RustTokenizer,
    texts: Iterable[str],
    *,
    vocabulary_size: int,
    min_frequency: int,
    special: Sequence[str],
) -> dict[str, int]:
    """Return piece -> id for a WordPiece model; the special tokens come first.

    Args:
        splitter: its normaliser and pre-tokenizer say what a word is.
        texts: what is learnt from.
        vocabulary_size: the most pieces, the special ones included.
        min_frequency: how often two pieces stand side by side at least, to become one.
        special: tokens that are no piece of a word.
    """
    from tokenizers import Tokenizer as RustTokenizer
    from tokenizers import models, pre_tokenizers, trainers

    learner = RustTokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=min_frequency,
        special_tokens=list(special),
        show_progress=False,
    )
    learner.train_from_iterator((_marked(splitter, text) for text in texts), trainer)
    tokens = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    return {(token if token in special else _unmarked(token)): i for i, (token, _) in enumerate(tokens)}


def _marked(splitter: RustTokenizer, text: str) -> str:
    """Return the words of a text with every character but the first of each moved to its private place."""
    words = splitter.pre_tokenizer.pre_tokenize_str(splitter.normalizer.normalize_str(text))
    return " ".join(
        word[0] + "".join(chr(ord(c) + PRIVATE) for c in word[1:])
        for word, _ in words
        if max(map(ord, word)) < 0x20000
    )


def _unmarked(token: str) -> str:
    plain = "".join(chr(ord(c) - PRIVATE) if ord(c) >= PRIVATE else c for c in token)
    return plain if ord(token[0]) < PRIVATE else CONTINUES + plain
