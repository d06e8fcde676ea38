"""psycopg 3 in pipeline mode: statements are sent before the answers to earlier ones have come."""
import listed
import psycopg
from psycopg.errors import Error
from psycopg.pq import ExecStatus


def send_list():
    """Each statement of the list alone in a pipeline, which is then in the extended protocol."""
    cursor = connection.cursor()
    for sql, values in listed.statements(path):
        # psycopg loses its connection if a Sync fails: see below.
        if "INTO child" in sql:
            continue
        try:
            with connection.pipeline():
                cursor.execute(sql, values)
            listed.print_result(cursor)
        except Error as error:
            listed.print_error(error)


def many():
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int + 1", [n]) for n in range(40)]
    print("  many", [cursor.fetchone()[0] for cursor in cursors])


def send_at_once(*parts):
    """Sends all of it before it reads: `execute` would stop where it sees an error, if it comes in
    time. None is a Sync."""
    connection.pgconn.enter_pipeline_mode()
    for sql in parts:
        if sql is None:
            connection.pgconn.pipeline_sync()
        else:
            connection.pgconn.send_query_params(sql.encode(), None)
    while connection.pgconn.flush():
        pass
    syncs = parts.count(None)
    while syncs:
        if result := connection.pgconn.get_result():
            print("  result", ExecStatus(result.status).name, result.command_status,
                  result.error_message.decode().splitlines()[:1])
            syncs -= result.status == ExecStatus.PIPELINE_SYNC
    connection.pgconn.exit_pipeline_mode()


def fails_in_the_middle():
    send_at_once("INSERT INTO parent VALUES (60)", "INSERT INTO parent VALUES (60)",
                 "INSERT INTO parent VALUES (61)", None)


def several_syncs():
    send_at_once("INSERT INTO parent VALUES (70)", None, "INSERT INTO parent VALUES (70)",
                 "SELECT 1", None, None, "INSERT INTO parent VALUES (71)", None,
                 "SELECT FROM FROM", None, "SELECT 2", None)


def fails_in_a_transaction():
    send_at_once("BEGIN", "INSERT INTO parent VALUES (75)", None, "SELECT 1 / 0", None, "SELECT 3",
                 None, "COMMIT", None, "BEGIN", "INSERT INTO parent VALUES (76)", "COMMIT", None)


def fails_at_sync():
    """A constraint that is deferred: the statement has succeeded when its Sync fails."""
    send_at_once("INSERT INTO parent VALUES (80)", "INSERT INTO child VALUES (80, 404)", None,
                 "INSERT INTO parent VALUES (81)", None)


def transactions():
    with connection.pipeline():
        with connection.transaction():
            connection.execute("INSERT INTO parent VALUES (90)")
            with connection.transaction():
                connection.execute("INSERT INTO parent VALUES (%s)", [91])


def executemany():
    cursor = connection.cursor()
    cursor.executemany(
        "INSERT INTO sheet VALUES (%s, %s) RETURNING id", [(n, "y" * n) for n in range(1, 300)],
        returning=True,
    )
    count = 1
    while cursor.nextset():
        count += 1
    print("  results", count)


def long_ones():
    with connection.pipeline():
        cursors = [
            connection.execute("SELECT %s::text, repeat('z', %s)", ["x" * 200_000, 200_000])
            for _ in range(8)
        ]
    print("  lengths", [sum(map(len, cursor.fetchone())) for cursor in cursors])


def show_parents():
    listed.print_result(connection.execute("SELECT id FROM parent ORDER BY id"))


place, path = listed.arguments()
connection = psycopg.connect(**place, autocommit=True)
connection.add_notice_handler(listed.print_notice)
send_list()
for title, action in (
    ("many", many), ("fails in the middle", fails_in_the_middle),
    ("several syncs", several_syncs),
    ("fails in a transaction", fails_in_a_transaction), ("fails at sync", fails_at_sync),
    ("transactions", transactions), ("executemany", executemany), ("long ones", long_ones),
    ("parents", show_parents),
):
    listed.attempt(title, action, Error)
connection.close()
print("all sent")
