"""Which version of a student is called `best`: the one with the highest validation metric, among those of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distill.tracking.access import public_api

if TYPE_CHECKING:
    from collections.abc import Mapping

    import wandb

BEST = "best"


def crown(artifact: wandb.Artifact) -> None:
    """Give the alias `best` to a student that was just published, if none is better.

    Args:
        artifact: the version, as the server knows it.
    """
    import wandb

    if "quality" not in artifact.metadata or BEST in artifact.aliases:
        return
    try:
        reigning = public_api().artifact(
            f"{artifact.entity}/{artifact.project}/{artifact.name.split(':')[0]}:{BEST}"
        )
    except wandb.errors.CommError as error:
        if "not found" not in str(error):
            raise
    else:
        if not _better(artifact.metadata, reigning.metadata):
            return
    artifact.aliases.append(BEST)
    artifact.save()


def _better(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Compare by validation; figures of another metric or another data set cannot be compared, and the new one wins."""
    if any(ours.get(name) != theirs.get(name) for name in ("metric", "data")):
        return True
    return bool(ours["quality"] > theirs.get("quality", float("-inf")))
