"""The queue: requests that wait to run, by urgency and by whom they can share a run with; its owner locks it."""

import asyncio
import itertools
import time
from collections import OrderedDict
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from hondo.artifact import Tensors
from serving.runtime.sizes import Sizes
from serving.telemetry import course
from serving.telemetry.course import Stage


class Priority(IntEnum):
    """Who goes first when there is more work than can run at once."""

    HIGH = 0
    NORMAL = 1


# Jobs of one group may share a run: they want the same outputs and have the same shapes behind the first axis.
Group = tuple[object, ...]


class Job:
    """A request for the outputs of some rows."""

    __slots__ = (
        "_course",
        "_parts",
        "_waits_since_s",
        "arrived_s",
        "done",
        "feeds",
        "group",
        "outputs",
        "priority",
        "rows",
        "taken",
    )

    def __init__(
        self,
        feeds: Tensors,
        outputs: tuple[str, ...],
        rows: int,
        priority: Priority,
        done: "asyncio.Future[Tensors]",
    ) -> None:
        self.feeds = feeds
        self.outputs = outputs
        self.rows = rows
        self.priority = priority
        self.done = done
        self.group: Group = (outputs, *[array.shape[1:] for array in feeds.values()])
        self.arrived_s = time.monotonic()
        # Rows that runs have taken; between 0 and `rows` only for a job larger than any run.
        self.taken = 0
        self._parts: list[tuple[int, Tensors]] = []
        self._course = course.current()
        # Since when the rows wait that have not run.
        self._waits_since_s = self.arrived_s

    def ran(self, began_s: float, ended_s: float) -> None:
        """Notes that a run had rows of the job (time.monotonic)."""
        if self._course is None:
            return
        if began_s > self._waits_since_s:
            self._course.stages.append((Stage.QUEUE, self._waits_since_s, began_s))
        self._course.stages.append((Stage.COMPUTE, began_s, ended_s))
        self._waits_since_s = ended_s

    @property
    def row_numbers(self) -> int:
        """How many numbers go in for a row."""
        return sum(array.size for array in self.feeds.values()) // self.rows

    def finish(self, outputs: Tensors) -> None:
        """Answers the request, unless it left."""
        if not self.done.done():
            self.done.set_result(outputs)

    def add(self, start: int, part: Tensors) -> None:
        """Takes the outputs for the rows from `start`; the last part to come answers the request."""
        if self.done.done():
            return
        self._parts.append((start, part))
        if sum(len(next(iter(part.values()))) for _, part in self._parts) == self.rows:
            parts = [part for _, part in sorted(self._parts, key=lambda part: part[0])]
            self.finish({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


class Share(NamedTuple):
    """The rows of a job, from `start` to `end`, that one run takes."""

    job: Job
    start: int
    end: int

    @property
    def rows(self) -> int:
        """How many rows that is."""
        return self.end - self.start

    def feeds(self) -> Tensors:
        """Gives the inputs of these rows."""
        if self.rows == self.job.rows:
            return self.job.feeds
        return {name: array[self.start : self.end] for name, array in self.job.feeds.items()}


class Queue:
    """Jobs in the order of urgency, then of arrival."""

    def __init__(self) -> None:
        self.rows = 0
        self._groups: dict[Group, dict[Priority, OrderedDict[Job, None]]] = {}

    def add(self, job: Job) -> None:
        """Puts a job at the end of its queue."""
        levels = self._groups.setdefault(job.group, {level: OrderedDict() for level in Priority})
        levels[job.priority][job] = None
        self.rows += job.rows

    def remove(self, job: Job) -> bool:
        """Takes a job out; says whether it was there."""
        levels = self._groups.get(job.group)
        if levels is None or job not in levels[job.priority]:
            return False
        del levels[job.priority][job]
        if not any(levels.values()):
            del self._groups[job.group]
        self.rows -= job.rows - job.taken
        return True

    def oldest_s(self) -> float:
        """Gives when the job that waits longest arrived (time.monotonic); at least one must wait."""
        return min(next(self._jobs(group)).arrived_s for group in self._groups)

    def take(self, sizes: Sizes) -> list[Share]:
        """Takes out the rows of the next run: the most urgent job's, and its group's as far as the best size goes.

        Jobs stay whole, but for one that is larger than any run. Nothing comes of an empty queue.
        """
        if not self.rows:
            return []
        group = min(self._groups, key=self._urgency)
        head = next(self._jobs(group))
        sizes = sizes.of_rows(head.row_numbers)
        waiting = self._waiting(group, sizes.largest)
        room = max(sizes.choose(waiting), min(head.rows - head.taken, sizes.largest))
        shares: list[Share] = []
        for job in list(itertools.islice(self._jobs(group), room)):
            end = min(job.rows, job.taken + room)
            if not room or (end < job.rows <= sizes.largest):
                break
            shares.append(Share(job, job.taken, end))
            room -= end - job.taken
            self._advance(job, end)
        return shares

    def _advance(self, job: Job, end: int) -> None:
        if end == job.rows:
            self.remove(job)
        else:
            self.rows -= end - job.taken
        job.taken = end

    def _jobs(self, group: Group) -> Iterator[Job]:
        return itertools.chain.from_iterable(self._groups[group].values())

    def _urgency(self, group: Group) -> tuple[Priority, float]:
        head = next(self._jobs(group))
        return head.priority, head.arrived_s

    def _waiting(self, group: Group, most: int) -> int:
        """Counts the rows of a group, as far as one run can take them."""
        rows = 0
        for job in self._jobs(group):
            rows += job.rows - job.taken
            if rows >= most:
                return most
        return rows
