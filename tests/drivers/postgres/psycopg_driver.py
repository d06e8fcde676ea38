"""psycopg 3: the list, and what a list cannot say."""
import listed
import psycopg
from psycopg.errors import Error


def connect(**more):
    connection = psycopg.connect(**{**place, "autocommit": True, **more})
    connection.add_notice_handler(listed.print_notice)
    return connection


def send_list():
    cursor = connection.cursor()
    for sql, values in listed.statements(path):
        try:
            cursor.execute(sql, values)
            listed.print_result(cursor)
            while cursor.nextset():
                listed.print_result(cursor)
        except Error as error:
            listed.print_error(error)


def use_transactions():
    with connection.transaction():
        connection.execute("INSERT INTO parent VALUES (10)")
        try:
            with connection.transaction():
                connection.execute("INSERT INTO parent VALUES (%s)", [10])
        except Error as error:
            listed.print_error(error)
        connection.execute("INSERT INTO parent VALUES (11)")
    with connection.transaction():
        connection.execute("INSERT INTO child VALUES (%s, %s)", [10, 404])


def show_parents():
    listed.print_result(connection.execute("SELECT id FROM parent ORDER BY id"))


def without_autocommit():
    with connect(autocommit=False) as other:
        other.execute("INSERT INTO parent VALUES (20)")
        other.commit()
        other.execute("INSERT INTO parent VALUES (21)")
        other.rollback()
        other.execute("INSERT INTO child VALUES (20, 404)")
        other.commit()


def use_named_cursor():
    with connection.transaction(), connection.cursor("pages") as pages:
        pages.itersize = 40
        pages.execute("SELECT n FROM generate_series(1, %s) AS n", [100])
        print("  sum", sum(n for n, in pages))


def use_binary():
    cursor = connection.cursor(binary=True)
    for _ in range(7):
        cursor.execute("SELECT i, d, t, b, dt FROM item WHERE i = %s", [9])
        listed.print_result(cursor)
    cursor.executemany("INSERT INTO parent VALUES (%s)", [[30], [31], [32]])
    print("  many", cursor.rowcount)


def copy_in(sql, rows, fault=None, types=None):
    with connection.cursor() as cursor:
        with cursor.copy(sql) as copy:
            if types:
                copy.set_types(types)
            for row in rows:
                copy.write_row(row)
            if fault:
                raise fault
        print("  done", cursor.rowcount, cursor.statusmessage)


def copy_abandoned():
    try:
        copy_in("COPY sheet FROM STDIN", [(1000, "lost")], ValueError("no more"))
    except ValueError as error:
        print("  abandoned", error)


def copy_out(sql):
    with connection.cursor() as cursor:
        with cursor.copy(sql) as copy:
            data = b"".join(bytes(part) for part in copy)
        print("  copied", listed.shown(data), cursor.statusmessage)


def copy():
    def attempt(title, action):
        listed.attempt(title, action, Error)
    attempt("copy in", lambda: copy_in("COPY sheet FROM STDIN", [(n, f"a{n}") for n in range(500)]))
    attempt("copy in, binary", lambda: copy_in(
        "COPY parent FROM STDIN (FORMAT BINARY)", [(n,) for n in range(50, 60)], types=["int4"]))
    attempt("copy in, long", lambda: copy_in("COPY sheet FROM STDIN", [(600, "x" * 300_000)]))
    attempt("copy in, abandoned", copy_abandoned)
    attempt("copy in, refused", lambda: copy_in("COPY no_such_table FROM STDIN", [(1, "a")]))
    attempt("copy in, twice the same", lambda: copy_in("COPY sheet FROM STDIN", [(1, "a")]))
    attempt("copy out", lambda: copy_out("COPY (SELECT * FROM sheet ORDER BY id) TO STDOUT"))
    attempt("copy out, refused", lambda: copy_out("COPY no_such_table TO STDOUT"))
    attempt("copy out, fails", lambda: copy_out(
        "COPY (SELECT 10 / (n - 5) FROM generate_series(1, 9) AS n) TO STDOUT"))
    with connection.transaction(force_rollback=True):
        attempt("copy in a transaction", lambda: copy_in("COPY sheet FROM STDIN", [(700, "b")]))


def listen():
    connection.execute("LISTEN kettle")
    connection.execute("NOTIFY kettle, 'to myself'")
    with connect() as other:
        other.execute("SELECT pg_notify('kettle', %s)", ["boils"])
    for notice in connection.notifies(timeout=30, stop_after=2):
        print("  notified", notice.channel, notice.payload)
    # One that comes within a transaction is delivered with its end.
    with connection.transaction():
        with connect() as other:
            other.execute("NOTIFY kettle, 'later'")
        connection.execute("SELECT 1")
    for notice in connection.notifies(timeout=30, stop_after=1):
        print("  notified", notice.channel, notice.payload)
    connection.execute("UNLISTEN *")


def cancel():
    with connect() as other:
        run = lambda: listed.attempt(
            "  sleeping", lambda: connection.execute("SELECT pg_sleep(61)"), Error)
        listed.cancelled(run, other.execute, connection.cancel)
        run = lambda: listed.attempt(
            "  sleeping", lambda: connection.execute("SELECT pg_sleep(61), %s", [1]), Error)
        listed.cancelled(run, other.execute, connection.cancel_safe)
    listed.print_result(connection.execute("SELECT 'alive'"))


place, path = listed.arguments()
connection = connect()
send_list()
for title, action in (
    ("transactions", use_transactions), ("parents", show_parents),
    ("without autocommit", without_autocommit), ("parents", show_parents),
    ("named cursor", use_named_cursor), ("binary", use_binary), ("copy", copy),
    ("listen", listen), ("cancel", cancel),
    ("wrong password", lambda: connect(password="coffee")),
    ("no such database", lambda: connect(dbname="no_such_database")),
    ("no TLS", lambda: connect(sslmode="require")),
):
    listed.attempt(title, action, Error)
connection.close()
print("all sent")
