"""The part of tools/bench that measures the explorer: schedules per second, what limits them, and
how long its answers take."""
from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab import CannotMeasure, Lab, ProcessorTime, in_turn, run, say, stock_environment
from tables import judged, markdown, milliseconds, spread

STRATEGY = "atomic_no_delay"
PARALLEL = (1, 2, 4, 8, 16)

# With these, the operating system decides when a commit of MySQL gets to the disk.
RELAXED = {"sync_binlog": "0", "innodb_flush_log_at_trx_commit": "0"}
RELAXED_PARALLEL = (1, 8)

OTHER_ENGINES = {"MariaDB": "local:mariadb", "PostgreSQL": "local:postgres", "SQLite": "sqlite::memory:"}
OTHER_PARALLEL = 8

# Targets in seconds: the MySQL column of the matrix, and one strategy at one level.
TARGET_COLUMN = 60
TARGET_ANSWER = 2

#: A part of what racy says if this machine has no such server.
NOT_FOUND = "server was found"


def measure(lab: Lab, rounds: int, processors: int) -> dict:
    """Prints what was measured, and returns all raw figures."""
    setups = [Setup("MySQL", parallel) for parallel in PARALLEL]
    setups += [Setup("MySQL", parallel, relaxed=True) for parallel in RELAXED_PARALLEL]
    others = [Setup(engine, OTHER_PARALLEL) for engine in OTHER_ENGINES]
    columns: list[Column] = []

    # The first search opens connections and fills tables. It is not counted.
    search_on_mysql(lab, setups[0])
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        for setup in in_turn(setups, turn):
            setup.add(search_on_mysql(lab, setup))
        for setup in in_turn(others, turn):
            search_elsewhere(lab, setup)
        columns.append(explore_column(lab))
        say(f"the MySQL column of the matrix: {columns[-1].seconds:.1f} s")

    print(speed_table(setups), limits_table(setups), processor_table(setups, processors), sep="\n")
    print(limits(setups, processors), column_table(columns), column_verdicts(columns), sep="\n")
    print(differing(setups, columns))
    print(engines_table([at(setups, OTHER_PARALLEL), *others]), flush=True)
    return {
        "setups": [setup.raw() for setup in setups + others],
        "columns": [column.raw() for column in columns],
    }


# What is run -------------------------------------------------------------------------------------

@dataclass
class Search:
    """One run of all schedules of the strategy."""

    engine: str
    schedules: int
    #: How the schedules ended. It should be the same each time.
    counts: str
    #: In how many of them a client waited for a lock.
    waited: int
    #: As racy reports it.
    seconds: float
    #: Processor time in seconds: client (the explorer), database (only the lab's own), machine.
    processor: dict[str, float]
    #: The seconds in which that processor time was used.
    processor_seconds: float

    @property
    def rate(self) -> float:
        return self.schedules / self.seconds


@dataclass
class Setup:
    """A way to run searches, and the searches that were run this way, one for each round."""

    engine: str
    parallel: int
    #: Whether commits may skip the disk.
    relaxed: bool = False
    searches: list[Search] = field(default_factory=list)
    #: Why there are no searches. Empty if the engine was found.
    missing: str = ""

    def __str__(self) -> str:
        return f"{self.engine}, --parallel {self.parallel}{', relaxed' if self.relaxed else ''}"

    def add(self, search: Search) -> None:
        self.searches.append(search)
        say(f"{self}: {search.rate:.0f} schedules/s")

    def rate(self) -> float:
        return statistics.median(search.rate for search in self.searches)

    def ratios(self, base: Setup) -> list[float]:
        """Its schedules per second to those of another setup, round by round."""
        return [own.rate / other.rate for own, other in zip(self.searches, base.searches)]

    def processor_us(self, process: str) -> float:
        """Processor time per schedule."""
        return self.total(process) * 1e6 / sum(search.schedules for search in self.searches)

    def occupied(self, process: str, processors: int) -> float:
        """The share of the time of `processors` processors that a process took."""
        return self.total(process) / (processors * sum(search.seconds for search in self.searches))

    def total(self, process: str) -> float:
        return sum(search.processor[process] for search in self.searches)

    def raw(self) -> dict:
        return {**vars(self), "searches": [vars(search) for search in self.searches]}


def search_on_mysql(lab: Lab, setup: Setup) -> Search:
    environment = stock_environment("RACY_MYSQLD")
    with relaxing(lab) if setup.relaxed else contextlib.nullcontext():
        return search(lab, setup, lab.url, environment, database=lab.database)


@contextlib.contextmanager
def relaxing(lab: Lab) -> Iterator[None]:
    """Inside the `with`, commits of the MySQL may skip the disk."""
    stock = lab.set_globals(RELAXED)
    try:
        yield
    finally:
        lab.set_globals(stock)


def search_elsewhere(lab: Lab, setup: Setup) -> None:
    """Searches on a private server, which is started and stopped with the search."""
    if setup.missing:
        return
    # RACY_MYSQLD, if set, names the MySQL of the lab, and not a MariaDB.
    environment = stock_environment("RACY_POSTGRES")
    try:
        setup.add(search(lab, setup, OTHER_ENGINES[setup.engine], environment))
    except CannotMeasure as reason:
        if NOT_FOUND not in str(reason):
            raise
        setup.missing = str(reason)


def search(lab: Lab, setup: Setup, url: str, environment: dict[str, str], **processes: int) -> Search:
    began = time.monotonic()
    with ProcessorTime(**processes) as processor:
        [finding] = explore(lab, url, environment, STRATEGY, "--parallel", setup.parallel)
    return Search(
        engine=f"{finding['engine_version']}, {finding['isolation']}",
        schedules=finding["schedules"],
        counts=counts_of(finding),
        waited=finding["waited"],
        seconds=took(finding),
        processor=processor.used,
        processor_seconds=time.monotonic() - began,
    )


def explore(lab: Lab, url: str, environment: dict[str, str], *options) -> list[dict]:
    """The findings of `racy explore`."""
    command = [lab.racy, "explore", "--format", "json", "--database-url", url, *options]
    # Status 1 says that a strategy broke its promise. The figures are good all the same.
    report = json.loads(run(command, good_statuses=(0, 1), env=environment, stderr=subprocess.PIPE))
    return report["findings"]


def counts_of(finding: dict) -> str:
    anomalies = [f"{count} {name}" for name, count in finding["anomalies"].items()]
    refused = sorted(
        f"{each['schedules']} refused ({each['code'] or each['fault']})" for each in finding["refused"]
    )
    return ", ".join([f"{finding['safe']} safe", *anomalies, *refused])


def took(finding: dict) -> float:
    """How long a finding took: in seconds, and above zero."""
    return max(finding["took_ms"], 1) / 1000


@dataclass
class Answer:
    """The finding about one strategy at one level."""

    strategy: str
    isolation: str
    #: How the schedules ended. It should be the same each time.
    counts: str
    seconds: float


@dataclass
class Column:
    """The MySQL column of the matrix, explored once."""

    #: From the start of racy to its end.
    seconds: float
    answers: list[Answer]

    def raw(self) -> dict:
        return {"seconds": self.seconds, "answers": [vars(answer) for answer in self.answers]}


def explore_column(lab: Lab) -> Column:
    began = time.monotonic()
    findings = explore(lab, lab.url, stock_environment("RACY_MYSQLD"), "--matrix")
    seconds = time.monotonic() - began
    return Column(seconds, [
        Answer(row_of(finding), finding["isolation"], counts_of(finding), took(finding))
        for finding in findings
    ])


def row_of(finding: dict) -> str:
    """The strategy, with the number of instances that served its clients if that was not 1."""
    instances = finding["instances"]
    return finding["strategy"] if instances == 1 else f"{finding['strategy']}, {instances} instances"


# What follows ------------------------------------------------------------------------------------

def at(setups: list[Setup], parallel: int, relaxed: bool = False) -> Setup:
    """The setup with this number of schedules at once."""
    return next(it for it in setups if it.parallel == parallel and it.relaxed == relaxed)


def shares(stock: Setup, relaxed: Setup, processors: int) -> dict[str, float]:
    """Splits the time of a schedule with stock durability. The disk's part is what relaxed
    durability saves. The two processes' parts are their processor time in what is left, as a share
    of the processors that this number of schedules can use. The rest is waiting."""
    left = min(1 / statistics.median(relaxed.ratios(stock)), 1)
    usable = min(stock.parallel, processors)
    parts = {
        "getting commits to the disk": 1 - left,
        "the server's processor time": left * relaxed.occupied("database", usable),
        "the explorer's processor time": left * relaxed.occupied("client", usable),
    }
    return {**parts, "waiting": max(1 - sum(parts.values()), 0)}


def limits(setups: list[Setup], processors: int) -> str:
    sentences = []
    for parallel in RELAXED_PARALLEL:
        stock = at(setups, parallel)
        parts = shares(stock, at(setups, parallel, relaxed=True), processors)
        spelled = ", ".join(f"{part:.0%} {name}" for name, part in parts.items())
        sentences.append(
            f"Of the time at --parallel {parallel}: {spelled}. "
            f"What limits it most is {max(parts, key=parts.get)}.\n"
        )
    sentences.append(
        "Waiting is for answers and wake-ups, before the engine is asked which client waits for a lock, and "
        "for processors that other programs use. Processor time for getting commits to the disk is in it.\n"
    )
    return "\n".join(sentences)


def differing(setups: list[Setup], columns: list[Column]) -> str:
    """Names the searches whose counts differ from those of most searches of the same kind."""
    alike = [[(str(setup), search.counts) for setup in setups for search in setup.searches]]
    for (strategy, level), answers in by_cell(columns).items():
        alike.append([(f"{strategy} at {level}, in the column", answer.counts) for answer in answers])
    lines = []
    for searches in alike:
        usual = Counter(counts for _, counts in searches).most_common(1)[0][0]
        strays = Counter(search for search in searches if search[1] != usual)
        for (where, counts), times in sorted(strays.items()):
            lines.append(f"Not the usual count: {where}: {counts}, instead of {usual} ({times} ×).\n")
    return "\n".join(lines) or "Every search counted the same as the others of its kind.\n"


def by_cell(columns: list[Column]) -> dict[tuple[str, str], list[Answer]]:
    """The answers about each strategy at each level."""
    cells: dict[tuple[str, str], list[Answer]] = {}
    for column in columns:
        for answer in column.answers:
            cells.setdefault((answer.strategy, answer.isolation), []).append(answer)
    return cells


# What is printed ---------------------------------------------------------------------------------

def speed_table(setups: list[Setup]) -> str:
    base = at(setups, 1)
    rows = []
    for setup in setups:
        if not setup.relaxed:
            rows.append([setup.parallel, f"{setup.rate():.0f}", spread(setup.ratios(base))])
    return markdown([f"{STRATEGY}, --parallel", "schedules/s", ": --parallel 1"], rows)


def limits_table(setups: list[Setup]) -> str:
    rows = []
    for parallel in RELAXED_PARALLEL:
        stock, relaxed = at(setups, parallel), at(setups, parallel, relaxed=True)
        rows.append([parallel, f"{stock.rate():.0f}", f"{relaxed.rate():.0f}", spread(relaxed.ratios(stock))])
    settings = ", ".join(f"{name}={value}" for name, value in RELAXED.items())
    head = ["--parallel", "schedules/s, stock durability", f"relaxed ({settings})", "relaxed : stock"]
    return markdown(head, rows)


def processor_table(setups: list[Setup], processors: int) -> str:
    rows = []
    for setup in setups:
        rows.append([
            f"{setup.parallel}{', relaxed' if setup.relaxed else ''}",
            *(milliseconds(setup.processor_us(process)) for process in ("client", "database")),
            f"{busy_elsewhere(setup):.2f}",
        ])
    head = ["processor time per schedule, ms; --parallel", "explorer", "MySQL"]
    return markdown([*head, f"processors, of {processors}, that everything else kept busy"], rows)


def busy_elsewhere(setup: Setup) -> float:
    """How many processors were busy with neither the explorer nor its database."""
    elsewhere = setup.total("machine") - setup.total("client") - setup.total("database")
    return max(elsewhere, 0) / sum(search.processor_seconds for search in setup.searches)


def column_table(columns: list[Column]) -> str:
    medians = answer_medians(columns)
    strategies = dict.fromkeys(strategy for strategy, _ in medians)
    levels = dict.fromkeys(level for _, level in medians)
    rows = [[strategy, *(f"{medians[strategy, level]:.2f}" for level in levels)] for strategy in strategies]
    return markdown(["MySQL, all schedules, s", *levels], rows)


def answer_medians(columns: list[Column]) -> dict[tuple[str, str], float]:
    """How many seconds each strategy's answer took at each level."""
    return {
        cell: statistics.median(answer.seconds for answer in answers)
        for cell, answers in by_cell(columns).items()
    }


def column_verdicts(columns: list[Column]) -> str:
    whole = [column.seconds for column in columns]
    searches = [sum(answer.seconds for answer in column.answers) for column in columns]
    medians = answer_medians(columns)
    slowest = max(medians, key=medians.get)
    answers = [answer.seconds for column in columns for answer in column.answers]
    late = sum(seconds >= TARGET_ANSWER for seconds in answers)
    return (
        f"The whole MySQL column: {spread(whole)} s, of which its searches took {spread(searches)} s, "
        f"target < {TARGET_COLUMN} s: {judged(statistics.median(whole) < TARGET_COLUMN)}.\n\n"
        f"One strategy's answer at one level: {medians[slowest]:.2f} s for the slowest ({slowest[0]} at "
        f"{slowest[1]}), target < {TARGET_ANSWER} s: {judged(medians[slowest] < TARGET_ANSWER)}; "
        f"of all {len(answers)} answers, {late} took longer than that, the longest {max(answers):.2f} s.\n"
    )


def engines_table(setups: list[Setup]) -> str:
    rows = []
    for setup in setups:
        if setup.missing:
            rows.append([setup.engine, "not found here", "", ""])
            continue
        rates = [search.rate for search in setup.searches]
        last = setup.searches[-1]
        low, high = min(rates), max(rates)
        rate = f"{low:.0f}–**{setup.rate():.0f}**–{high:.0f}"
        rows.append([f"{setup.engine} {last.engine}", last.schedules, last.waited, rate])
    head = [f"{STRATEGY}, --parallel {OTHER_PARALLEL}", "schedules", "with a wait", "schedules/s"]
    return markdown(head, rows)
