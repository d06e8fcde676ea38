"""Closed loops of deposits: over HTTP by wrk, natively by sysbench."""
from __future__ import annotations

import itertools
import json
import math
import statistics
from dataclasses import dataclass, field

from lab import SCRIPTS, CannotMeasure, Lab, ProcessorTime, Service, native_client, run, with_modules
from statements import Native

AMOUNT = 100

#: The native client's refusals: lock wait timeout, deadlock, record has changed, and an UPDATE that
#: matched no row.
NATIVE_REFUSALS = ("1205", "1213", "1020", "overtaken")


@dataclass
class Loop:
    """The result of one closed loop of deposits."""

    #: Microseconds that each made deposit took. Deposits that were made together are one entry.
    applied_us: list[int]
    #: How many were refused, by HTTP status and kind of problem, or by engine code.
    refused: dict[str, int]
    #: Attempts beyond the first, including those of refused deposits.
    retries: int
    #: From the first request to the last answer.
    seconds: float
    #: Processor time in seconds by process: service, database, client; and of the whole machine.
    processor: dict[str, float]
    #: How many deposits each entry stands for.
    together: int = 1

    @property
    def applied(self) -> int:
        return len(self.applied_us) * self.together

    @property
    def rate(self) -> float:
        return self.applied / self.seconds

    @property
    def disturbance(self) -> float:
        """How many processors other programs kept busy."""
        own = sum(seconds for process, seconds in self.processor.items() if process != "machine")
        return max(self.processor["machine"] - own, 0) / self.seconds


@dataclass
class Side:
    """One side of a comparison: its accounts and its loops, one for each round."""

    accounts: list[int] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    #: How many made deposits were lost.
    lost: int = 0
    #: How many deposits are on record, if asked. Some were still under way when a loop ended.
    recorded: int = 0

    def latency(self, percent: float) -> float:
        """A percentile of all made deposits in µs, by nearest rank. NaN if there are none."""
        ordered = sorted(itertools.chain.from_iterable(loop.applied_us for loop in self.loops))
        return ordered[max(math.ceil(percent / 100 * len(ordered)) - 1, 0)] if ordered else math.nan

    def applied(self) -> int:
        return sum(loop.applied for loop in self.loops)

    def refused(self) -> int:
        return sum(sum(loop.refused.values()) for loop in self.loops)

    def refused_share(self) -> float:
        return self.refused() / max(self.applied() + self.refused(), 1)

    def made(self) -> int:
        """The larger count: some deposits end after their loop, and some answers have no record."""
        return max(self.applied(), self.recorded)

    def lost_share(self) -> float:
        return self.lost / max(self.made(), 1)

    def retries(self) -> float:
        """Attempts beyond the first, of all deposits, per made deposit."""
        return sum(loop.retries for loop in self.loops) / max(self.applied(), 1)

    def rate(self) -> float:
        return statistics.median(loop.rate for loop in self.loops)

    def ratios(self, other: Side) -> list[float]:
        """Its deposits per second to those of another side, round by round."""
        return [own.rate / its.rate for own, its in zip(self.loops, other.loops)]

    def processor_us(self, process: str) -> float:
        """Processor time per made deposit."""
        return self.processor_seconds(process) * 1e6 / max(self.applied(), 1)

    def processor_seconds(self, process: str) -> float:
        return sum(loop.processor[process] for loop in self.loops)

    def disturbance(self) -> float:
        """How many processors other programs kept busy: the median of all loops."""
        return statistics.median(loop.disturbance for loop in self.loops)

    def seconds(self) -> float:
        return sum(loop.seconds for loop in self.loops)

    def raw(self) -> dict:
        return {**vars(self), "loops": [vars(loop) for loop in self.loops]}


def http_loop(
    lab: Lab, service: Service, strategy: str, accounts: list[int], clients: int, seconds: int
) -> Loop:
    command = ["wrk", f"-t{clients}", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s"]
    command += ["-s", SCRIPTS / "http.lua", f"http://{service.address}/demo/{strategy}/"]
    command += ["--", AMOUNT, *accounts]
    with ProcessorTime(service=service.process.pid, database=lab.database) as processor:
        output = run(command, env=with_modules())
    loop = loop_from(output, processor.used)
    # A conflict is a result. Any other refusal is a mistake.
    unexpected(code for code in loop.refused if not code.startswith("409 "))
    return loop


def native_loop(lab: Lab, native: Native, accounts: list[int], clients: int, seconds: int) -> Loop:
    numbers = ",".join(map(str, accounts))
    statements = "\n".join(native.statements)
    with ProcessorTime(database=lab.database) as processor:
        output = native_client(
            f"--threads={clients}", f"--time={seconds}", f"--socket={lab.socket}",
            f"--accounts={numbers}", f"--amount={AMOUNT}",
            f"--attempts={native.attempts}", f"--statements={statements}", "run",
        )
    loop = loop_from(output, processor.used)
    loop.together = native.deposits
    unexpected(code for code in loop.refused if code not in NATIVE_REFUSALS)
    return loop


def loop_from(output: str, processor: dict[str, float]) -> Loop:
    """Adds up what the clients of a load generator printed, one line of JSON each."""
    clients = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    for client in clients:
        if "error" in client:
            raise CannotMeasure(client["error"])
    refused: dict[str, int] = {}
    for code, count in itertools.chain.from_iterable(client["refused"].items() for client in clients):
        refused[code] = refused.get(code, 0) + count
    applied = sorted(itertools.chain.from_iterable(client["applied_us"] for client in clients))
    if not applied and not refused:
        raise CannotMeasure(f"no deposit was answered: {output[-1000:]}")
    began = min(client["began_us"] for client in clients if client["ended_us"])
    ended = max(client["ended_us"] for client in clients)
    retries = sum(client["retries"] for client in clients)
    return Loop(applied, refused, retries, (ended - began) / 1e6, processor)


def unexpected(codes) -> None:
    codes = sorted(codes)
    if codes:
        raise CannotMeasure(f"deposits were answered with {', '.join(codes)}")


def lost_on(lab: Lab, accounts: list[int]) -> int:
    """How many deposits these accounts have lost so far, by their audit."""
    return sum(account["lost"] for account in audited(lab, accounts)) // AMOUNT


def count_losses(lab: Lab, side: Side) -> None:
    """Counts what was lost, also answered deposits without a record, which no audit can see."""
    accounts = audited(lab, side.accounts)
    side.recorded = sum(account["transactions"] for account in accounts)
    side.lost = side.made() - sum(account["balance"] for account in accounts) // AMOUNT


def audited(lab: Lab, accounts: list[int]) -> list[dict]:
    """The audits of these accounts, whose numbers are consecutive."""
    return lab.service().get(f"/accounts?after={accounts[0] - 1}&limit={len(accounts)}")["accounts"]
