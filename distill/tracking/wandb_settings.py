"""How we ask wandb to behave: quiet, within the store, discreet about the machine, never waiting for long."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from distill.tracking.patience import within

if TYPE_CHECKING:
    import wandb

INIT_SECONDS = 10.0
FINISH_SECONDS = 15.0
STOP_SECONDS = 5.0
REQUEST_SECONDS = 5
SWEEP = ("WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_RUN_ID")
"""What a sweep's agent tells its processes: with these, wandb takes every run for the agent's one."""
WATCHER = "NetStatThr"
"""The thread of an open run in which wandb asks its own process for news."""


@contextmanager
def environment(folder: Path, *, of_agent: bool = False) -> Iterator[None]:
    """Keep what wandb writes below `folder`, unless the user's own variables say otherwise.

    WANDB_CONFIG_DIR stays as it is: it holds the user's login, and wandb only reads it.

    Args:
        folder: where wandb may write.
        of_agent: whether the run that a sweep's agent has named is meant; else its variables are put away.
    """
    ours = {
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_DATA_DIR": str(folder / "staging"),
        "WANDB_ARTIFACT_DIR": str(folder / "downloads"),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "WANDB_HTTP_TIMEOUT": str(REQUEST_SECONDS),
    }
    added = {name: value for name, value in ours.items() if name not in os.environ}
    (folder / "cache").mkdir(parents=True, exist_ok=True)  # wandb takes the user's home where it is missing
    hidden = {} if of_agent else {name: os.environ.pop(name) for name in SWEEP if name in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        os.environ.update(hidden)


def run_settings(folder: Path) -> wandb.Settings:
    """Return the settings of every run."""
    import wandb

    return wandb.Settings(
        mode="online",
        root_dir=str(folder),
        silent=True,
        console="off",
        symlink=False,
        reinit="create_new",
        disable_git=True,
        disable_code=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        x_graphql_timeout_seconds=REQUEST_SECONDS,
        x_graphql_retry_max=1,  # 0 would be read as `not set`: twenty tries
        x_transaction_log_flush_interval=1.0,
    )


def stop_service() -> None:
    """Stop wandb's own process; one that does not stop is ended, else Python waits for it at exit."""
    import wandb

    _silence_orphans()
    try:
        within(STOP_SECONDS, wandb.teardown)
    except Exception:  # noqa: BLE001 - there is nobody left to tell
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if child.name() == "wandb-core":
                    child.kill()
        with suppress(Exception):  # forgets the key too, to which the first try has not come
            within(STOP_SECONDS, wandb.teardown)


def _silence_orphans() -> None:
    """Keep the threads of a run that was given up from printing that wandb's process is gone: that is meant to be."""
    if getattr(threading.excepthook, "is_ours", False):
        return
    told = threading.excepthook

    def hook(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else ""
        module = failure.exc_type.__module__
        if name != WATCHER or not module.startswith("wandb."):
            told(failure)

    hook.is_ours = True  # type: ignore[attr-defined]
    threading.excepthook = hook


def server() -> str:
    """Return the server's address."""
    import wandb

    return wandb.setup().settings.base_url


def first_line(error: Exception) -> str:
    """Return the part of an error that fits into one line."""
    return str(error).partition("\n")[0] or type(error).__name__
