"""The part of tools/bench that measures what each strategy costs: deposits per second by number of
clients, how long they take, and how many are refused, retried or lost."""
from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import chart
from lab import NO_DELAY, CannotMeasure, Lab, in_turn, say
from loops import Loop, Side, count_losses, http_loop, native_loop
from statements import CEILING, CEILING_DEPOSITS, NATIVE
from tables import judged, markdown, milliseconds, share, spread

CLIENTS = (1, 8, 64)
SPREAD = 64

#: All prices are ratios to the native side of this strategy.
MEASURE = "atomic_update"

#: The strategies whose pauses depend on --retry.
RETRYING = ("optimistic_retry", "serializable_retry")
POLICIES = ("none", "fixed", "exponential", "jitter")

#: A pool with fewer connections than clients. The default has one for each client.
SMALL_POOL = 8

#: The strategies that a fresh instance serves, one after the other, while its memory is measured.
REMEMBERED = ("atomic_update", "row_locking_atomic_long_delay", "batched")

# All instances run at once, and each keeps its connections. MySQL's own limit is 151.
CONNECTIONS = "1000"

# Targets on one hot account: HTTP to the same SQL natively; HTTP to native atomic_update; bytes.
TARGETS_NATIVE = {("atomic_update", 8): 0.95, ("row_locking_atomic_long_delay", 8): 0.95}
TARGETS_PRICE = {("batched", 64): 15, ("partitioned", 8): 3, ("partitioned", 64): 3}
TARGET_MEMORY = 30_000_000

#: If other programs keep more processors busy than this, a ratio says little: then both sides wait
#: for a processor.
QUIET = 0.2


@dataclass
class Cost:
    """A strategy at a number of clients. Each deposit goes to one of `accounts` accounts."""

    strategy: str
    clients: int
    accounts: int = 1
    #: Options of `racy serve`.
    serve: tuple[str, ...] = NO_DELAY
    http: Side = field(default_factory=Side)
    #: The same SQL natively. None if there is no native version.
    native: Side | None = None
    #: Native atomic_update at the same clients and accounts. None if there is no comparison.
    measure: Side | None = None

    def raw(self) -> dict:
        sides = {name: getattr(self, name) for name in ("http", "native", "measure")}
        return {**vars(self), **{name: side and side.raw() for name, side in sides.items()}}


@dataclass
class Figures:
    """All that is measured."""

    costs: list[Cost]
    #: The retrying strategies, by policy.
    policies: list[Cost]
    #: A pool that is too small, beside the default one.
    pools: list[Cost]
    #: One native client with many deposits in one transaction. The key is the number of clients in
    #: the group of loops that it runs beside.
    ceiling: dict[int, Side]

    def cost(self, strategy: str, clients: int, accounts: int = 1) -> Cost | None:
        wanted = (strategy, clients, accounts)
        return next((it for it in self.costs if (it.strategy, it.clients, it.accounts) == wanted), None)

    def raw(self) -> dict:
        return {
            "costs": [cost.raw() for cost in self.costs],
            "policies": [cost.raw() for cost in self.policies],
            "pools": [cost.raw() for cost in self.pools],
            "ceiling": {clients: side.raw() for clients, side in self.ceiling.items()},
        }


def measure(lab: Lab, args: argparse.Namespace, processors: int) -> dict:
    """Prints what was measured, and returns all raw figures."""
    # Durability stays as it is.
    lab.set_globals({"max_connections": CONNECTIONS})
    figures = planned(known(lab, args.strategies), args.clients)
    failure = measure_rounds(lab, figures, args)
    find_losses(lab, figures)
    memory = measure_memory(lab, args)

    print(POOL)
    print(costs_tables(figures))
    print(processor_table(figures, processors), policies_table(figures.policies), sep="\n")
    print(pools_table(figures), memory_table(memory), verdicts(figures, memory), sep="\n")
    print(limits(figures, processors), flush=True)
    if args.svg:
        draw(figures, max(args.clients), args.svg)
    return {**figures.raw(), "resident_bytes": memory, "failure": failure and str(failure)}


def known(lab: Lab, wanted: list[str] | None) -> list[str]:
    """The strategies to be measured, in the service's order: the wanted ones, or all."""
    names = [
        strategy["name"]
        for strategy in lab.service().get("/strategies")["strategies"]
        if strategy["exhibit"] == "deposits"
    ]
    unknown = sorted(set(wanted or ()) - set(names))
    if unknown:
        raise CannotMeasure(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")
    return [name for name in names if not wanted or name in wanted]


def planned(strategies: list[str], clients: list[int]) -> Figures:
    costs = []
    for accounts in (1, SPREAD):
        for number in clients:
            base = Side()
            for name in strategies:
                native = base if name == MEASURE else Side() if name in NATIVE else None
                costs.append(Cost(name, number, accounts, native=native, measure=base))
    policies = [
        Cost(name, number, serve=(*NO_DELAY, "--retry", policy))
        for name in strategies if name in RETRYING for number in clients if number > 1 for policy in POLICIES
    ]
    pools = [
        Cost(MEASURE, number, serve=(*NO_DELAY, "--db-connections", str(SMALL_POOL)))
        for number in clients if MEASURE in strategies and number > SMALL_POOL
    ]
    ceiling = {max(clients): Side()} if "batched" in strategies else {}
    return Figures(costs, policies, pools, ceiling)


# Measuring ---------------------------------------------------------------------------------------

@dataclass
class Job:
    """A loop that runs in each round, and the side that records it."""

    what: str
    side: Side
    loop: Callable[[], Loop]

    def run(self) -> None:
        loop = self.loop()
        self.side.loops.append(loop)
        say(f"{self.what}: {loop.rate:.0f} deposits/s")


def measure_rounds(lab: Lab, figures: Figures, args: argparse.Namespace) -> CannotMeasure | None:
    """Returns why it stopped before the last round, or None. The first round must be complete."""
    groups = groups_of_jobs(lab, figures, args.seconds)
    warm_up(lab, figures)
    for turn in range(args.rounds):
        say(f"round {turn + 1} of {args.rounds}")
        try:
            run_round(groups, turn)
        except CannotMeasure as reason:
            if turn == 0:
                raise
            say(f"stopped: {reason}")
            return reason
    return None


def run_round(groups: list[list[list[Job]]], turn: int) -> None:
    """Runs group by group, so that compared loops are close in time. Pairs rotate by turn."""
    for pairs in groups:
        for number, pair in enumerate(in_turn(pairs, turn)):
            for job in reversed(pair) if (turn + number) % 2 else pair:
                job.run()


def groups_of_jobs(lab: Lab, figures: Figures, seconds: int) -> list[list[list[Job]]]:
    """One group for each number of clients and accounts. It holds pairs whose sides take turns."""
    groups: dict[tuple[int, int], list[list[Job]]] = {}
    measured = {cost.strategy for cost in figures.costs}
    for cost in figures.costs:
        pairs = groups.setdefault((cost.accounts, cost.clients), [])
        if not pairs and MEASURE not in measured:
            pairs.append([native_job(lab, MEASURE, cost.clients, cost.accounts, cost.measure, seconds)])
        pairs.append(jobs_of(lab, cost, seconds))
    for clients, side in figures.ceiling.items():
        side.accounts = lab.new_accounts(1)
        groups[1, clients].append([Job(
            f"native, {CEILING_DEPOSITS} deposits in one transaction, 1 client", side,
            lambda side=side: native_loop(lab, CEILING, side.accounts, 1, seconds),
        )])
    for cost in figures.policies:
        pairs = groups.setdefault((0, cost.clients), [])
        pairs.append(jobs_of(lab, cost, seconds))
    for cost in figures.pools:
        groups[1, cost.clients].append(jobs_of(lab, cost, seconds))
    return list(groups.values())


def jobs_of(lab: Lab, cost: Cost, seconds: int) -> list[Job]:
    cost.http.accounts = lab.new_accounts(cost.accounts)
    options = " ".join(cost.serve[len(NO_DELAY):])
    jobs = [Job(
        f"{cost.strategy}, {place(cost.clients, cost.accounts)}, {options or 'HTTP'}", cost.http,
        lambda: http_loop(
            lab, lab.service(cost.serve), cost.strategy, cost.http.accounts, cost.clients, seconds
        ),
    )]
    if cost.native is not None:
        jobs.append(native_job(lab, cost.strategy, cost.clients, cost.accounts, cost.native, seconds))
    return jobs


def native_job(lab: Lab, strategy: str, clients: int, accounts: int, side: Side, seconds: int) -> Job:
    side.accounts = lab.new_accounts(accounts)
    return Job(
        f"{strategy}, {place(clients, accounts)}, native", side,
        lambda: native_loop(lab, NATIVE[strategy], side.accounts, clients, seconds),
    )


def warm_up(lab: Lab, figures: Figures) -> None:
    """Opens connections and prepares statements."""
    say("warming up")
    accounts = lab.new_accounts(1)
    most = max(cost.clients for cost in figures.costs)
    ways = {(cost.serve, cost.strategy) for cost in figures.costs + figures.policies + figures.pools}
    for serve, strategy in sorted(ways):
        http_loop(lab, lab.service(serve), strategy, accounts, most, 1)


def find_losses(lab: Lab, figures: Figures) -> None:
    """Asks the audit. It reads all that was written, so it comes last."""
    say("counting what was lost")
    for cost in figures.costs + figures.policies + figures.pools:
        for side in (cost.http, cost.native):
            if side is not None:
                count_losses(lab, side)


def measure_memory(lab: Lab, args: argparse.Namespace) -> dict[str, int]:
    """The largest resident memory of a fresh instance, after each strategy that it serves."""
    clients = max(args.clients)
    service = lab.service((*NO_DELAY, "--instance", "fresh"))
    memory = {"before": service.memory("VmHWM")}
    for strategy in REMEMBERED:
        for accounts in (1, SPREAD):
            http_loop(lab, service, strategy, lab.new_accounts(accounts), clients, args.seconds)
        memory[f"{strategy}, {clients} clients"] = service.memory("VmHWM")
    return memory


# What is printed ---------------------------------------------------------------------------------

POOL = (
    "No delays; a pool of 100 connections, as by default, so that each client has its own. MySQL's "
    f"max_connections is {CONNECTIONS}, because several instances run at once.\n"
)


def place(clients: int, accounts: int) -> str:
    who = "1 client" if clients == 1 else f"{clients} clients"
    return f"{who}, {'one hot account' if accounts == 1 else f'spread over {accounts} accounts'}"


def costs_tables(figures: Figures) -> str:
    tables: dict[tuple[int, int], list[Cost]] = {}
    for cost in figures.costs:
        tables.setdefault((cost.clients, cost.accounts), []).append(cost)
    return "\n".join(
        costs_table(place(*where), costs, figures.ceiling.get(where[0]) if where[1] == 1 else None)
        for where, costs in tables.items()
    ) + (
        "\n–: there is no native version of the same SQL, because of a loop inside the transaction, a lock in "
        "the service's memory, or a queue. For atomic_update both ratios are the same.\n"
    )


def costs_table(title: str, costs: list[Cost], ceiling: Side | None) -> str:
    measure = costs[0].measure
    rows = []
    for cost in costs:
        same = spread(cost.http.ratios(cost.native)) if cost.native is not None else "–"
        price = spread(cost.http.ratios(cost.measure))
        rows.append([cost.strategy, f"{cost.http.rate():.0f}", same, price, *fate(cost.http)])
    rows.append([f"native {MEASURE}", f"{measure.rate():.0f}", "", "1", *fate(measure)])
    if ceiling is not None:
        rows.append([
            f"native, 1 client, {CEILING_DEPOSITS} deposits per transaction", f"{ceiling.rate():.0f}", "",
            spread(ceiling.ratios(measure)), *fate(ceiling),
        ])
    head = [title, "deposits/s", ": native, same SQL", f": native {MEASURE}"]
    return markdown([*head, *FATE], rows)


#: What became of the deposits.
FATE = ["p50 ms", "p99 ms", "refused", "retries per deposit", "lost"]


def fate(side: Side) -> list[str]:
    return [
        milliseconds(side.latency(50)), milliseconds(side.latency(99)),
        share(side.refused_share()), f"{side.retries():.2f}" if side.retries() else "0",
        share(side.lost_share()),
    ]


def processor_table(figures: Figures, processors: int) -> str:
    rows = []
    for cost in with_targets(figures):
        http, native = cost.http, cost.native or cost.measure
        rows.append(
            [cost.strategy, cost.clients]
            + [f"{http.processor_us(process):.0f}" for process in ("client", "service", "database")]
            + [f"{busy(http, 'machine'):.2f}"]
            + [f"{native.processor_us(process):.0f}" for process in ("client", "database")]
            + [f"{busy(native, 'machine'):.2f}"]
        )
    head = ["processor time per deposit made, µs; one hot account", "clients"]
    head += ["HTTP: wrk", "racy serve", "MySQL", f"processors busy, of {processors}"]
    head += ["native: sysbench", "MySQL", f"processors busy, of {processors}"]
    return markdown(head, rows) + f"\nBeside batched and others without a native version: {MEASURE}.\n"


def with_targets(figures: Figures) -> list[Cost]:
    strategies = {strategy for strategy, _ in (*TARGETS_NATIVE, *TARGETS_PRICE)}
    return [cost for cost in figures.costs if cost.accounts == 1 and cost.strategy in strategies]


def busy(side: Side, process: str) -> float:
    """How many processors a process kept busy."""
    return side.processor_seconds(process) / side.seconds()


def policies_table(costs: list[Cost]) -> str:
    rows = [
        [cost.strategy, cost.serve[-1], cost.clients, f"{cost.http.rate():.0f}", *fate(cost.http)]
        for cost in costs
    ]
    return markdown(["one hot account", "--retry", "clients", "deposits/s", *FATE], rows) if rows else ""


def pools_table(figures: Figures) -> str:
    rows = []
    for small in figures.pools:
        for connections, cost in (
            ("100 (default)", figures.cost(small.strategy, small.clients)), (small.serve[-1], small),
        ):
            what = f"{cost.strategy}, {cost.clients} clients"
            rows.append([what, connections, f"{cost.http.rate():.0f}", *fate(cost.http)])
    return markdown(["one hot account", "--db-connections", "deposits/s", *FATE], rows) if rows else ""


def memory_table(memory: dict[str, int]) -> str:
    rows = [[when, f"{resident / 1e6:.1f} MB"] for when, resident in memory.items()]
    return markdown(["largest resident memory of a fresh racy serve, so far", ""], rows)


def verdicts(figures: Figures, memory: dict[str, int]) -> str:
    lines = []
    for (strategy, clients), target in TARGETS_NATIVE.items():
        cost = figures.cost(strategy, clients)
        if cost:
            lines.append(verdict(cost, cost.native, "the same SQL natively", target))
    for (strategy, clients), target in TARGETS_PRICE.items():
        cost = figures.cost(strategy, clients)
        if cost:
            lines.append(verdict(cost, cost.measure, f"native {MEASURE}", target))
            if cost.native is not None:
                ratios = cost.native.ratios(cost.measure)
                lines.append(f"(The same SQL natively: {spread(ratios)} × native {MEASURE}.)\n")
    most = max(memory.values())
    lines.append(
        f"Memory of racy serve: {most / 1e6:.1f} MB, target < {TARGET_MEMORY / 1e6:.0f} MB: "
        f"{judged(most < TARGET_MEMORY)}.\n"
    )
    return "\n".join(lines)


def verdict(cost: Cost, other: Side, to_what: str, target: float) -> str:
    ratios = cost.http.ratios(other)
    others = max(cost.http.disturbance(), other.disturbance())
    judgement = judged(statistics.median(ratios) >= target)
    if others > QUIET:
        judgement = f"unknown, because other programs kept {others:.1f} processors busy"
    return (
        f"{cost.strategy}, {place(cost.clients, cost.accounts)}: {spread(ratios)} × {to_what}, "
        f"target ≥ {target}: {judgement}.\n"
    )


def limits(figures: Figures, processors: int) -> str:
    """What kept the processors busy, for each ratio that has a target."""
    lines = []
    for cost in with_targets(figures):
        key = (cost.strategy, cost.clients)
        if key in TARGETS_NATIVE or key in TARGETS_PRICE:
            parts = {name: busy(cost.http, process) for name, process in PROCESSES.items()}
            everything = busy(cost.http, "machine")
            parts["everything else"] = max(everything - sum(parts.values()), 0)
            spelled = ", ".join(f"{name} {part / processors:.0%}" for name, part in parts.items())
            lines.append(
                f"{cost.strategy}, {place(cost.clients, 1)}: the {processors} processors were busy "
                f"{everything / processors:.0%} of the time ({spelled}).\n"
            )
    worst = max(loop.disturbance for cost in figures.costs for loop in cost.http.loops)
    lines.append(
        f"Other programs kept {disturbance(figures):.2f} processors busy in half of all loops over HTTP, "
        f"and at most {worst:.2f}.\n"
    )
    return "\n".join(lines)


def disturbance(figures: Figures) -> float:
    return statistics.median(loop.disturbance for cost in figures.costs for loop in cost.http.loops)


PROCESSES = {"racy serve": "service", "MySQL": "database", "wrk": "client"}


def draw(figures: Figures, clients: int, file: Path) -> None:
    bars = []
    for hot in figures.costs:
        if (hot.clients, hot.accounts) == (clients, 1):
            apart = figures.cost(hot.strategy, clients, SPREAD)
            loses = hot.http.lost > 0 or apart.http.lost > 0
            bars.append(chart.Bars(hot.strategy, hot.http.rate(), apart.http.rate(), loses))
            line = hot.measure.rate()
    file.parent.mkdir(parents=True, exist_ok=True)
    others = disturbance(figures)
    note = f" Other programs kept {others:.1f} processors busy." if others > QUIET else ""
    file.write_text(chart.drawn(bars, line, clients, SPREAD, note))
