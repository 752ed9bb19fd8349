"""Character n-grams of words and their rows, as fastText hashes them (Bojanowski et al. 2017)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

FNV_OFFSET, FNV_PRIME, UINT32 = 2166136261, 16777619, 0xFFFFFFFF

# fastText xors with a *signed* char, so that a byte above 127 also flips the upper 24 bits
SIGNED = tuple(byte if byte < 128 else byte | 0xFFFFFF00 for byte in range(256))


def ngram_hashes(word: str, min_n: int, max_n: int) -> list[tuple[int, int]]:
    """Return (length, hash) of every n-gram of `<word>`, by place and then by length.

    The hash is 32-bit FNV-1a over UTF-8 bytes taken as signed chars, as in fastText's `Dictionary::hash`. A
    single character counts only inside the word: `<` and `>` alone say nothing.
    """
    characters = [[SIGNED[byte] for byte in character.encode()] for character in f"<{word}>"]
    last = len(characters) - 1
    found = []
    for start in range(len(characters)):
        value = FNV_OFFSET
        for stop in range(start, min(start + max_n, len(characters))):
            for byte in characters[stop]:
                value = ((value ^ byte) * FNV_PRIME) & UINT32
            length = stop - start + 1
            if length >= min_n and not (length == 1 and start in {0, last}):
                found.append((length, value))
    return found


@dataclass(frozen=True)
class Ngrams:
    """The n-grams that have a row: a table of buckets, of which only those in `kept` have one."""

    min_n: int
    """The shortest n-gram, in characters."""
    max_n: int
    """The longest n-gram."""
    buckets: int
    """Hashes are taken modulo this."""
    kept: tuple[int, ...]
    """The buckets that have a row, in the order of their rows."""

    @cached_property
    def _place(self) -> dict[int, int]:
        return {bucket: place for place, bucket in enumerate(self.kept)}

    def places(self, word: str, at_most: int) -> list[int]:
        """Return the word's n-grams as places in `kept`, leaving out those without a row.

        Where there are more than `at_most`, the longest are dropped: the rest still spans the whole word.
        """
        place = self._place
        found = [
            (length, place[bucket])
            for length, value in ngram_hashes(word, self.min_n, self.max_n)
            if (bucket := value % self.buckets) in place
        ]
        if len(found) > at_most:
            found = sorted(found, key=lambda pair: pair[0])[:at_most]
        return [row for _, row in found]

    @classmethod
    def of_words(
        cls, words: Iterable[str], *, min_n: int, max_n: int, buckets: int, at_most: int | None = None
    ) -> Ngrams:
        """Keep the buckets of these words' n-grams: at most so many, those in the most words first."""
        counts: Counter[int] = Counter()
        for word in words:
            counts.update({value % buckets for _, value in ngram_hashes(word, min_n, max_n)})
        ranked = sorted((-count, bucket) for bucket, count in counts.items())
        return cls(min_n, max_n, buckets, tuple(sorted(bucket for _, bucket in ranked[:at_most])))
