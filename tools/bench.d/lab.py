"""What every part of tools/bench uses: programs, the service over its private MySQL, and processor
time."""
from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

SCRIPTS = Path(__file__).resolve().parent
DATABASE = "racy"

#: Options of `racy serve`.
NO_DELAY = ("--long-delay", "0")

# How long the service, with a fresh data directory, may take to start, and to stop.
START_WITHIN = 120
STOP_WITHIN = 60

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class CannotMeasure(Exception):
    """Something is missing or failed. The message says what, and what to do."""


# Programs ----------------------------------------------------------------------------------------

def run(command: list, good_statuses: tuple[int, ...] = (0,), **options) -> str:
    """Runs a command to its end and returns its standard output, unless that goes elsewhere."""
    words = [str(word) for word in command]
    options.setdefault("stdout", subprocess.PIPE)
    try:
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, text=True, **options)
    except OSError as error:
        raise CannotMeasure(f"cannot run {words[0]}: {error.strerror}") from error
    if ended.returncode not in good_statuses:
        said = (ended.stderr or ended.stdout or "").strip()[-1000:]
        raise CannotMeasure(f"{Path(words[0]).name} failed with status {ended.returncode}{said and ': ' + said}")
    return ended.stdout or ""


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def in_turn(items: list, turn: int) -> list:
    """The items, rotated, so that another one goes first each turn."""
    first = turn % len(items)
    return items[first:] + items[:first]


def machine() -> dict:
    model = next(
        (line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")),
        platform.machine(),
    )
    return {
        "processors": len(os.sched_getaffinity(0)),
        "model": model,
        "load_before": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def native_client(*options: str) -> str:
    return sysbench("native.lua", f"--database={DATABASE}", *options)


def sysbench(script: str, *options: str) -> str:
    return run(["sysbench", SCRIPTS / script, "--verbosity=1", *options], env=with_modules())


def with_modules() -> dict[str, str]:
    """The environment in which the Lua scripts find their modules."""
    return {**os.environ, "LUA_PATH": f"{SCRIPTS}/?.lua;;"}


# The service -------------------------------------------------------------------------------------

class Lab:
    """The service over its private MySQL, in a temporary folder. There is one instance for each set
    of options, and the first one starts the database. Everything is removed at the end."""

    def __init__(self, binaries: Path) -> None:
        self.racy = binaries / "racy"
        self.instances: dict[tuple[str, ...], Service] = {}
        self.last_account = 1

    def __enter__(self) -> Lab:
        self.cleanup = contextlib.ExitStack()
        try:
            folder = self.cleanup.enter_context(tempfile.TemporaryDirectory(prefix="racy-bench-"))
            self.folder = Path(folder)
            say("starting racy serve and its MySQL")
            first = self.start(NO_DELAY, "local:mysql")
            self.engine, self.socket = first.engine()
            self.database = listener_of(self.socket)
        except BaseException:
            self.cleanup.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.cleanup.close()

    def service(self, options: tuple[str, ...] = NO_DELAY) -> Service:
        """The instance with these options, started if need be."""
        if options not in self.instances:
            self.start(options, self.url)
        return self.instances[options]

    @property
    def url(self) -> str:
        """The database's URL."""
        return f"mysql://root@localhost/{DATABASE}?socket={quote(self.socket, safe='')}&ssl-mode=disabled"

    def start(self, options: tuple[str, ...], database: str) -> Service:
        log = self.folder / f"serve-{len(self.instances)}.log"
        command = [str(self.racy), "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
        command += ["--database-url", database, *options]
        environment = stock_environment("RACY_MYSQLD")
        environment["RACY_DATA_DIR"] = str(self.folder / "data")
        service = self.cleanup.enter_context(Service(command, environment, log))
        self.instances[options] = service
        return service

    def new_accounts(self, count: int) -> list[int]:
        """Makes accounts with a balance of 0."""
        accounts = [self.last_account + index for index in range(1, count + 1)]
        self.last_account += count
        numbers = ",".join(map(str, accounts))
        native_client(f"--socket={self.socket}", f"--accounts={numbers}", "prepare")
        return accounts

    def set_globals(self, settings: dict[str, str]) -> dict[str, str]:
        """Sets global variables of the MySQL, and returns their former values."""
        wanted = ",".join(f"{name}={value}" for name, value in settings.items())
        output = sysbench(
            "globals.lua", f"--mysql-socket={self.socket}", "--mysql-user=root", f"--mysql-db={DATABASE}",
            f"--settings={wanted}", "set",
        )
        return dict(line.split("=", 1) for line in output.splitlines())


def stock_environment(*kept: str) -> dict[str, str]:
    """The environment for a program with stock settings: variables that change them are left out,
    except those in `kept`."""
    return {
        name: value for name, value in os.environ.items()
        if name in kept or not name.startswith(("RACY_", "RUST_LOG", "DATABASE_URL"))
    }


def listener_of(path: str) -> int:
    """The process that listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


class Service:
    """A running `racy serve`."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        # It has a session of its own: Ctrl-C reaches only this script, which stops it in order.
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stderr=stderr, start_new_session=True
            )

    def __enter__(self) -> Service:
        try:
            self.address = self.announced("listening on http://").split(",")[0]
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            say(f"racy serve did not stop within {STOP_WITHIN} s; it is killed")
            self.process.kill()
            self.process.wait()

    def announced(self, beginning: str) -> str:
        """Waits for a log message with this beginning, and returns the rest of it."""
        deadline = time.monotonic() + START_WITHIN
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            for message in self.messages():
                if message.startswith(beginning):
                    return message[len(beginning):]
            if ended:
                break
            time.sleep(0.05)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-10:])
        raise CannotMeasure(f"racy serve did not start (tools/get-mysql fetches a MySQL):\n{tail}")

    def messages(self) -> list[str]:
        messages = []
        # The last line may be incomplete.
        for line in self.log.read_text(errors="replace").split("\n")[:-1]:
            with contextlib.suppress(ValueError, TypeError):
                messages.append(json.loads(line).get("message", ""))
        return messages

    def engine(self) -> tuple[str, str]:
        """The engine in words, and the path of its socket."""
        message = self.announced("engine: ")
        engine, _, place = message.partition(" (")
        _, found, path = place.rpartition("socket ")
        if not found:
            raise CannotMeasure(f"racy serve did not say where its MySQL listens: {message}")
        return engine, path.rstrip(")")

    def get(self, path: str) -> dict:
        connection = HTTPConnection(self.address, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status != 200:
                raise CannotMeasure(f"GET {path} was answered with {response.status}: {body[:500]!r}")
            return json.loads(body)

    def memory(self, kind: str = "VmRSS") -> int:
        """Resident memory in bytes: now (VmRSS), or the largest so far (VmHWM)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise CannotMeasure("racy serve has ended")


# Processor time ----------------------------------------------------------------------------------

class ProcessorTime:
    """The processor time, in seconds, that the named processes, this script's children ("client")
    and the whole machine use inside the `with`."""

    def __init__(self, **processes: int) -> None:
        self.processes = processes

    def __enter__(self) -> ProcessorTime:
        self.before = self.now()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.used = {name: seconds - self.before[name] for name, seconds in self.now().items()}

    def now(self) -> dict[str, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        times = {"client": children.ru_utime + children.ru_stime, "machine": machine_busy()}
        for name, process in self.processes.items():
            # The name of the program, in parentheses, may contain spaces and parentheses.
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            times[name] = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
        return times


def machine_busy() -> float:
    """The seconds since the start that processors were at work, or were taken away by a host."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = map(int, fields[:8])
    return (user + nice + system + interrupts + soft_interrupts + stolen) / TICKS_PER_SECOND
