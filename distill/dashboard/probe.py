"""What the round trip logs, and how it is compared with what a server gives back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.contracts import Artifact
from distill.errors import TrackingError
from distill.fingerprint import file_hash

if TYPE_CHECKING:
    import wandb

ROWS = 20
COLUMNS = ("label", "ap")
TABLE = (("good", 0.5), ("bad", 0.25))
SUMMARY = {"validation/macro_ap": 0.375, "size/bytes": 3}
KIND = "doctor"


@dataclass(frozen=True)
class Probe:
    """Files and names of one round trip, which no other has."""

    folder: Path
    name: str
    """Of the artifact, and of the group of runs."""

    @property
    def picture(self) -> Path:
        """Where the picture lies."""
        return self.folder / "picture.png"

    @property
    def files(self) -> Path:
        """Where the artifact's files lie."""
        return self.folder / "artifact"

    def write(self) -> None:
        """Make picture and files; no two round trips upload the same bytes, which a server would not take twice."""
        from PIL import Image

        self.files.mkdir(parents=True)
        Image.new("RGB", (8, 8), "white").save(self.picture)
        (self.files / "weights.bin").write_bytes(self.name.encode() * 1_000)
        (self.files / "empty.txt").touch()
        (self.files / "deep").mkdir()
        (self.files / "deep" / "ümlaut.json").write_text(json.dumps({"name": self.name}), encoding="utf-8")

    def row(self, number: int) -> dict[str, float]:
        """Return what one row says."""
        return {"train/loss": 1.0 / (number + 1), "train/learning_rate": 0.001 * number}

    @property
    def artifact(self) -> Artifact:
        """What is published."""
        return Artifact(self.name, KIND, self.files, metadata={"quality": 0.375}, aliases=(self.name,))

    @property
    def conclusion(self) -> Artifact:
        """What is made from it by another run."""
        return Artifact(
            f"{self.name}-conclusion", KIND, documents={"seen.json": {"name": self.name}}, aliases=(self.name,),
            uses=(f"{self.name}:{self.name}",),
        )  # fmt: skip


def check_rows(probe: Probe, run: wandb.apis.public.Run) -> None:
    """Compare the rows.

    Raises:
        TrackingError: one lacks, is there twice, or says something else.
    """
    history: Any = run.history(samples=100 * ROWS, pandas=False)
    found = [row for row in history if "train/loss" in row]
    _same("rows", ROWS, len(found))
    for number, row in enumerate(found):
        wanted = {**probe.row(number), "step": number, "_step": number}
        _same(f"row {number}", wanted, {key: row.get(key) for key in wanted})


def check_summary(run: wandb.apis.public.Run) -> None:
    """Compare summary and state.

    Raises:
        TrackingError: they are not what was recorded.
    """
    _same("the state", "finished", run.state)
    summary: Any = run.summary
    _same("the summary", SUMMARY, {key: summary.get(key) for key in SUMMARY})


def check_media(probe: Probe, run: wandb.apis.public.Run, scratch: Path) -> None:
    """Compare table and picture.

    Raises:
        TrackingError: one of them is not there, or holds something else.
    """
    table = json.loads(_media(run, "table", scratch).read_text(encoding="utf-8"))
    _same("the table", [list(row) for row in TABLE], table["data"])
    _same("the table's columns", list(COLUMNS), table["columns"])
    _same("the picture's checksum", file_hash(probe.picture), file_hash(_media(run, "picture", scratch)))


def check_files(probe: Probe, artifact: wandb.Artifact, scratch: Path) -> None:
    """Download the artifact and compare each byte, once by our own files and once by wandb's checksums.

    Raises:
        TrackingError: a file is not there, or holds something else.
    """
    place = scratch / "downloaded"
    for file in artifact.files():
        # not `artifact.download`: it has threads of its own, which try again for hours when a server fails, and
        # Python waits for them before it exits
        file.download(str(place), replace=True).close()
    _same("the artifact's files", checksums(probe.files), checksums(place))
    artifact.verify(str(place))


def check_lineage(probe: Probe, artifact: wandb.Artifact, runs: Sequence[str]) -> None:
    """Compare who logged it and who used it.

    Raises:
        TrackingError: an edge lacks, or there is one too many.
    """
    maker = artifact.logged_by()
    _same("logged_by", runs[0], maker.id if maker else None)
    _same("used_by", [runs[1]], [run.id for run in artifact.used_by()])
    _same("the metadata", probe.artifact.metadata["quality"], artifact.metadata.get("quality"))


def checksums(folder: Path) -> Mapping[str, str]:
    """Return file name -> checksum."""
    return {
        path.relative_to(folder).as_posix(): file_hash(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _media(run: wandb.apis.public.Run, name: str, scratch: Path) -> Path:
    row: dict[str, Any] = next((row for row in run.scan_history() if row.get(name)), {})
    if not row:
        raise TrackingError(f"the row with '{name}' is not there")
    file = run.file(row[name]["path"])
    if not file.size:
        raise TrackingError(f"the file of '{name}' is not there")
    with file.download(str(scratch), replace=True) as opened:
        return Path(opened.name)


def _same(what: str, wanted: object, found: object) -> None:
    if wanted != found:
        raise TrackingError(f"{what}: logged {_short(wanted)}, read back {_short(found)}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
