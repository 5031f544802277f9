"""A run on volumes: what it will work on, what that costs, and what the user sees of it before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from idrstream.base import units
from idrstream.volume import grid, models, needs, packets
from idrstream.volume.box import Box, Triple
from idrstream.volume.entries import Entry
from idrstream.volume.models import Model
from idrstream.volume.results import Result

LISTED = 8  # regions that are described one by one, and checkpoints


@dataclass
class Region:
    """A region that is asked for: an entry of a data JSON.

    entry    of it
    kinds    of results that are wanted: "maps", "labels", "counts"
    tile     voxels that a tile of the network keeps
    given    that it is given
    edge     of its slabs
    model    any of the run's: all have one network
    threshold, session  of the run
    wanted   checkpoint -> kind -> Result, set by the planner
    comparable  checkpoint -> identity of its counts, whether they are wanted or not, likewise; None without labels
    """

    entry: Entry
    kinds: tuple[str, ...]
    tile: Triple
    given: Triple
    edge: int
    model: Model
    threshold: float | None
    session: str
    wanted: dict[str, dict[str, Result]] = field(default_factory=dict)
    comparable: dict[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.entry.name

    @cached_property
    def slabs(self) -> list[Box]:
        return grid.slabs(self.entry.roi, self.edge)

    @property
    def all_kinds(self) -> tuple[str, ...]:
        """The kinds, with what makes one image of the slabs."""
        return (*self.kinds, "volume") if "maps" in self.kinds else self.kinds

    @property
    def predicted(self) -> bool:
        """Whether some of its probabilities are there, by one of the run's checkpoints."""
        return any(made["maps"].done for made in self.wanted.values() if "maps" in made)

    def valid(self, row: Mapping[str, Any]) -> set[str]:
        """The identities that a row of the ledger may have to be a result of this run; empty where it is not for it
        to say."""
        if row["kind"] == "counts":
            return {name for name in [self.comparable.get(row["checkpoint"])] if name}
        return {made[row["kind"]].identity for made in self.wanted.values() if row["kind"] in made}

    def need(self, slab: Box) -> needs.Need:
        return needs.of(self.description, slab)

    def todo(self, checkpoint: str) -> list[packets.Left]:
        """Slabs that are not done for a checkpoint, as of packets.todo."""
        return packets.todo(self.description, checkpoint)

    @cached_property
    def description(self) -> dict[str, Any]:
        """All that packets are made of, for JSON; once `wanted` is set."""
        entry, unet = self.entry, self.model.unet
        source = {name: asdict(each) if each else None for name, each in (("raw", entry.raw), ("mask", entry.mask))}
        return {
            **{"entry": entry.name, "location": entry.location, "locations": [entry.location], "root": None},
            **{"folders": entry.folders(), "voxel_size": entry.voxel_size, "roi": entry.roi, **source},
            "labels": [asdict(label) for label in entry.labels],
            "metric_masks": [asdict(mask) for mask in entry.metric_masks],
            **{"tile": self.tile, "input": self.given, "output": unet.output(self.given)},
            **{"edge": self.edge, "shard": grid.shard(self.edge)},
            **{"network": unet.to_keys(), "classes": unet.outputs - 1, "maps": unet.maps},
            "itemsize": np.dtype(entry.raw.dtype).itemsize,
            **{"operations": unet.flops(self.given, lean=True), "threshold": self.threshold, "session": self.session},
            "wanted": {
                name: {kind: asdict(made) for kind, made in kinds.items()} for name, kinds in self.wanted.items()
            },
        }

    def text(self) -> str:
        """What the user is told of it."""
        entry, needed = self.entry, [self.need(slab) for slab in self.slabs]
        size = " x ".join(f"{edge:g}" for edge in entry.voxel_size)
        lines = [
            f"{self.name}: region {entry.roi} voxels of {size} nm in {entry.location}/{entry.raw.path}",
            f"  {units.count(len(needed), 'slab')}, {sum(slab.count(self.tile) for slab in self.slabs):,} tiles "
            f"of {_sides(self.tile)} voxels; {units.size(max(need.memory for need in needed))} of memory a task, "
            f"at most {units.size(max(need.disk for need in needed))} each in the work folder, "
            f"about {units.minutes(sum(need.seconds for need in needed))} of one processor",
        ]
        if "counts" in self.kinds:
            named = ", ".join(f"{label.path} (class {label.class_id})" for label in entry.labels)
            masked = f", outside of {', '.join(mask.path for mask in entry.metric_masks)}" if entry.metric_masks else ""
            lines.append(f"  compared with {named}{masked}")
        return "\n".join(lines)


@dataclass
class Plan:
    """A run's plan, made by plan.make.

    regions     of --data, whose maps and labels are wanted
    candidates  regions that are only compared with labels, by every checkpoint: by them one of several is chosen
    models      checkpoints, in their order
    stale       units of the ledger with other settings, which are moved to stale/STAMP
    broken      units with files changed or deleted since, which are moved there too
    stamp       time of this plan, in UTC
    differs     how the settings of the stale ones differ, in words
    settings    all params by name
    stages      stage -> {"args": its command's arguments, "code": digest of its code}
    folders     local folders that hold the containers
    session     id of the run
    notes       sentences for the user
    """

    regions: list[Region]
    candidates: list[Region]
    models: list[Model]
    stale: list[str]
    broken: list[str]
    stamp: str
    differs: str
    settings: Mapping[str, Any]
    stages: dict[str, dict[str, str]]
    folders: list[str]
    session: str
    notes: list[str] = field(default_factory=list)

    @property
    def sweep(self) -> bool:
        """Whether a checkpoint is to be chosen."""
        return len(self.models) > 1

    def text(self) -> str:
        """What the user sees before anything starts."""
        wanted = sum(len(region.slabs) for region in self.regions)
        lines = [f"{units.count(len(self.regions), 'volume')}, {units.count(wanted, 'slab')}{self._done(wanted)}"]
        if self.stale:
            moved = f"{units.count(len(self.stale), 'committed result')} used other settings ({self.differs})"
            lines.append(f"{moved}: they will be moved to stale/")
        if self.broken:
            moved = units.count(len(self.broken), "committed result")
            lines.append(f"files of {moved} were changed or deleted; the remaining ones will be moved to stale/")
        lines += [region.text() for region in self.regions[:LISTED]]
        if len(self.regions) > LISTED:
            lines.append(f"and {len(self.regions) - LISTED:,} more")
        if self.candidates:
            names = ", ".join(dict.fromkeys(region.name for region in self.candidates))
            left = sum(len(region.todo(model.name)) for region in self.candidates for model in self.models)
            best = f"{len(self.models)} checkpoints, of which the best on {names} is chosen" if self.sweep else names
            lines.append(f"compared with labels: {best}; {units.count(left, 'slab')} to predict for it")
        first = self.models[0]
        sums = ", ".join(f"{model.file} sha256 {model.sha256[:12]}" for model in self.models[:LISTED])
        lines.append(f"network of {models.describe(first.unet)}; {sums}")
        notes = [
            *self.notes,
            *(f"{r.name}: {text}" for r in [*self.regions, *self.candidates] for text in r.entry.notes),
        ]
        return "\n".join(lines + list(dict.fromkeys(notes)))

    def _done(self, wanted: int) -> str:
        if self.sweep:
            return ""
        left = sum(len(region.todo(self.models[0].name)) for region in self.regions)
        return f", {wanted - left:,} already done"


def _sides(tile: Triple) -> str:
    return str(tile[0]) if len({*tile}) == 1 else " x ".join(map(str, tile))
