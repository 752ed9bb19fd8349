"""The door to wandb-workspaces."""

from __future__ import annotations

import warnings
from types import ModuleType


def load() -> tuple[ModuleType, ModuleType]:
    """Return its modules for workspaces and for reports, without the warnings of its own that they raise at import."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Pydantic V1 style `@validator`", DeprecationWarning)
        from wandb_workspaces import workspaces
        from wandb_workspaces.reports import v2 as reports
    return workspaces, reports
