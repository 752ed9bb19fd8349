"""The way to wandb's server: whether it is to be asked, whether it knows us, and what it is read through."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypeAlias

from distill.errors import TrackingError
from distill.tracking.patience import within
from distill.tracking.wandb_settings import (
    REQUEST_SECONDS,
    environment,
    first_line,
    server,
    stop_service,
)

if TYPE_CHECKING:
    import wandb

Mode: TypeAlias = Literal["auto", "online", "offline", "disabled"]
"""`auto` is online where a key is found, else offline. WANDB_MODE and `wandb offline` can only take away."""

ANSWER_SECONDS = 20.0
"""The longest wait for a server to say who we are. wandb itself tries again for minutes."""
OFFLINE = frozenset({"offline", "dryrun"})


def resolve_mode(wanted: Mode) -> Mode:
    """Return online, offline or disabled. Asks nobody: neither a server nor the person at the terminal."""
    import wandb

    if wanted in {"offline", "disabled"}:
        return wanted
    configured = wandb.setup().settings.mode
    if configured in OFFLINE:
        return "offline"
    if configured == "disabled":
        return "disabled"
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


def require_access() -> wandb.Api:
    """Check that there is a key and a server that takes it.

    Returns:
        What the server is read through.

    Raises:
        TrackingError: there is not.
    """
    import wandb

    place, mode = server(), wandb.setup().settings.mode
    help_with_key = "set WANDB_API_KEY or give `wandb login`"
    if mode in OFFLINE or mode == "disabled":
        raise TrackingError(
            f"wandb: WANDB_MODE or `wandb offline` says {mode}, so that {place} is not asked; "
            "unset it, or give `wandb online`"
        )
    if not wandb.login(prompt=False, verify=False):
        raise TrackingError(f"wandb: no key for {place}; {help_with_key}")

    def ask() -> tuple[wandb.Api, str | None]:
        api = public_api()
        return api, _own(api)

    try:
        api, whose = within(ANSWER_SECONDS, ask)
    except Exception as error:
        raise TrackingError(f"wandb: {place} does not answer ({first_line(error)})") from error
    if whose is None:  # some keys belong to no user: WANDB_ENTITY says what they are for
        raise TrackingError(f"wandb: {place} does not know the key; {help_with_key}")
    return api


def public_api() -> wandb.Api:
    """Return what a server is read through. One remembers what it has read: who looks again takes another."""
    import wandb

    return wandb.Api(timeout=REQUEST_SECONDS)


def owner(api: wandb.Api, entity: str | None) -> str:
    """Return whose project is meant: as configured, else as WANDB_ENTITY says, else the user's own."""
    return str(entity or _own(api))


def _own(api: wandb.Api) -> str | None:
    named: str | None = api.settings["entity"] or api.default_entity
    return named


def describe_access() -> str:
    """Tell what `auto` comes to on this machine, and why. Asks no server."""
    with TemporaryDirectory() as folder, environment(Path(folder)):
        try:
            mode, place = resolve_mode("auto"), server()
        except Exception as error:  # noqa: BLE001 - told to whoever asked
            return f"cannot be used ({first_line(error)})"
        finally:
            stop_service()
    if mode == "online":
        return f"online at {place}"
    return f"{mode} (no key for {place}, or WANDB_MODE says so); see `wandb login`"
