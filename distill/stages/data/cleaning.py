"""Cleans texts as the configuration asks, and finds those of which nothing is left."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from distill.config.data import CleaningConfig, DataConfig
from distill.errors import DataError
from distill.stages.data.tables import Table

URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
USER = re.compile(r"(?<![\w@.])@\w+")
"""A user name: not the domain of a mail address."""

Step = Callable[[str], str]


def read_texts(table: Table, config: DataConfig) -> tuple[str, ...]:
    """Return the cleaned texts of a table; empty ones stay, as "".

    Raises:
        DataError: a text is not text, or is empty and `empty_texts` says that this is an error.
    """
    clean = cleaner(config.cleaning)
    texts = []
    for row, cell in enumerate(table.column(config.text, "data.text")):
        place = f"{table.place(row)}: column '{config.text}'"
        raw = _checked("" if cell is None else cell, place)
        text = clean(raw)
        if not text.strip():
            if config.empty_texts == "error":
                after = " after cleaning" if raw.strip() else ""
                raise DataError(f"{place} is empty{after}; data.empty_texts: drop leaves such texts out")
            text = ""
        texts.append(text)
    return tuple(texts)


def cleaner(config: CleaningConfig) -> Step:
    """Return a function that cleans one text, every step in its order.

    Raises:
        DataError: `fix_mojibake` is asked for, but ftfy is not installed.
    """
    steps = _steps(config)

    def clean(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return clean


def _steps(config: CleaningConfig) -> Sequence[Step]:
    steps: list[Step] = []
    if config.fix_mojibake:
        steps.append(_mojibake_fixer())
    if form := config.unicode:
        steps.append(lambda text: unicodedata.normalize(form, text))
    if (urls := config.urls) is not None:
        steps.append(lambda text: URL.sub(lambda _: urls, text))
    if (users := config.users) is not None:
        steps.append(lambda text: USER.sub(lambda _: users, text))
    if config.emoji is not None:
        steps.append(_emoji_namer())
    if config.lowercase:
        steps.append(str.lower)
    if config.whitespace:
        steps.append(fold_whitespace)
    return steps


def fold_whitespace(text: str) -> str:
    """Turn each run of white space into one space, and strip the ends."""
    return " ".join(text.split())


def _mojibake_fixer() -> Step:
    try:
        import ftfy
    except ImportError:
        raise DataError("data.cleaning.fix_mojibake needs the package ftfy; pip install ftfy") from None
    settings = ftfy.TextFixerConfig(unescape_html=True, explain=False)
    return lambda text: str(ftfy.fix_text(text, settings))


def _emoji_namer() -> Step:
    import emoji

    def spelled(_: str, data: dict[str, str]) -> str:
        return f" {data['en'].strip(':').replace('_', ' ')} "

    return lambda text: str(emoji.replace_emoji(text, spelled))


def _checked(cell: object, place: str) -> str:
    if not isinstance(cell, str):
        raise DataError(f"{place}: {cell!r} is not text")
    try:
        cell.encode()
    except UnicodeEncodeError:
        raise DataError(f"{place} holds half of a surrogate pair, which is no character") from None
    return cell
