"""Versions and aliases here and in a tracker's registry follow each other, both ways.

Versions are the same by the digest of their content. Of an alias it is kept where it stood on either side when both
were last looked at, so whoever stands elsewhere now has moved, and the other follows; what follows has not moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from haetae.core.canonical import Json
from haetae.core.clock import Clock
from haetae.core.ledger import Ledger
from haetae.core.reference import Kind, Reference, check_name
from haetae.core.registry import AliasMove, Registry, Stand, Version
from haetae.core.template import Prompt
from haetae.core.tracker import Mirror, TheirName
from haetae.errors import ConfigError, RegistryError, TrackerError, boundary
from haetae.workbench.resolve import spec_of

_KINDS: tuple[Kind, ...] = ("model", "prompt")
_NOWHERE = Stand()


@dataclass(frozen=True)
class Synced:
    """What a sync did: the moves of aliases here, and a line for each thing that people should know."""

    moves: tuple[AliasMove, ...] = ()
    lines: tuple[str, ...] = ()
    whole: bool = True


@dataclass
class RegistrySync:
    """One sync of `registry` with `mirror`. `ledger` knows which suites use an alias."""

    registry: Registry
    ledger: Ledger
    mirror: Mirror
    clock: Clock
    moves: list[AliasMove] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __call__(self, deadline_s: float) -> Synced:
        """Look at everything once. What was done when the tracker or the time gives out is kept."""
        until, whole = self.clock.monotonic() + deadline_s, False
        try:
            for kind in _KINDS:
                theirs = self._theirs(kind)
                ours = {version.name for version in self.registry.versions(kind)}
                for name in sorted(ours | theirs.keys()):
                    if self.clock.monotonic() > until:
                        raise TrackerError(f"MLflow's registry was not looked through within {deadline_s:g} s")
                    self._name(kind, name, theirs.get(name))
            whole = True
        except TrackerError as exc:
            self.lines.append(f"{exc}; the rest follows with the next: haetae sync registry")
        return Synced(tuple(self.moves), tuple(self.lines), whole)

    def _theirs(self, kind: Kind) -> dict[str, TheirName]:
        """What is registered there by its name here: one name there for each."""
        theirs: dict[str, TheirName] = {}
        for their in self.mirror.names(kind):
            kept = theirs.setdefault(their.ours, their)
            if kept is not their:
                self.lines.append(f"MLflow's {kind} {their.there} stays there only: {their.ours} is {kept.there} there")
        return theirs

    def _name(self, kind: Kind, name: str, their: TheirName | None) -> None:
        try:
            check_name(name)
        except ConfigError as exc:
            self.lines.append(f"MLflow's {kind} {name!r} stays there only: {exc}")
            return
        there = None if their is None else their.there
        numbers = {} if their is None else self._pulled(kind, name, their)
        versions = self.registry.versions(kind, name)
        for version in versions:
            if version.number not in numbers.values():
                try:
                    there, number = self.mirror.push(version)
                except RegistryError as exc:
                    self.lines.append(f"{kind} {version.reference} stays here only: {exc}")
                    continue
                numbers[number] = version.number
                self.lines.append(f"{kind} {version.reference} is in MLflow now: {there} version {number}")
        if there is not None:
            self._aliases(kind, name, there, {} if their is None else their.aliases, versions, numbers)

    def _pulled(self, kind: Kind, name: str, their: TheirName) -> dict[str, int]:
        """Our number of each version there that can be read; those that are new here are registered."""
        known = {version.digest: version for version in self.registry.versions(kind, name)}
        numbers: dict[str, int] = {}
        for number, digest in their.versions.items():
            version = known.get(digest or "")
            if version is None or version.number in numbers.values():  # a mark that is there twice may be a copy
                try:
                    content = self.mirror.read(kind, their.there, number)
                    _check_usable(kind, name, content)
                except (RegistryError, ConfigError) as exc:
                    self.lines.append(f"{kind} {their.there} version {number} stays in MLflow only: {exc}")
                    continue
                version, new = self.registry.register(kind, name, content, self.clock.now())
                if version.digest != digest and (digest is None or digest in known):
                    self.mirror.mark(their.there, number, version)  # the mark of another ledger stays: it looks for it
                known[version.digest] = version
                if new:
                    self.lines.append(f"{kind} {version.reference} comes from MLflow: {their.there} version {number}")
            numbers[number] = version.number
        return numbers

    def _aliases(
        self,
        kind: Kind,
        name: str,
        there: str,
        theirs: Mapping[str, str],
        versions: Iterable[Version],
        numbers: Mapping[str, int],
    ) -> None:
        ours = {alias: version.number for version in versions for alias in version.aliases}
        stands = self.registry.stands(kind, name)
        for alias in sorted(ours.keys() | theirs.keys() | stands.keys()):
            stand, now = stands.get(alias, _NOWHERE), Stand(ours.get(alias), theirs.get(alias))
            after = self._alias(kind, Reference(name, alias), there, stand, now, numbers)
            if after != stand:
                self.registry.keep_stand(kind, name, alias, after, self.clock.now())

    def _alias(
        self, kind: Kind, alias: Reference, there: str, stand: Stand, now: Stand, numbers: Mapping[str, int]
    ) -> Stand:
        """Let an alias follow; where it stands then on both sides."""
        meant = numbers.get(now.theirs or "")
        if now.theirs is not None and meant is None:
            if now != stand:
                self.lines.append(f"{kind} {alias} points in MLflow at version {now.theirs}, which stays there only")
            return now
        if meant == now.ours:
            return now
        moved_here = now.ours is not None and now.ours != stand.ours
        moved_there = meant is not None and (now.theirs != stand.theirs and meant != numbers.get(stand.theirs or ""))
        if moved_here and not moved_there:
            return self._theirs_follows(kind, alias, there, now, numbers)
        if moved_there and not moved_here and meant is not None:
            return self._ours_follows(kind, alias, stand, now, meant)
        if now.ours is not None and meant is not None:
            self.lines.append(
                f"{kind} {alias} is {now.ours} here and {meant} in MLflow, and nobody follows: "
                f"say which with haetae alias {kind} {alias.name}@{now.ours} {alias.selector}, or {alias.name}@{meant}"
            )
        elif now != stand:
            gone, stays = ("here", "in MLflow") if now.ours is None else ("in MLflow", "here")
            self.lines.append(f"{kind} {alias} was deleted {gone}, and stays {stays}")
        return now

    def _theirs_follows(
        self, kind: Kind, alias: Reference, there: str, now: Stand, numbers: Mapping[str, int]
    ) -> Stand:
        name = str(alias.selector)
        known = [number for number, ours in numbers.items() if ours == now.ours]
        if not known or not self.mirror.takes_alias(name):
            why = "takes no alias of this name" if known else "does not have that version"
            self.lines.append(f"{kind} {alias} stays here only: MLflow {why}")
            return now
        self.mirror.point(kind, there, name, known[-1])
        self.lines.append(f"{kind} {alias} is {now.ours} in MLflow as well: {there} version {known[-1]}")
        return Stand(now.ours, known[-1])

    def _ours_follows(self, kind: Kind, alias: Reference, stand: Stand, now: Stand, meant: int) -> Stand:
        name = str(alias.selector)
        if not _is_alias(name):
            self.lines.append(f"{kind} {alias} stays in MLflow only: {name!r} is no name of an alias here")
            return now
        try:
            move = self.registry.set_alias(
                kind, alias.name, name, meant, self.clock.now(), by="mlflow", still={alias: now.ours}
            )
        except RegistryError as exc:  # somebody moves it just now: the next sync sees both
            self.lines.append(f"{kind} {alias} does not follow MLflow: {exc}")
            return stand
        if move is not None:
            self.moves.append(move)
            self.lines.append(f"{kind} {move.text}, as in MLflow{self._ungated(alias)}")
        return Stand(meant, now.theirs)

    def _ungated(self, alias: Reference) -> str:
        """What to say where suites use the alias: whoever moved it there has decided, and no gate was asked."""
        using = [
            suite
            for suite in self.ledger.suites()
            for run in self.ledger.runs(suite, limit=1)
            if str(alias) in run.manifest.references
        ]
        return f"; no gate was asked, and these use it: {', '.join(using)}" if using else ""


def _is_alias(name: str) -> bool:
    """Whether an alias may have this name here: a number is that of a version."""
    try:
        return not check_name(name).isdigit()
    except ConfigError:
        return False


def _check_usable(kind: Kind, name: str, content: Json) -> None:
    """Raises ConfigError for what is no endpoint with its parameters, and no chat template."""
    if kind == "model":
        spec_of(name, content)
        return
    with boundary(ConfigError, "it is not a chat template"):
        Prompt.of(name, content)
