"""The part of tools/bench --explorer that sets the explorer beside others in the same run: beside
PostgreSQL's own isolationtester on the same permutations, and strategies beside the scenarios that
say the same."""
from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from explorer import NOT_FOUND, STRATEGY, counts_of, explore, took
from lab import DATABASE, NO_DELAY, CannotMeasure, Lab, Service, in_turn, say, stock_environment
from tables import judged, markdown, spread

#: How many permutations at once, and how many times as fast as isolationtester.
TARGETS = {1: 1.5, 8: 4}

#: PostgreSQL's default, at which isolationtester runs the permutations.
LEVEL = "read-committed"

#: Where Debian's packages have their files. The version stands for the asterisk.
SERVERS = "lib/postgresql/*/bin/postgres"
ISOLATIONTESTER = "lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester"

ROOT = Path(__file__).resolve().parents[2]

#: Strategies, and the scenarios that say the same.
SCENARIOS = {
    "atomic_no_delay": ROOT / "scenarios/racy-django/atomic.toml",
    "row_locking_atomic_long_delay": ROOT / "scenarios/racy-django/for_update.toml",
}
SCENARIOS_PARALLEL = 8


def measure(lab: Lab, rounds: int) -> dict:
    """Prints what was measured, and returns all raw figures."""
    figures: dict = {"isolationtester": []}
    places = {"MySQL": lab.url}
    with private_postgres(lab) as postgres:
        if postgres:
            places["PostgreSQL"] = postgres.url
            figures["isolationtester"] = beside_isolationtester(lab, postgres, rounds)
        else:
            print("Not beside isolationtester: no PostgreSQL was found here.\n")
        figures["scenarios"] = beside_scenarios(lab, places, rounds)
    return figures


# The server --------------------------------------------------------------------------------------

@dataclass
class Postgres:
    """A private PostgreSQL. Its database has the tables of the strategies."""

    #: The folder of its socket.
    folder: str

    @property
    def url(self) -> str:
        return f"postgres://postgres@localhost/{DATABASE}?host={quote(self.folder, safe='')}&sslmode=disable"


@contextlib.contextmanager
def private_postgres(lab: Lab) -> Iterator[Postgres | None]:
    """A server as `racy serve` starts it, in a temporary folder. None if racy finds none."""
    with contextlib.ExitStack() as cleanup:
        data = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="racy-bench-postgres-"))
        # PostgreSQL, started by root, runs as another user.
        os.chmod(data, 0o711)
        command = [str(lab.racy), "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
        command += ["--database-url", "local:postgres", *NO_DELAY]
        environment = {**stock_environment("RACY_POSTGRES"), "RACY_DATA_DIR": data}
        try:
            service = cleanup.enter_context(Service(command, environment, lab.folder / "serve-postgres.log"))
        except CannotMeasure as reason:
            if NOT_FOUND not in str(reason):
                raise
            yield None
            return
        _, socket = service.engine()
        yield Postgres(str(Path(socket).parent))


# Sides -------------------------------------------------------------------------------------------

@dataclass
class Side:
    """One of those that are compared, and its times, one for each round."""

    name: str
    #: Runs the schedules once, and returns the seconds that it took.
    once: Callable[[], float]
    schedules: int = 0
    seconds: list[float] = field(default_factory=list)

    def rate(self) -> float:
        return self.schedules / statistics.median(self.seconds)

    def ratios(self, base: Side) -> list[float]:
        """How many times as fast as another side it is in schedules per second, round by round."""
        schedules = self.schedules / base.schedules
        return [schedules * other / own for own, other in zip(self.seconds, base.seconds)]

    def raw(self) -> dict:
        return {"name": self.name, "schedules": self.schedules, "seconds": self.seconds}


def take_turns(sides: list[Side], rounds: int) -> None:
    """Another side goes first in each round. The first round is not counted."""
    for turn in range(rounds + 1):
        for side in in_turn(sides, turn):
            seconds = side.once()
            if turn:
                side.seconds.append(seconds)
        if turn:
            times = ", ".join(f"{side.name} {side.seconds[-1]:.2f} s" for side in sides)
            say(f"round {turn} of {rounds}: {times}")


def explorers_side(lab: Lab, name: str, url: str, *options) -> tuple[Side, dict]:
    """A search by the explorer, and a finding of it to compare others with. A search that counts in
    another way than that one ends the measurement."""
    def search() -> dict:
        [finding] = explore(lab, url, stock_environment(), *options)
        return finding

    first = search()

    def once() -> float:
        finding = search()
        if counts_of(finding) != counts_of(first):
            raise CannotMeasure(f"{name}: {counts_of(finding)}, and before {counts_of(first)}")
        return took(finding)

    return Side(name, once, first["schedules"]), first


# isolationtester ---------------------------------------------------------------------------------

def beside_isolationtester(lab: Lab, postgres: Postgres, rounds: int) -> list[dict]:
    program = isolationtester()
    if not program:
        print(f"Not beside isolationtester: {package()} has it; --install gets it.\n")
        return []
    tester = Tester(program, postgres, lab.folder / "atomic.spec")
    sides = [Side("isolationtester", tester.once, len(tester.permutations))]
    for parallel in TARGETS:
        name = f"racy explore --parallel {parallel}"
        side, finding = explorers_side(
            lab, name, postgres.url, STRATEGY, "--isolation", LEVEL, "--parallel", parallel)
        tester.must_be_the_same(finding)
        sides.append(side)
    take_turns(sides, rounds)
    print(testers_table(sides, tester), testers_verdicts(sides), sep="\n", flush=True)
    return [side.raw() for side in sides]


def isolationtester() -> Path | None:
    """The newest that is installed."""
    return newest(ISOLATIONTESTER)


def newest(pattern: str) -> Path | None:
    found = {int(path.parts[4]): path for path in Path("/usr").glob(pattern) if path.parts[4].isdecimal()}
    return found[max(found)] if found else None


def package() -> str:
    """The Debian package that has the isolationtester of the server that is installed."""
    server = newest(SERVERS)
    return f"postgresql-server-dev-{server.parts[4] if server else 'all'}"


class Tester:
    """isolationtester, with every schedule of the strategy as a permutation."""

    def __init__(self, program: Path, postgres: Postgres, spec: Path) -> None:
        self.command = [program, f"host={postgres.folder} user=postgres dbname={DATABASE}"]
        self.permutations = list(permutations())
        self.spec = spec
        spec.write_text(specification(self.permutations))

    def once(self) -> float:
        """How long it takes, from its start to its end."""
        began = time.monotonic()
        self.output()
        return time.monotonic() - began

    def output(self) -> str:
        with self.spec.open() as spec:
            ended = subprocess.run(
                [str(word) for word in self.command], stdin=spec, capture_output=True, text=True)
        if ended.returncode or "ERROR" in ended.stderr:
            raise CannotMeasure(f"isolationtester failed: {ended.stderr.strip()[-1000:]}")
        return ended.stdout

    def must_be_the_same(self, finding: dict) -> None:
        """Both have run the same number of permutations, and a client has waited in as many."""
        own = [part.count("<waiting ...>") for part in self.output().split("\nstarting permutation")[1:]]
        ours = (len(own), sum(map(bool, own)))
        theirs = (finding["schedules"], finding["waited"])
        if ours != theirs:
            raise CannotMeasure(
                f"isolationtester ran {ours[0]} permutations, {ours[1]} with a wait; "
                f"racy ran {theirs[0]}, {theirs[1]} with a wait"
            )


#: A client of the strategy. isolationtester keeps no value, so what it writes stands here.
STEPS = {
    "begin": "BEGIN",
    "read": "SELECT balance FROM accounts WHERE id = 1",
    "insert": "INSERT INTO transactions (account_id, amount) VALUES (1, 100)",
    "write": "UPDATE accounts SET balance = 100 WHERE id = 1",
    "commit": "COMMIT",
}


def permutations() -> Iterator[list[str]]:
    """Every schedule of two clients. If both write before one of them commits, the second write
    waits, and its client takes no step until the other one has committed."""
    steps = list(STEPS)
    before_commit = steps.index("commit")

    def after(taken: list[str], done: tuple[int, int], waiting: int | None) -> Iterator[list[str]]:
        if waiting is None and sum(done) == 2 * len(steps):
            yield taken
        for client, name in enumerate("ab"):
            if client == waiting or done[client] == len(steps):
                continue
            step = steps[done[client]]
            now_waiting = waiting
            if step == "write" and done[1 - client] == before_commit:
                now_waiting = client
            if step == "commit":
                now_waiting = None
            now_done = (done[0] + 1, done[1]) if client == 0 else (done[0], done[1] + 1)
            yield from after([*taken, f"{name}_{step}"], now_done, now_waiting)

    return after([], (0, 0), None)


def specification(orders: list[list[str]]) -> str:
    """The permutations as isolationtester reads them."""
    lines = [
        "setup { UPDATE accounts SET balance = 0 WHERE id = 1;"
        " DELETE FROM transactions WHERE account_id = 1; }"
    ]
    for name in "ab":
        lines.append(f"session {name}")
        lines += [f"step {name}_{step} {{ {sql}; }}" for step, sql in STEPS.items()]
    lines += [f"permutation {' '.join(order)}" for order in orders]
    return "\n".join(lines) + "\n"


def testers_table(sides: list[Side], tester: Tester) -> str:
    base = sides[0]
    rows = [
        [
            side.name, f"{statistics.median(side.seconds) * 1000:.0f}", f"{side.rate():.0f}",
            "1" if side is base else spread(side.ratios(base)),
        ]
        for side in sides
    ]
    head = [f"PostgreSQL, {STRATEGY} at {LEVEL}, {len(tester.permutations)} permutations"]
    return markdown([*head, "ms", "schedules/s", ": isolationtester"], rows)


def testers_verdicts(sides: list[Side]) -> str:
    base, *own = sides
    verdicts = []
    for side, target in zip(own, TARGETS.values()):
        ratio = statistics.median(side.ratios(base))
        verdicts.append(
            f"{side.name}: {ratio:.2f} × isolationtester, target ≥ {target}: {judged(ratio >= target)}.\n"
        )
    return "\n".join(verdicts)


# Scenarios ---------------------------------------------------------------------------------------

def beside_scenarios(lab: Lab, places: dict[str, str], rounds: int) -> list[dict]:
    """Each strategy beside the scenario that says the same."""
    rows, figures = [], []
    for engine, url in places.items():
        for strategy, scenario in SCENARIOS.items():
            options = ("--isolation", LEVEL, "--parallel", SCENARIOS_PARALLEL)
            compiled, _ = explorers_side(lab, strategy, url, strategy, *options)
            file, _ = explorers_side(lab, scenario.name, url, scenario, *options)
            take_turns([compiled, file], rounds)
            rows.append([
                f"{engine}, {strategy}", compiled.schedules, f"{compiled.rate():.0f}",
                file.schedules, f"{file.rate():.0f}", spread(file.ratios(compiled)),
            ])
            figures.append({"engine": engine, "compiled": compiled.raw(), "scenario": file.raw()})
    head = [f"--parallel {SCENARIOS_PARALLEL}, at {LEVEL}", "schedules", "schedules/s, compiled in"]
    head += ["schedules", "schedules/s, as a scenario", "scenario : compiled in"]
    print(markdown(head, rows), flush=True)
    return figures
