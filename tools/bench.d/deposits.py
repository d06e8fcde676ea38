"""The part of tools/bench that measures deposits over HTTP and natively, the memory of the service,
and how closely make_requests releases a burst."""
from __future__ import annotations

import argparse
import contextlib
import gc
import json
import socket
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlencode

from lab import CannotMeasure, Lab, run, say
from loops import AMOUNT, Loop, Side, http_loop, lost_on, native_loop
from statements import NATIVE
from tables import judged, markdown, milliseconds, pair, share, spread

# Both without a delay, so that they share an instance.
STRATEGIES = ("atomic_no_delay", "row_locking_atomic_long_delay")

CLIENTS = (1, 8)

# Targets: HTTP : native by strategy and number of clients; bytes; microseconds.
TARGET_RATIO = {("row_locking_atomic_long_delay", 8): 0.9}
TARGET_MEMORY = 25_000_000
TARGET_SPREAD_US = 1500

BURST_STRATEGY = "non_atomic_no_delay"
BURST_REQUESTS = 100

WRONG_PASSWORDS = 15


def measure(lab: Lab, binaries: Path, args: argparse.Namespace) -> dict:
    """Prints what was measured, and returns all raw figures."""
    cells = [
        Cell(strategy, clients)
        for strategy in STRATEGIES if not args.strategies or strategy in args.strategies
        for clients in args.clients
    ]
    measure_deposits(lab, cells, args.rounds, args.seconds)
    print(deposits_table(cells), processor_table(cells), ratio_verdicts(cells), sep="\n", flush=True)

    memory = {"after the deposits": lab.service().memory()}
    bursts = measure_bursts(lab, binaries, args.bursts)
    memory["after the bursts"] = lab.service().memory()
    guess_passwords(lab.service().address)
    memory[f"after {WRONG_PASSWORDS} wrong passwords"] = lab.service().memory()
    print(memory_table(memory), burst_table(bursts), sep="\n", flush=True)
    return {"cells": [cell.raw() for cell in cells], "resident_bytes": memory, "bursts": bursts}


# Deposits ----------------------------------------------------------------------------------------

@dataclass
class Cell:
    """A strategy at a number of clients, over HTTP and natively."""

    strategy: str
    clients: int
    http: Side = field(default_factory=Side)
    native: Side = field(default_factory=Side)

    def ratios(self) -> list[float]:
        """HTTP : native, round by round."""
        return self.http.ratios(self.native)

    def raw(self) -> dict:
        return {**vars(self), "http": self.http.raw(), "native": self.native.raw()}


def measure_deposits(lab: Lab, cells: list[Cell], rounds: int, seconds: int) -> None:
    for cell in cells:
        cell.http.accounts, cell.native.accounts = lab.new_accounts(1), lab.new_accounts(1)
        # The first loop opens connections and prepares statements. It is not counted.
        for side, loop in sides(lab, cell):
            loop(1)
            side.lost = -lost_on(lab, side.accounts)
    for turn in range(rounds):
        for number, cell in enumerate(cells):
            pair_of_loops = sides(lab, cell)
            if (turn + number) % 2:
                pair_of_loops.reverse()
            for side, loop in pair_of_loops:
                side.loops.append(loop(seconds))
            say(
                f"round {turn + 1} of {rounds}, {cell.strategy}, {cell.clients} clients: "
                f"HTTP {cell.http.loops[-1].rate:.0f}, native {cell.native.loops[-1].rate:.0f} deposits/s"
            )
    for cell in cells:
        for side in (cell.http, cell.native):
            side.lost += lost_on(lab, side.accounts)


def sides(lab: Lab, cell: Cell) -> list[tuple[Side, Callable[[int], Loop]]]:
    """The sides of a cell, each with a loop that takes a number of seconds."""
    http, native, service = cell.http, cell.native, lab.service()
    return [
        (http, lambda seconds: http_loop(
            lab, service, cell.strategy, http.accounts, cell.clients, seconds)),
        (native, lambda seconds: native_loop(
            lab, NATIVE[cell.strategy], native.accounts, cell.clients, seconds)),
    ]


# The burst ---------------------------------------------------------------------------------------

def measure_bursts(lab: Lab, binaries: Path, bursts: int) -> dict[str, list[float]]:
    """How far 100 releases are spread, in microseconds, burst by burst."""
    tool_account, loop_account = lab.new_accounts(2)
    address = lab.service().address
    spreads: dict[str, list[float]] = {"make_requests": [], "bare loop": []}
    for turn in range(bursts):
        kinds = [
            ("make_requests", lambda: tool_burst(binaries / "make_requests", address, tool_account)),
            ("bare loop", lambda: bare_burst(address, loop_account)),
        ]
        if turn % 2:
            kinds.reverse()
        for name, burst in kinds:
            spreads[name].append(burst())
        say(
            f"burst {turn + 1} of {bursts}: make_requests {spreads['make_requests'][-1]:.0f} us, "
            f"bare loop {spreads['bare loop'][-1]:.0f} us"
        )
    return spreads


def tool_burst(make_requests: Path, address: str, account: int) -> float:
    command = [make_requests, "--base-url", f"http://{address}", "--target", BURST_STRATEGY]
    command += ["--requests", BURST_REQUESTS, "--wait", "0", "--account", account, "--amount", AMOUNT]
    command += ["--format", "json"]
    # Status 1 says that something was lost, which is right for this strategy.
    return json.loads(run(command, good_statuses=(0, 1)))["spread_us"]


def bare_burst(address: str, account: int) -> float:
    """Opens and warms the connections, sends all but the last byte, then the last bytes in a loop.
    Returns how long that loop takes, in microseconds."""
    host, port = address.rsplit(":", 1)
    form = f"account={account}&amount={AMOUNT}"
    post = (
        f"POST /demo/{BURST_STRATEGY}/ HTTP/1.1\r\nHost: {address}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form}"
    ).encode()
    warm_up = f"GET /accounts/{account} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()
    with contextlib.ExitStack() as open_sockets:
        peers = []
        for _ in range(BURST_REQUESTS):
            peer = open_sockets.enter_context(socket.create_connection((host, int(port))))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers.append(peer)
        for begin in (warm_up, post[:-1]):
            for peer in peers:
                peer.sendall(begin)
            if begin is warm_up:
                read_answers(peers)
        # The service reads what was sent so far.
        time.sleep(0.05)
        spread = release(peers, post[-1:])
        read_answers(peers)
    return spread


def release(peers: list[socket.socket], last_byte: bytes) -> float:
    for peer in peers:
        # With a timeout, Python would poll before each write.
        peer.settimeout(None)
    sends = [peer.send for peer in peers]
    gc.disable()
    began = time.perf_counter()
    for send in sends:
        send(last_byte)
    ended = time.perf_counter()
    gc.enable()
    return (ended - began) * 1e6


def read_answers(peers: list[socket.socket]) -> None:
    for peer in peers:
        peer.settimeout(60)
        response = HTTPResponse(peer)
        response.begin()
        body = response.read()
        if response.status not in (200, 409):
            raise CannotMeasure(f"a request was answered with {response.status}: {body[:500]!r}")


# Memory ------------------------------------------------------------------------------------------

def guess_passwords(address: str) -> None:
    """Sends wrong passwords, all at once, each for another user, so that no user is locked out."""
    def guess(number: int) -> None:
        connection = HTTPConnection(address, timeout=60)
        body = urlencode({"username": f"nobody{number}", "password": "a grain of sand"})
        connection.request(
            "POST", "/admin/login", body, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        status = connection.getresponse().status
        if status != 401:
            raise CannotMeasure(f"a wrong password was answered with {status}")

    with ThreadPoolExecutor(WRONG_PASSWORDS) as pool:
        list(pool.map(guess, range(WRONG_PASSWORDS)))


# What is printed ---------------------------------------------------------------------------------

def deposits_table(cells: list[Cell]) -> str:
    rows = []
    for cell in cells:
        http, native = cell.http, cell.native
        rows.append([
            cell.strategy, cell.clients,
            f"{http.rate():.0f}", f"{native.rate():.0f}", spread(cell.ratios()),
            pair(milliseconds, http.latency(50), native.latency(50)),
            pair(milliseconds, http.latency(99), native.latency(99)),
            pair(share, http.refused_share(), native.refused_share()),
            pair(share, http.lost_share(), native.lost_share()),
        ])
    head = ["strategy", "clients", "HTTP deposits/s", "native", "HTTP : native"]
    head += [f"{what}, HTTP / native" for what in ("p50 ms", "p99 ms", "refused", "lost")]
    return markdown(head, rows)


def processor_table(cells: list[Cell]) -> str:
    rows = [
        [cell.strategy, cell.clients]
        + [f"{cell.http.processor_us(process):.0f}" for process in ("client", "service", "database")]
        + [f"{cell.native.processor_us(process):.0f}" for process in ("client", "database")]
        for cell in cells
    ]
    head = ["processor time per deposit made, µs", "clients"]
    head += ["HTTP: wrk", "racy serve", "MySQL", "native: sysbench", "MySQL"]
    return markdown(head, rows)


def ratio_verdicts(cells: list[Cell]) -> str:
    verdicts = []
    for cell in cells:
        target = TARGET_RATIO.get((cell.strategy, cell.clients))
        if target is not None:
            ratio = statistics.median(cell.ratios())
            verdicts.append(
                f"{cell.strategy} at {cell.clients} clients: HTTP is {ratio:.2f} × native, "
                f"target ≥ {target}: {judged(ratio >= target)}.\n"
            )
    return "\n".join(verdicts)


def memory_table(memory: dict[str, int]) -> str:
    rows = [
        [when, f"{resident / 1e6:.1f} MB", judged(resident < TARGET_MEMORY)]
        for when, resident in memory.items()
    ]
    return markdown(["resident memory of racy serve", "", f"target < {TARGET_MEMORY / 1e6:.0f} MB"], rows)


def burst_table(bursts: dict[str, list[float]]) -> str:
    rows = []
    for name, spreads in bursts.items():
        middle = statistics.median(spreads)
        verdict = judged(middle <= TARGET_SPREAD_US) if name == "make_requests" else ""
        rows.append([name, *(milliseconds(value) for value in (middle, min(spreads), max(spreads))), verdict])
    head = [f"release of {BURST_REQUESTS} requests, ms", "median", "min", "max"]
    return markdown([*head, f"target ≤ {milliseconds(TARGET_SPREAD_US)}"], rows)
