"""psycopg2, which puts arguments into the text."""
import io
import select

import listed
import psycopg2
from psycopg2 import Error


def connect(**more):
    connection = psycopg2.connect(**{**place, **more})
    connection.autocommit = True
    return connection


def execute(sql, values=None):
    cursor = connection.cursor()
    cursor.execute(sql, values)
    listed.print_result(cursor)


def print_notices():
    while connection.notices:
        print("  notice", connection.notices.pop(0).strip())


def send_list():
    for sql, values in listed.statements(path):
        # It refuses an empty text itself.
        listed.attempt("", lambda: execute(sql or " ", values), Error)
        print_notices()


def use_transactions():
    connection.autocommit = False
    execute("INSERT INTO parent VALUES (10)")
    connection.commit()
    execute("INSERT INTO parent VALUES (11)")
    connection.rollback()
    try:
        with connection:
            execute("INSERT INTO child VALUES (10, 404)")
    finally:
        connection.autocommit = True


def use_named_cursor():
    with connection.cursor("pages", withhold=True) as pages:
        pages.itersize = 40
        pages.execute("SELECT n FROM generate_series(1, %s) AS n", [100])
        print("  sum", sum(n for n, in pages))


class Breaks(io.StringIO):
    """A file whose second part cannot be read."""

    def read(self, size=-1):
        part = super().read(size)
        if not part:
            raise ValueError("no more")
        return part


def copy_in(sql, file):
    cursor = connection.cursor()
    cursor.copy_expert(sql, file)
    print("  done", cursor.rowcount, cursor.statusmessage)


def copy_out(sql):
    file = io.StringIO()
    cursor = connection.cursor()
    cursor.copy_expert(sql, file)
    print("  copied", listed.shown(file.getvalue()), cursor.statusmessage)


def copy():
    rows = "".join(f"{n}\ta{n}\n" for n in range(500))
    for title, sql, file in (
        ("copy in", "COPY sheet FROM STDIN", io.StringIO(rows)),
        ("copy in, abandoned", "COPY sheet FROM STDIN", Breaks("1000\tlost\n")),
        ("copy in, refused", "COPY no_such_table FROM STDIN", io.StringIO("1\ta\n")),
        ("copy in, twice the same", "COPY sheet FROM STDIN", io.StringIO("1\ta\n")),
        ("copy in, no number", "COPY sheet FROM STDIN", io.StringIO("one\ta\n")),
    ):
        listed.attempt(title, lambda: copy_in(sql, file), Error)
    for title, sql in (
        ("copy out", "COPY (SELECT * FROM sheet ORDER BY id) TO STDOUT"),
        ("copy out, refused", "COPY no_such_table TO STDOUT"),
        ("copy out, fails", "COPY (SELECT 1 / (n - 5) FROM generate_series(1, 9) AS n) TO STDOUT"),
    ):
        listed.attempt(title, lambda: copy_out(sql), Error)


def print_notifications(count):
    while len(connection.notifies) < count:
        if not select.select([connection], [], [], 30)[0]:
            raise TimeoutError("no notification")
        connection.poll()
    while connection.notifies:
        notice = connection.notifies.pop(0)
        print("  notified", notice.channel, notice.payload)


def listen():
    other = connect()
    execute("LISTEN kettle")
    other.cursor().execute("SELECT pg_notify('kettle', %s)", ["boils"])
    print_notifications(1)
    execute("BEGIN")
    other.cursor().execute("NOTIFY kettle, 'later'")
    execute("SELECT 1")
    execute("COMMIT")
    print_notifications(1)
    other.close()
    execute("UNLISTEN *")


def cancel():
    other = connect()
    run = lambda: listed.attempt("  sleeping", lambda: execute("SELECT pg_sleep(61)"), Error)
    listed.cancelled(run, other.cursor().execute, connection.cancel)
    other.close()
    execute("SELECT 'alive'")


place, path = listed.arguments()
connection = connect()
send_list()
for title, action in (
    ("transactions", use_transactions), ("named cursor", use_named_cursor), ("copy", copy),
    ("listen", listen), ("cancel", cancel),
    ("wrong password", lambda: connect(password="coffee")),
    ("no such database", lambda: connect(dbname="no_such_database")),
):
    listed.attempt(title, action, Error)
connection.close()
print("all sent")
