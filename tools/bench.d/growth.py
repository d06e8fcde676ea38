"""The part of tools/bench that measures how a search grows with the number of statements, clients
and preemptions, and what reduction saves."""
from __future__ import annotations

import json
import math
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import growth_chart
from lab import CannotMeasure, Lab, run, say, stock_environment
from tables import judged, markdown

#: Statements of each client, BEGIN and COMMIT among them, by the number of clients.
SIZES = {2: (5, 6, 8, 10, 20, 40), 3: (5, 6)}

#: A search without a bound is run up to this number of schedules. Beyond it they are counted.
MOST_SCHEDULES = 20_000

#: A search within a bound is run up to this number of schedules.
MOST_WITHIN_A_BOUND = 4_000

BOUNDS = (0, 1, 2)

#: The size whose whole bound of two preemptions has to be run in at most this number of runs.
TARGET = (2, 40, 2, 3_500)


@dataclass
class Growth:
    """One search, of clients that lose an update and do most of their work on their own tables."""

    clients: int
    statements: int
    #: What is searched: `all`, `reduced`, or the largest number of preemptions.
    searched: str
    #: The number of runs that came to their end. None if there are too many to be run.
    runs: int | None
    #: The number of runs that were broken off, because another run shows the same.
    broken_off: int = 0
    seconds: float = 0.0
    #: The verdicts that were found.
    verdicts: tuple[str, ...] = ()


def measure(lab: Lab, svg: Path | None) -> list[dict]:
    """Prints what was measured, and returns all raw figures."""
    found = []
    with tempfile.TemporaryDirectory(prefix="racy-growth-") as folder:
        for clients, sizes in SIZES.items():
            for statements in sizes:
                file = Path(folder) / f"{clients}-clients-{statements}-statements.toml"
                file.write_text(scenario(clients, statements))
                found += [search(lab, file, clients, statements, each) for each in searches(clients, statements)]
    print(table(found), verdict(found), sep="\n", flush=True)
    if svg:
        svg.write_text(growth_chart.drawn([each for each in found if each.clients == 2]))
    complaints = differing(found)
    if complaints:
        raise CannotMeasure("\n".join(complaints))
    return [vars(each) for each in found]


# What is run -------------------------------------------------------------------------------------

def searches(clients: int, statements: int) -> list[str]:
    return ["all", *(str(bound) for bound in BOUNDS), "reduced"]


def search(lab: Lab, file: Path, clients: int, statements: int, searched: str) -> Growth:
    options = {"all": ["--reduction", "off"], "reduced": ["--reduction", "on"]}
    expected = schedules(clients, statements) if searched == "all" else within(clients, statements, searched)
    most = MOST_SCHEDULES if searched == "all" else MOST_WITHIN_A_BOUND
    if expected > most:
        return Growth(clients, statements, searched, runs=None)
    command = [
        lab.racy, "explore", file, "--format", "json", "--database-url", lab.url,
        *options.get(searched, ["--preemptions", searched]),
    ]
    # Status 1 says that an update was lost, as it should be.
    environment = stock_environment("RACY_MYSQLD")
    report = json.loads(run(command, good_statuses=(0, 1), env=environment, stderr=subprocess.PIPE))
    [finding] = report["findings"]
    growth = Growth(
        clients, statements, searched,
        runs=finding["schedules"],
        broken_off=finding.get("covered", 0),
        seconds=max(finding["took_ms"], 1) / 1000,
        verdicts=verdicts_of(finding),
    )
    say(f"{clients} clients of {statements} statements, {searched}: {growth.runs} runs in {growth.seconds:.1f} s")
    return growth


def verdicts_of(finding: dict) -> tuple[str, ...]:
    anomalies = [name for name, count in finding["anomalies"].items() if count]
    refused = [each["fault"] or "declined" for each in finding["refused"] if each["schedules"]]
    safe = ["safe"] if finding["safe"] else []
    return tuple(sorted({*anomalies, *refused, *safe}))


def scenario(clients: int, statements: int) -> str:
    """Each client reads the voucher in the middle and writes it before its commit. All its other
    statements are on three tables of its own."""
    names = "abcdefgh"[:clients]
    setup = ["CREATE TABLE voucher (id INT PRIMARY KEY, used INT NOT NULL);",
             "INSERT INTO voucher VALUES (1, 0);"]
    for name in names:
        for table in range(3):
            setup.append(f"CREATE TABLE {name}{table} (id INT PRIMARY KEY, n INT NOT NULL);")
            setup.append(f"INSERT INTO {name}{table} VALUES (0, 0), (1, 0), (2, 0), (3, 0);")
    parts = [f"title = 'Growth'\n[database]\nsetup = '''\n{lines(setup)}'''\n"]
    parts += [f"[[client]]\nscript = '''\n{lines(script(name, statements))}'''\n" for name in names]
    return "".join(parts)


def script(name: str, statements: int) -> list[str]:
    # BEGIN, the voucher's two and COMMIT are not on tables of its own.
    own = statements - 4
    before = [f"UPDATE {name}{at % 3} SET n = n + 1 WHERE id = {at % 4};" for at in range(own // 2)]
    after = [f"SELECT n FROM {name}{at % 3} WHERE id = {at % 4};" for at in range(own - own // 2)]
    return [
        "BEGIN;", *before,
        "SELECT used FROM voucher WHERE id = 1; \\gset", *after,
        "UPDATE voucher SET used = :used + 1 WHERE id = 1;", "\\unset used",
        "COMMIT;",
    ]


def lines(statements: list[str]) -> str:
    return "".join(f"{statement}\n" for statement in statements)


# What follows ------------------------------------------------------------------------------------

def schedules(clients: int, statements: int) -> int:
    """All orders of the statements, if no client ever waits."""
    return math.factorial(clients * statements) // math.factorial(statements) ** clients


def within(clients: int, statements: int, searched: str) -> int:
    """An estimate of the schedules within a bound. It is exact for two clients that never wait."""
    if searched == "reduced":
        return 0
    bound = int(searched)
    cuts = statements - 1
    if clients == 2:
        return sum(2 * math.comb(cuts, (it + 1) // 2) * math.comb(cuts, it // 2) for it in range(bound + 1))
    return math.factorial(clients) * (clients * cuts) ** bound


def verdict(found: list[Growth]) -> str:
    clients, statements, bound, most = TARGET
    bounded, reduced = (of(found, clients, statements, searched) for searched in (str(bound), "reduced"))
    if bounded.runs is None:
        raise CannotMeasure(f"{clients} clients of {statements} statements were not run")
    whole = reduced.runs + reduced.broken_off
    return "".join([
        f"{clients} clients of {statements} statements: at most {bound} preemptions take {bounded.runs} runs, "
        f"target ≤ {most}: {judged(bounded.runs <= most)}.\n",
        f"The whole search, reduced, takes {whole} ({reduced.runs} to their end, {reduced.broken_off} broken "
        f"off) instead of {schedules(clients, statements):.1e}: "
        f"{whole / bounded.runs:.2f} of the runs within the bound.\n",
    ])


def differing(found: list[Growth]) -> list[str]:
    """The sizes in which a reduced search and an unreduced one do not find the same verdicts."""
    complaints = []
    for each in found:
        reduced = of(found, each.clients, each.statements, "reduced")
        if each.searched == "all" and each.runs is not None and each.verdicts != reduced.verdicts:
            complaints.append(
                f"not the same verdicts: {each.clients} clients of {each.statements} statements, "
                f"{each.verdicts} and, reduced, {reduced.verdicts}"
            )
    return complaints


def of(found: list[Growth], clients: int, statements: int, searched: str) -> Growth:
    return next(it for it in found if (it.clients, it.statements, it.searched) == (clients, statements, searched))


# What is printed ---------------------------------------------------------------------------------

def table(found: list[Growth]) -> str:
    rows = []
    for clients, sizes in SIZES.items():
        for statements in sizes:
            cells = [of(found, clients, statements, each) for each in searches(clients, statements)]
            rows.append([f"{clients} × {statements}", *(spelled(each) for each in cells)])
    bounds = [f"≤ {bound} preemption{'' if bound == 1 else 's'}" for bound in BOUNDS]
    return markdown(["runs (seconds) of clients × statements", "all", *bounds, "reduced, all"], rows)


def spelled(growth: Growth) -> str:
    if growth.runs is None:
        count = schedules(growth.clients, growth.statements) if growth.searched == "all" else \
            within(growth.clients, growth.statements, growth.searched)
        return f"not run: about {count:.0e}"
    broken_off = f" + {growth.broken_off} broken off" if growth.broken_off else ""
    return f"{growth.runs}{broken_off} ({growth.seconds:.1f})"
