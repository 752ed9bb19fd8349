"""Where figures go: each run's own journal always, and wandb where that is wanted and can be reached."""

from distill.tracking.access import Mode, describe_access
from distill.tracking.journals import Journals
from distill.tracking.opening import open_tracker
from distill.tracking.shared_results import SharedResults
from distill.tracking.sync import sync_store

__all__ = ["Journals", "Mode", "SharedResults", "describe_access", "open_tracker", "sync_store"]
