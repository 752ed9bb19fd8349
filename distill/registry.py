"""Finds the class behind a `kind`: a built-in or a plug-in by entry point, or a user's own `package.module:Class`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Generic, TypeVar

from distill.errors import ConfigError, did_you_mean, told

T = TypeVar("T")

OWN_DISTRIBUTION = "distill"


@dataclass(frozen=True)
class Registry(Generic[T]):
    """All kinds of one noun, such as `student`."""

    noun: str
    base: type[T]

    @cached_property
    def _claims(self) -> dict[str, list[EntryPoint]]:
        """Kind -> who claims it; a kind that two packages claim is an error when it is asked for, not before."""
        found: dict[str, list[EntryPoint]] = {}
        for point in entry_points(group=f"distill.{self.noun}s"):
            found.setdefault(point.name, []).append(point)
        return found

    @property
    def kinds(self) -> tuple[str, ...]:
        """The known kinds, sorted."""
        return tuple(sorted(self._claims))

    def is_built_in(self, kind: str) -> bool:
        """Whether the kind comes with distill itself, so that loading it runs no code of anybody else."""
        claims = self._claims.get(kind, [])
        return bool(claims) and all(p.dist is not None and p.dist.name == OWN_DISTRIBUTION for p in claims)

    def resolve(self, kind: str, beside: Path | None = None) -> type[T]:
        """Return the class for `kind`.

        Args:
            kind: a known kind, or `package.module:Class`.
            beside: a folder to look in after the installed packages, for a user's own module.

        Raises:
            ConfigError: nothing of that name, it cannot be imported, or it is not a `base`.
        """
        if ":" in kind:
            return self._check(kind, self._import(kind, beside))
        claims = self._claims.get(kind, [])
        if not claims:
            known = ", ".join(self.kinds)
            raise ConfigError(
                f"unknown {self.noun} kind '{kind}'{did_you_mean(kind, self.kinds)} (known: {known}; "
                f"or your own as 'package.module:Class')"
            )
        packages = sorted({p.dist.name for p in claims if p.dist})
        if len(packages) > 1:
            raise ConfigError(
                f"{self.noun} kind '{kind}' is claimed by several packages: {', '.join(packages)}"
            )
        try:
            found = claims[0].load()
        except (ImportError, AttributeError) as error:
            package = packages[0] if packages else "a package"
            raise ConfigError(
                f"{self.noun} kind '{kind}' is announced by {package} as {claims[0].value}, "
                f"but that cannot be imported: {error}"
            ) from error
        return self._check(kind, found)

    def _import(self, kind: str, beside: Path | None) -> object:
        module, _, name = kind.partition(":")
        try:
            with _importable(beside):
                found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            where = f" or beside the experiment file in {beside}" if beside else ""
            raise ConfigError(
                f"cannot import {self.noun} '{kind}': no module named '{error.name}' "
                f"among the installed packages{where}"
            ) from error
        except (Exception, SystemExit) as error:  # a script that exits when it is imported is no module
            raise ConfigError(f"cannot import {self.noun} '{kind}': {told(error)}") from error
        try:
            return getattr(found, name)
        except AttributeError:
            public = [n for n, value in vars(found).items() if isinstance(value, type)]
            raise ConfigError(
                f"cannot import {self.noun} '{kind}': module '{module}' has no '{name}'{did_you_mean(name, public)}"
            ) from None

    def _check(self, kind: str, found: object) -> type[T]:
        if isinstance(found, type) and issubclass(found, self.base):
            return found
        raise ConfigError(
            f"{self.noun} '{kind}' is not a subclass of {self.base.__module__}.{self.base.__name__}"
        )


@contextmanager
def _importable(folder: Path | None) -> Iterator[None]:
    """Look for modules in `folder` too, after everything that is installed."""
    if folder is None or str(folder) in sys.path:
        yield
        return
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
