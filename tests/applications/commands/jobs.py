"""The commands of the tests: `python3 jobs.py NAME`. CLIENT is the number of the client."""

import fcntl
import os
import signal
import subprocess
import sys
import time

from sql import connect

DECLINED = 3


def take():
    """Takes the first job that is free, if nobody does so at the same time."""
    on = connect()
    rows = on.query("SELECT id FROM job WHERE taken = 0 ORDER BY id LIMIT 1")
    for (job,) in rows:
        on.query(f"UPDATE job SET taken = taken + 1 WHERE id = {job}")
        print(f"a line that says nothing\ntook job {job}")


def take_locked():
    """The same, past jobs that another worker has locked."""
    on = connect()
    on.begin()
    free = "SELECT id FROM job WHERE taken = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
    for (job,) in on.query(free):
        on.query(f"UPDATE job SET taken = taken + 1 WHERE id = {job}")
        print(f"took job {job}")
    on.query("COMMIT")


def take_alone():
    """Takes jobs behind a lock that the database knows nothing of."""
    with open(os.environ["LOCK"], "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        take()


def claim():
    """Takes job 1, or says that somebody else has it."""
    if connect().query("UPDATE job SET taken = 1 WHERE id = 1 AND taken = 0") == 0:
        print("nothing to do", file=sys.stderr)
        sys.exit(DECLINED)
    print("took job 1")


def deposit():
    """What the shop does at /autocommit."""
    on = connect()
    [(balance,)] = on.query("SELECT balance FROM account WHERE id = 1")
    on.query("INSERT INTO deposit (amount) VALUES (10)")
    on.query(f"UPDATE account SET balance = {int(balance) + 10} WHERE id = 1")


def beat():
    """The shop's heartbeat, as a job of its own."""
    connect().query("UPDATE worker SET beats = beats + 1 WHERE id = 1")


def swap():
    """Moves a job in two steps."""
    on = connect()
    on.query("UPDATE job SET taken = taken + 1 WHERE id = 1")
    on.query("UPDATE job SET taken = taken - 1 WHERE id = 2")


def compare():
    """Crashes if a job is on its way."""
    on = connect()
    sums = [on.query(f"SELECT taken FROM job WHERE id = {job}")[0][0] for job in (1, 2)]
    if sum(map(int, sums)) != 0:
        os.kill(os.getpid(), signal.SIGABRT)


def crash():
    """Ends by a signal after its first statement."""
    connect().query("UPDATE job SET taken = 1 WHERE id = 1")
    print("about to end", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def leave():
    """Ends within a transaction."""
    on = connect()
    on.begin()
    on.query("UPDATE job SET taken = taken + 1 WHERE id = 1")


def poll():
    """Asks for a job for ever, with a pause between two questions."""
    on = connect()
    on.query("UPDATE job SET taken = 1 WHERE id = 1")
    while True:
        on.query("SELECT 1")
        time.sleep(0.01)


def hold():
    """Waits for ever, beside a child that does so as well."""
    on = connect()
    on.query("UPDATE job SET taken = 1 WHERE id = 1")
    subprocess.run(["sleep", "1000"])


def chatter():
    """Prints for ever."""
    connect().query("UPDATE job SET taken = 1 WHERE id = 1")
    while True:
        print("x" * 1000)


def idle():
    """Sends no statement."""
    print("nothing is due today")


def environment():
    """Tells where its database is, by all names that programs know."""
    connect().query("UPDATE job SET taken = taken + 1 WHERE id = 1")
    names = ["DATABASE_URL", "DB_HOST", "DB_PORT", "MYSQL_HOST", "MYSQL_TCP_PORT", "PGPORT", "GREETING"]
    port = os.environ["DB_PORT"]
    print(*(os.environ.get(name, "-").replace(port, "PORT") for name in names))


if __name__ == "__main__":
    globals()[sys.argv[1]]()
