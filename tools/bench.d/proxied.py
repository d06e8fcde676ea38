"""The part of tools/bench that measures what Racy's proxy costs while it holds nothing: round trips
of a trivial statement, and processor time, directly, over a plain forwarder, and over the proxy."""
from __future__ import annotations

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab import CannotMeasure, ProcessorTime, in_turn, run, say
from tables import judged, markdown, spread

STATEMENT = b"SELECT 1"

#: Round trips in one loop, and those before it that are not counted.
TRIPS = 5000
WARM_UP = 500

#: A round trip over the proxy takes at most this many times as long as a direct one.
TARGET = 1.5

#: There is no verdict if other programs keep this much of the processors busy: one that never rests
#: wakes faster, and the ways share what is left.
MOST_DISTURBANCE = 0.3

START_WITHIN = 120

#: PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION and PLUGIN_AUTH.
CAPABILITIES = 0x200 | 0x2000 | 0x8000 | 0x80000


@dataclass
class Way:
    """A way to the server."""

    name: str
    port: int
    #: The process in between. None if there is none.
    process: int | None
    #: The median of each loop's round trips, in µs.
    trips_us: list[float] = field(default_factory=list)
    #: The processor time of each loop, in µs for each statement, by process.
    processor_us: list[dict[str, float]] = field(default_factory=list)
    #: How many processors other programs kept busy in each loop.
    disturbance: list[float] = field(default_factory=list)

    def ratios(self, other: Way) -> list[float]:
        return [own / its for own, its in zip(self.trips_us, other.trips_us)]

    def used(self, process: str) -> float:
        return statistics.mean(used.get(process, 0) for used in self.processor_us)


def measure(folder: Path, rounds: int, profile: str, proxy: Path) -> dict:
    """Prints what was measured, and returns all raw figures."""
    with contextlib.ExitStack() as cleanup:
        server = cleanup.enter_context(Server(folder))
        ways = [Way("direct, TCP", server.port, None)]
        for name, kind in (("plain forwarder", "plain"), ("Racy's proxy", "mysql")):
            between = cleanup.enter_context(Between(proxy, kind, server.port))
            ways.append(Way(name, between.port, between.process.pid))
        clients = {way.name: cleanup.enter_context(Client(way.port)) for way in ways}
        for turn in range(rounds):
            for way in in_turn(ways, turn):
                loop(way, clients[way.name], server.process.pid)
            say(f"round {turn + 1} of {rounds}: " + ", ".join(f"{w.trips_us[-1]:.0f} µs" for w in ways))
    print(table(ways), verdict(ways, profile), sep="\n", flush=True)
    return {"profile": profile, "trips": TRIPS, "ways": [vars(way) for way in ways]}


def loop(way: Way, client: Client, server: int) -> None:
    for _ in range(WARM_UP):
        client.trip()
    between = {"between": way.process} if way.process else {}
    trips = []
    started, own = time.monotonic(), time.process_time()
    with ProcessorTime(server=server, **between) as processor:
        for _ in range(TRIPS):
            began = time.perf_counter_ns()
            client.trip()
            trips.append(time.perf_counter_ns() - began)
    seconds, own = time.monotonic() - started, time.process_time() - own
    way.trips_us.append(statistics.median(trips) / 1000)
    processes = ("server", *between)
    others = processor.used["machine"] - own - sum(processor.used[it] for it in processes)
    way.disturbance.append(max(others, 0) / seconds)
    way.processor_us.append({it: processor.used[it] * 1e6 / TRIPS for it in processes})


def table(ways: list[Way]) -> str:
    direct = ways[0]
    rows = [
        [
            way.name, f"{statistics.median(way.trips_us):.1f}", spread(way.ratios(direct)),
            f"{way.used('server'):.1f}", f"{way.used('between'):.1f}" if way.process else "",
            f"{way.used('between') / direct.used('server'):.2f} ×" if way.process else "",
        ]
        for way in ways
    ]
    return markdown(
        [
            "one client", "round trip, µs", "to direct", "processor of the server, µs",
            "in between, µs", "to the server's",
        ],
        rows,
    )


def verdict(ways: list[Way], profile: str) -> str:
    direct, plain, proxy = ways
    ratio = statistics.median(proxy.ratios(direct))
    beside = statistics.median(proxy.ratios(plain))
    others = statistics.median(one for way in ways for one in way.disturbance)
    reached = judged(ratio <= TARGET)
    if others > MOST_DISTURBANCE:
        reached = f"no verdict, because other programs kept {others:.1f} processors busy"
    built = "" if profile == "release" else f" It was built as {profile}: the target is for release."
    return (
        f"\nA round trip of {STATEMENT.decode()} over the proxy takes {ratio:.2f} times a direct one; "
        f"target at most {TARGET}: {reached}.{built} It takes {beside:.2f} times one over the plain "
        "forwarder: the rest is what any process in between costs.\n"
    )


# What is started ---------------------------------------------------------------------------------

class Server:
    """A private MySQL that listens on a port. Its account has no password."""

    def __init__(self, folder: Path) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        fetched = cache / "racy/mysql/bin/mysqld"
        program = os.environ.get("RACY_MYSQLD") or (fetched if fetched.exists() else shutil.which("mysqld"))
        if not program:
            raise CannotMeasure("there is no MySQL; tools/get-mysql fetches one")
        say("starting a MySQL on a port")
        options = [program, "--no-defaults", f"--datadir={folder / 'data'}"]
        if os.geteuid() == 0:
            options.append("--user=root")
        run([*options, "--initialize-insecure"], stderr=subprocess.DEVNULL)
        accounts = folder / "accounts.sql"
        accounts.write_text("CREATE USER bench@127.0.0.1;\n")
        self.port = free_port()
        self.log = (folder / "server.log").open("wb")
        options += [
            f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}", "--mysqlx=OFF",
            "--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve",
            f"--init-file={accounts}",
        ]
        self.command = [str(word) for word in options]

    def __enter__(self) -> Server:
        # A wrapper may start it, and then gives way to it.
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
                return self
            time.sleep(0.1)
        self.__exit__()
        raise CannotMeasure("the MySQL did not start")

    def __exit__(self, *_exception: object) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Between:
    """The forwarder or the proxy, which ends with its standard input."""

    def __init__(self, program: Path, kind: str, server: int) -> None:
        self.process = subprocess.Popen(
            [str(program), kind, f"127.0.0.1:{server}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.port = int(self.process.stdout.readline().rpartition(":")[2] or 0)

    def __enter__(self) -> Between:
        if not self.port:
            raise CannotMeasure("the proxy did not start")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Client:
    """A connection that costs as little as possible: its answers are all equally long."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        self.packet()
        hello = CAPABILITIES.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d"
        self.send(1, hello + bytes(23) + b"bench\0\0caching_sha2_password\0")
        sequence, payload = self.packet()
        if payload[0] != 0:
            raise CannotMeasure(f"the MySQL refuses the client: {payload!r}")
        self.command = framed(0, b"\x03" + STATEMENT)
        self.socket.sendall(self.command)
        # The number of columns, one definition, EOF, one row, EOF.
        self.length = sum(4 + len(self.packet()[1]) for _ in range(5))
        self.reader.close()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()

    def trip(self) -> None:
        self.socket.sendall(self.command)
        left = self.length
        while left > 0:
            got = len(self.socket.recv(left))
            if not got:
                raise CannotMeasure("a connection was closed")
            left -= got

    def send(self, sequence: int, payload: bytes) -> None:
        self.socket.sendall(framed(sequence, payload))

    def packet(self) -> tuple[int, bytes]:
        header = self.reader.read(4)
        if len(header) < 4:
            raise CannotMeasure("a connection was closed")
        return header[3], self.reader.read(int.from_bytes(header[:3], "little"))


def framed(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload
