"""The store: finished results by key, kept so that nothing is computed twice and nothing damaged is used.

root/results/<stage>/<key>/     a finished result and its `manifest.json`; only ever renamed into place
root/scratch/<stage>-<key>/     `result`: what a run is writing; `work`: checkpoints, they survive a kill
root/experiments/<experiment>/  names for people, links into `results`
root/locks/                     kernel locks (flock): a killed process leaves none behind
root/hashes.json                remembered checksums of large files
"""

from distill.store.disk import explain_full_disk
from distill.store.folder import Entry
from distill.store.pruning import Pruned
from distill.store.store import Store

__all__ = ["Entry", "Pruned", "Store", "explain_full_disk"]
