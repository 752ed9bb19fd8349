"""Reads from wandb's server: patiently, but not for ever, and with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

from distill.errors import TrackingError
from distill.tracking.access import owner, require_access
from distill.tracking.patience import within
from distill.tracking.wandb_settings import environment, first_line, server, stop_service

if TYPE_CHECKING:
    import wandb

T = TypeVar("T")

READ_SECONDS = 20.0
"""The longest wait for one answer. wandb itself tries again for minutes."""
DOWNLOAD_BYTES_PER_SECOND = 250_000
"""The slowest download that is waited for."""
PAGE = 50
"""How much wandb brings at once, mostly."""


class NotThereError(TrackingError):
    """The server answers, and has not got what was asked for."""


class Connection:
    """An open way to the server."""

    def __init__(self, api: wandb.Api, entity: str) -> None:
        """Wrap wandb's own way.

        Args:
            api: reads from the server.
            entity: the user or team that is meant where none is named.
        """
        self.api = api
        self.entity = entity

    def ask(self, what: str, action: Callable[[], T], *, size: int = 0) -> T:
        """Return what `action` returns.

        Args:
            what: what is read, for the error message.
            action: asks the server.
            size: the bytes that come, so that large ones are waited for.

        Raises:
            NotThereError: the server has no such thing.
            TrackingError: the server does not answer, or answers with an error.
        """
        return _asked(what, action, READ_SECONDS + size / DOWNLOAD_BYTES_PER_SECOND)

    def each(self, what: str, found: Callable[[], Iterable[T]]) -> Iterator[T]:
        """Yield what comes page after page; each page is waited for anew.

        Args:
            what: what is read, for the error message.
            found: asks the server for what can be iterated over.

        Raises:
            NotThereError: the server has no such thing.
            TrackingError: the server does not answer, or answers with an error.
        """
        items = (item for item in found())  # wandb's own iterators begin anew whenever they are asked
        while batch := self.ask(what, lambda: list(islice(items, PAGE))):
            yield from batch


@contextmanager
def connected() -> Iterator[Connection]:
    """Open a way to the server that the user is logged in to; what wandb writes meanwhile is removed again.

    Raises:
        TrackingError: there is no key, or no server that takes it.
    """
    # wandb's process may write a last line while the folder is being removed
    with (
        TemporaryDirectory(prefix="distill-", ignore_cleanup_errors=True) as folder,
        environment(Path(folder)),
    ):
        try:
            api = require_access()
            yield Connection(api, owner(api, None))
        finally:
            stop_service()


def _asked(what: str, action: Callable[[], T], seconds: float) -> T:
    try:
        return within(seconds, action)
    except TimeoutError as error:
        raise TrackingError(f"{what}: {server()} does not answer ({error})") from error
    except TrackingError:
        raise
    except Exception as error:
        kind = NotThereError if _says_not_there(error) else TrackingError
        raise kind(f"{what}: {first_line(error)}") from error


def _says_not_there(error: Exception) -> bool:
    """Tell whether wandb says that it has no such project, artifact or type; it has no exception of its own for it."""
    text = str(error).lower()
    return "not found" in text or "could not find" in text
