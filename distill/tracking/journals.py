"""The journals of a store: where each one lies, and which of them a server has got whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from distill.contracts import RunFacts
from distill.fingerprint import file_hash, fingerprint
from distill.locks import locked
from distill.result_files import read_json, write_json
from distill.tracking.journal import Journal, lines_of_done, read_journal
from distill.tracking.redaction import redacted

ENDING = ".jsonl"
KEY_LENGTH = 32
"""How much of a key is in a journal's name."""
RECEIPT = ".sent.json"
ORDER = ("data", "teacher", "soft-targets", "baseline", "student", "speed", "frontier")
"""Job types in the order of the flow: what is made from something comes after it."""


@dataclass(frozen=True)
class Project:
    """Where an experiment's runs belong in wandb."""

    name: str
    entity: str | None
    experiment: str
    tags: tuple[str, ...]


class Journals:
    """All journals of a store."""

    def __init__(self, store_root: Path) -> None:
        """Name the store; nothing is made before there is something to record."""
        self.folder = store_root / "history"

    def path(self, project: Project, facts: RunFacts) -> Path:
        """Return where a run's journal lies."""
        return self.folder / project.experiment / f"{facts.job_type}-{facts.key[:KEY_LENGTH]}{ENDING}"

    @contextmanager
    def open(self, project: Project, facts: RunFacts) -> Iterator[Journal]:
        """Open a run's journal, once no other process writes it.

        Where another experiment has made the same, the journal begins with what that one recorded.
        """
        path = self.path(project, facts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock_of(path), waiting=lambda: None):
            if not path.exists():
                self._adopt(path)
            with closing(Journal(path, self._about(project, facts))) as journal:
                yield journal

    def _about(self, project: Project, facts: RunFacts) -> dict[str, Any]:
        return {
            "id": self.run_id(project, facts),
            "name": facts.name,
            "job_type": facts.job_type,
            "group": project.experiment,
            "project": project.name,
            "entity": project.entity,
            "tags": list(project.tags),
            # whose run it is: two people, or two machines of one, may run the same experiment
            "config": redacted({"store": self._store_id[:8], **facts.config}),
        }

    def run_id(self, project: Project, facts: RunFacts) -> str:
        """Return the id of a run: the same whenever this store makes the same for the same experiment."""
        parts = {"store": self._store_id, "experiment": project.experiment, "key": facts.key}
        return f"{facts.job_type}-{fingerprint(parts)[:20]}"

    def all(self, experiment: str = "*") -> list[Path]:
        """Return the journals of an experiment, or of all, in the order in which they have to be sent."""
        found = self.folder.glob(f"{experiment}/*{ENDING}")
        return sorted(found, key=lambda path: (path.parent.name, _place_in_flow(path), path.name))

    def unsent(self, experiment: str = "*", server: str | None = None) -> list[Path]:
        """Return the journals of which a server, this one or any, has not said that it has everything."""
        return [path for path in self.all(experiment) if not has_receipt(path, server)]

    def unsent_of(self, experiment: str, keys: Iterable[str]) -> list[Path]:
        """Return the unsent journals of runs with these keys."""
        wanted = {key[:KEY_LENGTH] for key in keys}
        return [path for path in self.unsent(experiment) if path.stem.rpartition("-")[2] in wanted]

    def address(self, experiment: str) -> str:
        """Return the page of an experiment's runs, or nothing if none has been sent."""
        receipts = sorted(self.folder.glob(f"{experiment}/*{RECEIPT}"), key=lambda path: path.stat().st_mtime)
        page = _read_receipt(receipts[-1]).get("address", "") if receipts else ""
        return f"{page}/groups/{quote(experiment, safe='')}" if page else ""

    def files_to_be_sent(self) -> set[Path]:
        """Return pictures and folders that a server is still to get, of runs that are to be sent."""
        found: set[Path] = set()
        for path in self.unsent():
            about, lines = read_journal(path)
            if not is_private(about):
                named = [line[name] for line in lines for name in ("path", "folder") if line.get(name)]
                found |= {path.parent / place for place in named}
        return found

    def _adopt(self, path: Path) -> None:
        for other in sorted(self.folder.glob(f"*/{path.name}")):
            about, lines = read_journal(other)
            marks = {line["key"] for line in lines if line["event"] == "mark"}
            # paths in them still hold: the journals of two experiments lie equally deep
            copied = [line for line in lines_of_done(lines, marks) if line["event"] != "artifact"]
            with closing(Journal(path, about)) as journal:
                journal.adopt(copied)
            return

    @cached_property
    def _store_id(self) -> str:
        """Tell this store from others: two people who run the same experiment have runs of their own."""
        path = self.folder / "store.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
            file.write(f'{{"id": "{secrets.token_hex(8)}"}}')
        return str(read_json(path)["id"])


def lock_of(path: Path) -> Path:
    """Return the file that is locked while a journal is written or sent."""
    return path.with_name(f".{path.name}.lock")


def is_private(about: Mapping[str, Any]) -> bool:
    """Tell whether a run's experiment keeps it from wandb."""
    wandb = about.get("config", {}).get("runtime", {}).get("wandb", {})
    return bool(wandb.get("mode") == "disabled")


def write_receipt(path: Path, where: Mapping[str, Any]) -> None:
    """Record that a server has everything that the journal holds now."""
    write_json(path.with_suffix(RECEIPT), {**where, "journal": file_hash(path)})


def has_receipt(path: Path, server: str | None = None) -> bool:
    """Tell whether a server, this one or any, has everything that the journal holds now."""
    receipt = _read_receipt(path.with_suffix(RECEIPT))
    of_this = server is None or receipt.get("server") == server
    return of_this and bool(receipt.get("journal") == file_hash(path))


def _read_receipt(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path))
    except (FileNotFoundError, ValueError):
        return {}


def _place_in_flow(path: Path) -> int:
    job_type = path.name.rpartition("-")[0]
    return ORDER.index(job_type) if job_type in ORDER else len(ORDER)
