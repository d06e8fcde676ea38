"""A worker that sends reminders, and ends when none is due.

With --once it ends after the first one. Its exit status is 3 if it has sent nothing.
"""

import argparse
import os
import sys

import pymysql

NOTHING_WAS_DUE = 3

DUE = "SELECT id FROM reminders WHERE sent = 0 ORDER BY id LIMIT 1"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--once", action="store_true", help="end after the first reminder")
    parser.add_argument("--skip-locked", action="store_true", help="leave others' reminders alone")
    arguments = parser.parse_args()
    due = DUE + (" FOR UPDATE SKIP LOCKED" if arguments.skip_locked else "")
    database = connect()
    count = 0
    while reminder := send_one(database, due):
        print("sent reminder", reminder)
        count += 1
        if arguments.once:
            break
    sys.exit(0 if count else NOTHING_WAS_DUE)


def connect():
    return pymysql.connect(
        host=os.environ["DB_HOST"],
        port=int(os.environ["DB_PORT"]),
        database=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
    )


def send_one(database, due):
    """Sends a reminder in a transaction, and returns its number. None if none is due."""
    with database.cursor() as cursor:
        # RACE: a plain SELECT locks nothing. Until this transaction has committed, another worker
        # reads the same reminder as one that was not sent.
        cursor.execute(due)
        row = cursor.fetchone()
        if row is not None:
            cursor.execute("UPDATE reminders SET sent = 1 WHERE id = %s", row)
            cursor.execute("INSERT INTO letters (reminder) VALUES (%s)", row)
    database.commit()
    return row and row[0]


if __name__ == "__main__":
    main()
