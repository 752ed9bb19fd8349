"""Opens and ends runs in wandb."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, build_opener

from distill.tracking.delivery import Delivery
from distill.tracking.journal import Line
from distill.tracking.patience import within
from distill.tracking.wandb_settings import REQUEST_SECONDS, run_settings, server

if TYPE_CHECKING:
    import wandb

PATIENCE_SECONDS = 5.0
"""After so long it is asked again and again whether the server still answers; one that does not is not waited for."""
LONGEST_SECONDS = 10.0
"""How long a server may keep us waiting that answers, but does not take what it is sent. Uploads may take longer."""
UPLOAD_BYTES_PER_SECOND = 250_000
"""The slowest upload that is waited for, as long as the server answers at all."""


def open_run(about: Mapping[str, Any], folder: Path) -> wandb.Run:
    """Return the run that a journal describes, new or continued."""
    import wandb

    run = wandb.init(
        project=about["project"],
        entity=about["entity"],
        group=about["group"],
        tags=about["tags"],
        id=about["id"],
        name=about["name"],
        job_type=about["job_type"],
        config=about["config"],
        resume="allow",
        settings=run_settings(folder),
    )
    run.define_metric("step", hidden=True)
    run.define_metric("train/*", step_metric="step")
    # what the table of runs shows of a curve is its best value; the final figures of the best weights replace it
    run.define_metric("validation/*", step_metric="step", summary="max")
    return run


def send_patiently(delivery: Delivery, line: Line, row: int, at: Path | None) -> None:
    """Send a line; an artifact is waited for as long as its size explains, while the server answers.

    Raises:
        TimeoutError: the server stopped answering.
    """
    if line["event"] != "artifact":
        delivery.send(line, row, at)
        return
    patiently(lambda: delivery.send(line, row, at), delivery.bytes_of(line))


def place_of(run: wandb.Run) -> dict[str, str]:
    """Return on which server a run is, in which project as `entity/project`, and the project's page."""
    return {
        "server": server(),
        "project": f"{run.entity}/{run.project}",
        "address": run.project_url or "",
    }


def finish(run: wandb.Run, exit_code: int) -> None:
    """End a run once the server has everything; artifacts have arrived before.

    Raises:
        TimeoutError: the server stopped answering.
    """
    patiently(lambda: run.finish(exit_code))


def patiently(action: Callable[[], object], upload_bytes: int = 0) -> None:
    """Wait for the server to take something: for as long as its size explains, while it answers.

    Raises:
        TimeoutError: the server stopped answering.
    """
    longer = LONGEST_SECONDS + upload_bytes / UPLOAD_BYTES_PER_SECOND
    within(PATIENCE_SECONDS, action, longer=longer, alive=server_answers)


class _NoFurther(HTTPRedirectHandler):
    """Takes a redirection for an answer: where it leads may be out of reach, and nobody wants to go there."""

    def redirect_request(self, *_: object) -> None:
        """Return no further request."""


def server_answers() -> bool:
    """Tell whether there is anybody, through a proxy if the environment names one; an error is an answer too."""
    try:
        with build_opener(_NoFurther).open(server(), timeout=REQUEST_SECONDS):
            return True
    except HTTPError as error:
        error.close()
        return True
    except URLError as error:
        return isinstance(error.reason, SSLError)  # wandb may know certificates that Python does not
    except (OSError, HTTPException):
        return False
