"""What can go wrong for a user, each with one message that says what was found and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DistillError(Exception):
    """An error that the user can mend. The command line prints its message alone and exits with 2."""


class ConfigError(DistillError):
    """The experiment file, or an override of it, does not say something that can be run."""


class DataError(DistillError):
    """The texts or labels cannot be used as they are; the message names file and line, column or split."""


class ModelError(DistillError):
    """A model folder, its weights or its labels are not what they should be."""


class StoreError(DistillError):
    """The store cannot be written, is full, or holds something that it should not."""


class TrackingError(DistillError):
    """The dashboard's server cannot be reached, or has not got what it should have."""


class TrainingDivergedError(DistillError):
    """A loss or a logit stopped being finite. The run is recorded as failed; the others go on."""


class InterruptedRunError(BaseException):
    """The process was asked to stop (SIGTERM or Ctrl-C); what was half done is saved and can be resumed.

    No `Exception`, as KeyboardInterrupt is none: a library that catches those to try something else must not
    take it for a failure of its own.
    """


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return `", did you mean 'x'?"` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    return f", did you mean '{close[0]}'?" if close else ""


def told(error: BaseException) -> str:
    """Return what somebody else's error says, in one line: its type and the first line of its message."""
    message = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
