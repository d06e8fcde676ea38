"""The part of tools/bench that measures commits to tables that are folders of files: how fast one
writer and eight writers are, and whether a commit's cost grows with the table's history."""
from __future__ import annotations

import contextlib
import itertools
import json
import re
import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab import NO_DELAY, CannotMeasure, Lab, ProcessorTime, Service, in_turn, say
from tables import judged, markdown, share, spread

WRITERS = 8

# No snapshot expires meanwhile.
OPTIONS = (*NO_DELAY, "--table-keep", "1000000", "--table-sweep", "24h")

#: The commits that a table has before those that are measured. In the last table, nine manifests of
#: each higher level stand side by side, so its snapshots are the largest.
BEFORE = (10, 900, 9900)

#: How many commits are measured on each of these tables in a round. They take turns one by one, so
#: that all tables share the machine's good and bad moments.
WINDOW = 30

RETRIES = ("none", "fixed", "exponential", "jitter")

#: The strategy of the single writer to which all are compared, and of the tables with a history.
BASE = "exclusive_create_retry"

# Target: what a commit to the longest table may cost, of one to the shortest.
TARGET_GROWTH = 1.25

#: More than any answer to an append takes.
SECONDS_AT_MOST = 60

PIECE = 1 << 16


@dataclass
class Loop:
    """Some writers that appended to one table, each one record after the other."""

    #: From the first request to the last answer.
    seconds: float = 0.0
    #: How long each append took that was made, in seconds.
    applied: list[float] = field(default_factory=list)
    refused: int = 0
    #: Attempts beyond the first, including those of refused appends.
    retries: int = 0
    #: Attempts that came after another client's commit.
    conflicts: int = 0
    #: Snapshots that became the current one.
    commits: int = 0

    @property
    def rate(self) -> float:
        return len(self.applied) / self.seconds

    def per_append(self, count: int) -> float:
        return count / max(len(self.applied), 1)


@dataclass
class Way:
    """A strategy with a retry policy, and its loops by the number of writers, one each round."""

    strategy: str
    retry: str | None = None
    partitions: int | None = None
    loops: dict[int, list[Loop]] = field(default_factory=lambda: {1: [], WRITERS: []})

    @property
    def name(self) -> str:
        details = [f"--retry {self.retry}"] if self.retry else []
        details += [f"{self.partitions} partitions"] if self.partitions else []
        return f"`{self.strategy}`" + "".join(f", {detail}" for detail in details)

    @property
    def options(self) -> tuple[str, ...]:
        return (*OPTIONS, "--retry", self.retry) if self.retry else OPTIONS

    def partition(self, writer: int) -> str | None:
        return f"p{writer % self.partitions}" if self.partitions else None

    def all(self, writers: int) -> Loop:
        """The sum of the loops with that number of writers."""
        loops = self.loops[writers]
        return Loop(
            sum(it.seconds for it in loops), [each for it in loops for each in it.applied],
            *(sum(getattr(it, name) for it in loops) for name in ("refused", "retries", "conflicts", "commits")),
        )

    def raw(self) -> dict:
        loops = {writers: [vars(loop) for loop in loops] for writers, loops in self.loops.items()}
        return {"strategy": self.strategy, "retry": self.retry, "partitions": self.partitions, "loops": loops}


@dataclass
class History:
    """Tables with the same number of commits before those that are measured."""

    before: int
    #: The loop that made the commits before.
    filled: Loop | None = None
    #: The seconds of each commit, in each round.
    windows: list[list[float]] = field(default_factory=list)

    def medians(self) -> list[float]:
        return [statistics.median(window) for window in self.windows]


def measure(lab: Lab, rounds: int, seconds: int) -> dict:
    """Prints what was measured, and returns all raw figures."""
    ways = [
        Way("exclusive_create"),
        *(Way(BASE, retry) for retry in RETRIES),
        Way("leader_lock"),
        Way("partitioned", partitions=WRITERS),
        Way("batched"),
    ]
    for way in ways:
        lab.service(way.options)
    with OtherPrograms(lab) as others:
        measure_ways(lab, ways, rounds, seconds)
    print(speed_table(ways), conflict_table(ways), busy_line(others), sep="\n", flush=True)
    with OtherPrograms(lab) as others_later:
        histories = measure_histories(lab.service(OPTIONS), rounds)
    print(history_table(histories), verdict(histories) + busy_line(others_later), sep="\n", flush=True)
    return {
        "ways": [way.raw() for way in ways],
        "histories": [raw(history) for history in histories],
        "processors_busy_elsewhere": [others.processors, others_later.processors],
    }


def measure_ways(lab: Lab, ways: list[Way], rounds: int, seconds: int) -> None:
    for turn in range(rounds):
        for way in in_turn(ways, turn):
            for writers in way.loops:
                table = f"{way.strategy}-{way.retry or 'own'}-{writers}-{turn}"
                loop = append_for(seconds, lab.service(way.options), way, writers, table)
                way.loops[writers].append(loop)
                say(f"round {turn + 1} of {rounds}, {way.name}, {writers} at once: {loop.rate:.0f} appends/s")


def measure_histories(service: Service, rounds: int) -> list[History]:
    way = Way(BASE)
    histories = [History(before) for before in BEFORE]
    for history in histories[1:]:
        say(f"making a table of {history.before} commits")
        history.filled = append_times(history.before, service, way, f"history-{history.before}")
    for turn in range(rounds):
        # The shortest history would soon be a longer one, so each round has a new table.
        tables = [f"history-{history.before}" for history in histories]
        tables[0] += f"-{turn}"
        histories[0].filled = append_times(histories[0].before, service, way, tables[0])
        for history, loop in zip(histories, append_by_turns(service, way, tables)):
            history.windows.append(loop.applied)
        medians = ", ".join(f"{history.medians()[-1] * 1000:.2f} ms" for history in histories)
        say(f"round {turn + 1} of {rounds}, after {', '.join(map(str, BEFORE))} commits: {medians}")
    return histories


# What is run -------------------------------------------------------------------------------------

def append_for(seconds: int, service: Service, way: Way, writers: int, table: str) -> Loop:
    """Lets writers append to a new table for that many seconds."""
    def is_over(loop: Loop, began: float) -> bool:
        return time.monotonic() - began >= seconds

    return audited(service, table, append(service, way, writers, table, is_over))


def append_times(count: int, service: Service, way: Way, table: str) -> Loop:
    """Lets one writer append that many records."""
    return append(service, way, 1, table, lambda loop, _began: len(loop.applied) >= count)


def append_by_turns(service: Service, way: Way, tables: list[str]) -> list[Loop]:
    """Appends one record to each table in turn."""
    loops = [Loop() for _ in tables]
    with contextlib.ExitStack() as connections:
        writers = [connections.enter_context(contextlib.closing(Writer(service, way, 0, it))) for it in tables]
        pairs = list(zip(writers, loops))
        for turn in range(WINDOW):
            for writer, loop in in_turn(pairs, turn):
                writer.append(loop)
    return loops


def append(
    service: Service, way: Way, writers: int, table: str, is_over: Callable[[Loop, float], bool]
) -> Loop:
    """Lets each writer append until `is_over` says so of its loop."""
    loops = [Loop() for _ in range(writers)]
    failures: list[BaseException] = []
    gate = threading.Barrier(writers)

    def work(number: int) -> None:
        try:
            with contextlib.closing(Writer(service, way, number, table)) as writer:
                gate.wait(SECONDS_AT_MOST)
                began = time.monotonic()
                while not is_over(loops[number], began):
                    writer.append(loops[number])
                loops[number].seconds = time.monotonic() - began
        except Exception as failure:
            gate.abort()
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        # The others only tell that one has failed.
        if not isinstance(failure, threading.BrokenBarrierError):
            raise CannotMeasure(f"an append by {way.strategy}: {failure}") from failure
    return Loop(
        max(loop.seconds for loop in loops), [each for loop in loops for each in loop.applied],
        *(sum(getattr(loop, name) for loop in loops) for name in ("refused", "retries", "conflicts")),
    )


def audited(service: Service, table: str, loop: Loop) -> Loop:
    """The loop with the number of its commits, if the table has all that was acknowledged."""
    audit = service.get(f"/tables/{table}/audit")
    counts = {anomaly["name"]: anomaly["count"] for anomaly in audit["anomalies"]}
    # Files of attempts that were too late are named by no snapshot. They are no loss.
    wrong = [name for name, count in counts.items() if count and name != "orphan_files"]
    made = (audit["records"], audit["acknowledged"])
    if wrong or made != (len(loop.applied), len(loop.applied)):
        raise CannotMeasure(f"the table {table} is wrong: {len(loop.applied)} appends, and {audit}")
    # A table begins with version 0, which no client has made.
    loop.commits = audit["version"]
    return loop


class OtherPrograms:
    """How many processors neither the lab nor this script kept busy inside the `with`."""

    def __init__(self, lab: Lab) -> None:
        services = {f"service {at}": it.process.pid for at, it in enumerate(lab.instances.values())}
        self.lab = ProcessorTime(database=lab.database, **services)

    def __enter__(self) -> OtherPrograms:
        self.began, self.own = time.monotonic(), time.process_time()
        self.lab.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.lab.__exit__(*exception)
        used = self.lab.used
        machine = used.pop("machine")
        own = sum(used.values()) + time.process_time() - self.own
        self.processors = max(machine - own, 0) / (time.monotonic() - self.began)


class Writer:
    """A client that appends one record after the other through one connection. It does little work
    of its own, because it shares the processors with the service."""

    def __init__(self, service: Service, way: Way, number: int, table: str) -> None:
        host, port = service.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), SECONDS_AT_MOST)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = (
            f"POST /tables/{way.strategy}/ HTTP/1.1\r\nHost: {service.address}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )
        self.record = {"table": table, "value": 1}
        if partition := way.partition(number):
            self.record["partition"] = partition
        # No two connections to a table write the same key.
        self.keys = (f"{number}-{time.time_ns()}-{count}" for count in itertools.count())

    def close(self) -> None:
        self.socket.close()

    def append(self, loop: Loop) -> None:
        """Appends a record, and notes in the loop how that ended."""
        body = json.dumps(self.record | {"key": next(self.keys)})
        began = time.monotonic()
        self.socket.sendall(f"{self.head}{len(body)}\r\n\r\n{body}".encode())
        status, answer = self.answer()
        took = time.monotonic() - began
        is_made = status == 200
        if not is_made and status != 409:
            raise CannotMeasure(f"it was answered with {status}: {answer[:500]!r}")
        attempts = int(re.search(rb'"attempts":(\d+)', answer)[1])
        # Each client of a batch is told of the attempts of all.
        loop.retries += attempts - 1
        loop.conflicts += attempts - is_made
        if is_made:
            loop.applied.append(took)
        else:
            loop.refused += 1

    def answer(self) -> tuple[int, bytes]:
        """The status and the body of the next answer."""
        got = b""
        while (end := got.find(b"\r\n\r\n")) < 0:
            got += self.receive()
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", got[:end])[1])
        while len(got) < end + 4 + length:
            got += self.receive()
        return int(got[9:12]), got[end + 4:]

    def receive(self) -> bytes:
        piece = self.socket.recv(PIECE)
        if not piece:
            raise CannotMeasure("the service has closed the connection")
        return piece


# What is printed ---------------------------------------------------------------------------------

def speed_table(ways: list[Way]) -> str:
    base = next(way for way in ways if (way.strategy, way.retry) == (BASE, "jitter")).loops[1]
    rows = []
    for way in ways:
        cells = []
        for loops in way.loops.values():
            cells.append(spread([loop.rate for loop in loops]))
            cells.append(spread([own.rate / its.rate for own, its in zip(loops, base)]))
        rows.append([way.name, *cells])
    head = ["appends made per second", "1 writer", ": one writer", f"{WRITERS} writers", ": one writer"]
    return markdown(head, rows) + f"\n*One writer* is that of `{BASE}` with --retry jitter, in the same round.\n"


def conflict_table(ways: list[Way]) -> str:
    rows = []
    for way in ways:
        loop = way.all(WRITERS)
        answered = len(loop.applied) + loop.refused
        rows.append([
            way.name,
            f"{loop.commits / loop.seconds:.1f}",
            f"{loop.per_append(loop.conflicts):.2f}",
            f"{loop.per_append(loop.retries):.2f}",
            share(loop.refused / max(answered, 1)),
            f"{percentile(loop.applied, 50) * 1000:.1f}",
            f"{percentile(loop.applied, 99) * 1000:.1f}",
        ])
    head = [
        f"{WRITERS} writers", "commits/s", "conflicts per append made", "retries per append made", "refused",
        "p50, ms", "p99, ms",
    ]
    return markdown(head, rows)


def history_table(histories: list[History]) -> str:
    rows = []
    for history in histories:
        ratios = [own / its for own, its in zip(history.medians(), histories[0].medians())]
        before = history.filled.applied
        rows.append([
            str(history.before),
            spread([seconds * 1000 for seconds in history.medians()]),
            spread(ratios),
            f"{statistics.mean(before) * 1000:.2f}",
            f"{max(before) * 1000:.1f}",
        ])
    head = [
        "commits before", "ms per commit", f": after {histories[0].before}", "mean of those before, ms",
        "slowest of those before, ms",
    ]
    return markdown(head, rows)


def verdict(histories: list[History]) -> str:
    shortest, longest = histories[0], histories[-1]
    growth = statistics.median(own / its for own, its in zip(longest.medians(), shortest.medians()))
    return (
        f"A commit after {longest.before} others takes {growth:.2f} of the time of one after {shortest.before}, "
        f"target ≤ {TARGET_GROWTH}: {judged(growth <= TARGET_GROWTH)}.\n"
    )


def busy_line(others: OtherPrograms) -> str:
    return f"Other programs kept {others.processors:.1f} processors busy meanwhile.\n"


def percentile(values: list[float], percent: int) -> float:
    """By nearest rank. NaN if there are none."""
    ordered = sorted(values)
    return ordered[max(-(-percent * len(ordered) // 100) - 1, 0)] if ordered else float("nan")


def raw(history: History) -> dict:
    return {"before": history.before, "filled": vars(history.filled), "windows": history.windows}
