"""The part of tools/bench that measures how fast the schedules of an application are: a checkout of
60 statements, twice, with one, two and three instances of the application."""
from __future__ import annotations

import json
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import CannotMeasure, in_turn, say
from tables import judged, markdown, spread

INSTANCES = (1, 2, 3)

#: All schedules with at most one preemption take at most this number of seconds, on two processors.
TARGET = 120

FILE = """
title = "A checkout of 60 statements"
engines = ["mysql"]

[application]
command = [{program}]
env = {{ PORT = "{{app_port}}", DATABASE_URL = "{{db_url}}" }}

[database]
setup = '''
{setup}
'''

[[client]]
count = 2
request = {{ method = "POST", path = "/checkout/lost?client={{n}}" }}

[[invariant]]
name = "what was sold has left the stock"
sql = '''
SELECT (SELECT SUM(stock) FROM product)
  = 900 - (SELECT COALESCE(SUM(quantity), 0) FROM purchase_line)
'''
"""


@dataclass
class Way:
    """A search with this number of instances."""

    instances: int
    seconds: list[float] = field(default_factory=list)
    #: With the start of the server and of the application.
    all_seconds: list[float] = field(default_factory=list)
    schedules: set[int] = field(default_factory=set)
    anomalies: set[int] = field(default_factory=set)


def measure(folder: Path, rounds: int, profile: str, programs: Path) -> dict:
    """Prints what was measured, and returns all raw figures."""
    shop = programs / "examples/checkout"
    setup = subprocess.run([shop, "setup"], check=True, capture_output=True, text=True).stdout
    file = folder / "checkout.toml"
    file.write_text(FILE.format(program=json.dumps(str(shop)), setup=setup))
    ways = [Way(instances) for instances in INSTANCES]
    for turn in range(rounds):
        for way in in_turn(ways, turn):
            search(way, programs / "racy", file)
        say(f"round {turn + 1} of {rounds}: " + ", ".join(f"{w.seconds[-1]:.1f} s" for w in ways))
    found = {(count, bad) for way in ways for count in way.schedules for bad in way.anomalies}
    if len(found) != 1:
        raise CannotMeasure(f"the searches do not find the same: {found}")
    print(table(ways), verdict(ways, profile), sep="\n", flush=True)
    lists = [vars(way) | {"schedules": list(way.schedules), "anomalies": list(way.anomalies)} for way in ways]
    return {"profile": profile, "ways": lists}


def search(way: Way, racy: Path, file: Path) -> None:
    command = [
        racy, "explore", file, "--preemptions", "1", "--parallel", str(way.instances),
        "--database-url", "local:mysql", "--format", "json",
    ]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    # 1 says that something goes wrong, which it has to.
    if done.returncode != 1:
        raise CannotMeasure(f"the search ended with {done.returncode}:\n{done.stderr}")
    way.all_seconds.append(time.monotonic() - began)
    finding = json.loads(done.stdout)["findings"][0]
    if finding["diverged"] or finding["at_once"] != way.instances:
        raise CannotMeasure(f"not all runs could be made: {finding['verdict']}")
    way.seconds.append(finding["took_ms"] / 1000)
    way.schedules.add(finding["schedules"])
    way.anomalies.add(sum(finding["anomalies"].values()))


def table(ways: list[Way]) -> str:
    one = ways[0]
    rows = []
    for way in ways:
        (schedules,) = way.schedules
        rates = [schedules / seconds for seconds in way.seconds]
        rows.append([
            str(way.instances), str(schedules), f"{statistics.median(way.seconds):.1f}",
            f"{statistics.median(rates):.1f}",
            spread([own / its for own, its in zip(one.seconds, way.seconds)]),
            f"{statistics.median(way.all_seconds):.1f}",
        ])
    heads = ["instances", "schedules", "s", "runs a second", "as fast as one", "s with all starts"]
    return markdown(heads, rows)


def verdict(ways: list[Way], profile: str) -> str:
    two = next(way for way in ways if way.instances == 2)
    seconds = statistics.median(two.all_seconds)
    (schedules,), (anomalies,) = two.schedules, two.anomalies
    built = "" if profile == "release" else f" It was built as {profile}."
    return (
        f"\nAll {schedules} schedules with at most 1 preemption of two requests of 60 statements take "
        f"{seconds:.0f} s with two instances, all starts included, and {anomalies} of them lose stock; "
        f"target at most {TARGET} s: {judged(seconds <= TARGET)}.{built}\n"
    )
