"""What the Python drivers of PostgreSQL share: the list, and how a result is shown."""
import pathlib
import re
import sys
import threading
import zlib

KINDS = {
    "i": int, "f": float, "s": str, "b": bytes.fromhex, "n": lambda _: None,
    "r": lambda count: "x" * int(count),
}


def shown(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bytes, bytearray, memoryview)):
        text = "0x" + bytes(value).hex()
    elif isinstance(value, str):
        text = f"'{value}'"
    else:
        text = str(value)
    return text if len(text) <= 80 else f"{len(text)} characters, crc {zlib.crc32(text.encode())}"


def print_result(cursor):
    """Prints the result at which the cursor is."""
    if cursor.description is None:
        print("  done", cursor.rowcount, cursor.statusmessage)
        return
    columns = (f"{column.name}:{column.type_code}" for column in cursor.description)
    print("  columns", *columns, cursor.statusmessage)
    for row in cursor.fetchall():
        print("  row", " | ".join(map(shown, row)))


def print_error(error):
    """The server's own fields. Without them it is the driver that complains."""
    fields = error.diag
    said = [fields.severity, fields.sqlstate, fields.message_primary, fields.message_detail,
            fields.constraint_name, fields.statement_position]
    print("  error", type(error).__name__, *(said if fields.sqlstate else [error]))


def print_notice(fields):
    print("  notice", fields.severity, fields.sqlstate, fields.message_primary)


def statements(path):
    """The list: a protocol, the text for these drivers, and its arguments."""
    lines = pathlib.Path(path).read_text().splitlines()
    for number, line in enumerate(line for line in lines if not line.startswith("#")):
        protocol, _, sql, *arguments = line.split("\t")
        print(number, protocol, sql[:60])
        if arguments:
            sql = re.sub(r"\$\d", "%s", sql.replace("%", "%%"))
        yield sql, [KINDS[argument[0]](argument[2:]) for argument in arguments] or None


def attempt(title, action, error_class):
    """Does one thing, and prints how it ends."""
    print(title)
    try:
        action()
    except error_class as error:
        print_error(error)


def cancelled(run, ask, cancel):
    """Runs a statement that sleeps, and cancels it when another session has seen it sleep."""
    thread = threading.Thread(target=run)
    thread.start()
    ask("SELECT wait_until_sleeps('pg_sleep(61)')")
    cancel()
    thread.join()


def arguments():
    """HOST PORT USER PASSWORD DATABASE LIST, and the first five as libpq names them."""
    names = ("host", "port", "user", "password", "dbname")
    return dict(zip(names, sys.argv[1:6])), sys.argv[6]
