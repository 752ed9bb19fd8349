"""Whether the Hugging Face hub has what an experiment pins. Free of torch and of the libraries that fetch it."""

from __future__ import annotations

from typing import Literal

ANSWER_SECONDS = 10.0


def ask_hub(name: str, revision: str, kind: Literal["model", "dataset"]) -> str | None:
    """Return why a model or data set at a commit cannot be had from the hub, or None if it can.

    To be asked before anything is fetched. Without a network, what fetches goes on trying for half a minute, and
    `datasets` then takes any copy that it finds in its cache, of whatever commit.
    """
    from huggingface_hub import HfApi

    try:
        HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=ANSWER_SECONDS)
    except Exception as error:  # noqa: BLE001 - no network has many names
        return reason_of(error, revision)
    return None


def reason_of(error: Exception, revision: str) -> str:
    """Return in words why the hub refused."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    match error:
        case GatedRepoError():
            return "the hub shows it only to those who asked for access and logged in with `hf auth login`"
        case RepositoryNotFoundError():
            return "the hub shows nothing of that name"
        case RevisionNotFoundError():
            return f"the hub has no revision {revision} of it"
        case _:
            return f"the hub cannot be reached ({type(error).__name__})"
