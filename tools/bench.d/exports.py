"""The part of tools/bench that measures exports of a million transactions: how fast each strategy
writes them, how fast the file is downloaded, and how much memory that takes."""
from __future__ import annotations

import contextlib
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from lab import DATABASE, NO_DELAY, CannotMeasure, Lab, ProcessorTime, Service, in_turn, run, say
from tables import judged, markdown, spread

STRATEGIES = ("shared_file", "file_lock", "unique_file", "atomic_rename")

# Powers of ten.
ROWS = 1_000_000
FEW_ROWS = 1000

AMOUNT = 100

# The pages in which the service reads transactions.
PAGE = 1000
PAGE_SQL = (
    "SELECT id, amount, created_at FROM transactions "
    "WHERE account_id = {account} AND id > {after} ORDER BY id LIMIT {limit};"
)

# Enough for a machine that is busy with other programs.
SECONDS_AT_MOST = 600
OPTIONS = (*NO_DELAY, "--request-timeout", f"{SECONDS_AT_MOST}s")

# Target in bytes: what a thousand times the rows may add to the memory. In memory, the rows alone
# would take 24 MB, and the file 54 MB.
TARGET_GROWTH = 8_000_000

MEGABYTE = 1_000_000
PIECE = 1 << 20


@dataclass
class Run:
    """Rows that were written into a file, or read from one."""

    #: 0 if they were not counted.
    rows: int
    bytes: int
    seconds: float
    #: Processor time in seconds by process: service, database, client; and of the whole machine.
    processor: dict[str, float]
    #: The largest resident memory of the service meanwhile, in bytes. None if it was not measured.
    peak: int | None = None

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.seconds

    @property
    def megabytes_per_second(self) -> float:
        return self.bytes / MEGABYTE / self.seconds


@dataclass
class Way:
    """A way to write rows into a file or to read them: few rows once, then many in each round."""

    name: str
    run: Callable[[int], Run]
    few: Run | None = None
    many: list[Run] = field(default_factory=list)

    def growth(self) -> int:
        """How much more memory many rows took than few."""
        return max(run.peak for run in self.many) - self.few.peak

    def raw(self) -> dict:
        return {"name": self.name, "few": vars(self.few), "many": [vars(run) for run in self.many]}


def measure(lab: Lab, rounds: int) -> dict:
    """Prints what was measured, and returns all raw figures."""
    service = lab.service(OPTIONS)
    say(f"making accounts with {FEW_ROWS} and {ROWS} transactions")
    few, many = lab.new_accounts(2)
    fill(lab, few, FEW_ROWS)
    fill(lab, many, ROWS)
    native = Way("mysql", native_export(lab, {few: pages(lab, few), many: pages(lab, many)}))
    exports = [Way(name, exporter(lab, service, name)) for name in STRATEGIES]
    download = Way("download", lambda _account: downloaded(lab, service))

    # Few rows come first, so that no memory of a large export is counted. The first run opens
    # connections and prepares statements. It is not counted.
    for way in [native, *exports, download]:
        way.run(few)
        way.few = way.run(few)
    for turn in range(rounds):
        for way in in_turn([native, *exports], turn):
            way.many.append(way.run(many))
            say(f"round {turn + 1} of {rounds}, {way.name}: {way.many[-1].rows_per_second:.0f} rows/s")
        # Every strategy writes all rows, so the order does not matter.
        download.many.append(download.run(many))
        say(f"round {turn + 1} of {rounds}, download: {download.many[-1].megabytes_per_second:.0f} MB/s")

    print(speed_table(native, exports), processor_table(native, exports), download_line(download), sep="\n")
    print(memory_table([*exports, download]), verdict([*exports, download]), sep="\n", flush=True)
    return {"ways": [way.raw() for way in [native, *exports, download]]}


# The rows ----------------------------------------------------------------------------------------

def fill(lab: Lab, account: int, rows: int) -> None:
    """Records `rows` transactions, a power of ten, and adds their sum to the account."""
    digits = " UNION ALL ".join(f"SELECT {digit}" for digit in range(10))
    factors = ", ".join(f"digits d{place}" for place in range(len(str(rows)) - 1))
    query(lab, (
        f"INSERT INTO transactions (account_id, amount) WITH digits (digit) AS ({digits}) "
        f"SELECT {account}, {AMOUNT} FROM {factors};"
        f"UPDATE accounts SET balance = balance + {rows * AMOUNT} WHERE id = {account};"
    ))


def pages(lab: Lab, account: int) -> list[int]:
    """The transaction ids after which the pages of the account begin."""
    numbers = query(lab, (
        "SELECT id FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS place FROM transactions "
        f"WHERE account_id = {account}) numbered WHERE place % {PAGE} = 0 ORDER BY id"
    ))
    return [0, *map(int, numbers.split())]


def query(lab: Lab, sql: str) -> str:
    return run([*mysql(lab), f"--execute={sql}"])


def mysql(lab: Lab) -> list[str]:
    command = ["mysql", "--no-defaults", f"--socket={lab.socket}", "--user=root"]
    return [*command, "--batch", "--quick", "--skip-column-names", DATABASE]


# What is run -------------------------------------------------------------------------------------

def native_export(lab: Lab, pages_of: dict[int, list[int]]) -> Callable[[int], Run]:
    """The native loop: it writes page after page into a file, and knows where each begins."""
    scripts = {}
    for account, begins in pages_of.items():
        scripts[account] = lab.folder / f"pages-{account}.sql"
        scripts[account].write_text("\n".join(
            PAGE_SQL.format(after=after, account=account, limit=PAGE) for after in begins
        ))
    written = lab.folder / "rows.tsv"

    def export(account: int) -> Run:
        with written.open("wb") as output, ProcessorTime(database=lab.database) as processor:
            began = time.monotonic()
            run([*mysql(lab), f"--execute=source {scripts[account]}"], stdout=output)
            seconds = time.monotonic() - began
        rows = written.read_bytes().count(b"\n")
        expect(rows, (len(pages_of[account]) - 1) * PAGE, "mysql")
        return Run(rows, written.stat().st_size, seconds, processor.used)

    return export


def exporter(lab: Lab, service: Service, strategy: str) -> Callable[[int], Run]:
    def export(account: int) -> Run:
        rows = service.get(f"/accounts/{account}")["transactions"]
        forget_peak(service)
        with processors(lab, service) as processor:
            began = time.monotonic()
            made = post(service, f"/exports/{strategy}/", {"account": account})
            seconds = time.monotonic() - began
        peak = service.memory("VmHWM")
        expect(made["rows"], rows, strategy)
        audit = service.get(f"/exports/{made['file']}/audit")
        wrong = [anomaly["name"] for anomaly in audit["anomalies"] if anomaly["count"]]
        if wrong:
            raise CannotMeasure(f"the export of {strategy} is wrong: {', '.join(wrong)}")
        return Run(rows, made["bytes"], seconds, processor.used, peak)

    return export


def downloaded(lab: Lab, service: Service) -> Run:
    """Downloads the shared file."""
    piece = bytearray(PIECE)
    connection = HTTPConnection(service.address, timeout=SECONDS_AT_MOST)
    forget_peak(service)
    with contextlib.closing(connection), processors(lab, service) as processor:
        began = time.monotonic()
        connection.request("GET", "/exports/transactions.csv")
        response = connection.getresponse()
        length, got = int(response.headers["Content-Length"]), 0
        while count := response.readinto(piece):
            got += count
        seconds = time.monotonic() - began
    peak = service.memory("VmHWM")
    expect((response.status, got), (200, length), "the download")
    return Run(0, got, seconds, processor.used, peak)


def post(service: Service, path: str, body: dict) -> dict:
    connection = HTTPConnection(service.address, timeout=SECONDS_AT_MOST)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
    if response.status != 200:
        raise CannotMeasure(f"POST {path} was answered with {response.status}: {answer[:500]!r}")
    return json.loads(answer)


def processors(lab: Lab, service: Service) -> ProcessorTime:
    return ProcessorTime(service=service.process.pid, database=lab.database)


def forget_peak(service: Service) -> None:
    """Resets the kernel's record of the largest resident memory (VmHWM)."""
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")


def expect(got: object, wanted: object, what: str) -> None:
    if got != wanted:
        raise CannotMeasure(f"{what}: {got} instead of {wanted}")


# What is printed ---------------------------------------------------------------------------------

def speed_table(native: Way, exports: list[Way]) -> str:
    rows = []
    for way in [native, *exports]:
        ratios = [own.rows_per_second / its.rows_per_second for own, its in zip(way.many, native.many)]
        rows.append([
            way.name,
            spread([run.megabytes_per_second for run in way.many]),
            spread([run.rows_per_second / 1000 for run in way.many]),
            "" if way is native else spread(ratios),
        ])
    return markdown([f"export of {ROWS} rows", "MB/s", "1000 rows/s", "rows/s : mysql"], rows)


def processor_table(native: Way, exports: list[Way]) -> str:
    rows = []
    for way in [native, *exports]:
        own = "client" if way is native else "service"
        used = [
            statistics.median(run.processor[process] * 1e6 / run.rows for run in way.many)
            for process in (own, "database")
        ]
        rows.append([way.name, *(f"{each:.2f}" for each in used)])
    return markdown(["processor time per row, µs", "mysql or racy serve", "MySQL"], rows)


def download_line(download: Way) -> str:
    speed = spread([run.megabytes_per_second for run in download.many])
    return f"Download of {download.many[0].bytes / MEGABYTE:.0f} MB: {speed} MB/s.\n"


def memory_table(ways: list[Way]) -> str:
    rows = []
    for way in ways:
        peaks = [run.peak for run in way.many]
        rows.append([
            way.name, megabytes(way.few.peak), megabytes(max(peaks)), megabytes(way.growth()),
            f"{max(peaks) / way.few.peak:.2f}",
        ])
    head = ["peak resident memory of racy serve, MB", f"{FEW_ROWS} rows", f"{ROWS} rows", "more", "ratio"]
    return markdown(head, rows)


def megabytes(number: int) -> str:
    return f"{number / MEGABYTE:.1f}"


def verdict(ways: list[Way]) -> str:
    most = max(way.growth() for way in ways)
    return (
        f"{ROWS // FEW_ROWS} times the rows take {megabytes(most)} MB more memory at most, "
        f"target < {megabytes(TARGET_GROWTH)}: {judged(most < TARGET_GROWTH)}.\n"
    )
