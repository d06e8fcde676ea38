"""Sends the list of statements through a DB-API driver, and prints what it was given.

Both Python drivers put arguments into the text.
"""
import pathlib
import sys
import zlib

KINDS = {
    "i": int, "f": float, "s": str, "b": bytes.fromhex, "n": lambda _: None,
    "r": lambda count: "x" * int(count),
}


def shown(value):
    if value is None:
        return "NULL"
    if isinstance(value, (bytes, bytearray)):
        text = "0x" + bytes(value).hex()
    elif isinstance(value, str):
        text = f"'{value}'"
    elif isinstance(value, (set, frozenset)):
        text = "'" + ",".join(sorted(value)) + "'"
    else:
        text = str(value)
    return text if len(text) <= 80 else f"{len(text)} characters, crc {zlib.crc32(text.encode())}"


def print_results(cursor):
    while True:
        if cursor.description:
            names = " | ".join(column[0] for column in cursor.description)
            print("  columns", names, "types", *(column[1] for column in cursor.description))
            for row in cursor.fetchall():
                print("  row", " | ".join(map(shown, row)))
        else:
            print("  done", cursor.rowcount, cursor.lastrowid)
        if not cursor.nextset():
            break


def run(connect, error_class):
    """Arguments: HOST PORT USER PASSWORD DATABASE LIST."""
    host, port, user, password, database, statements = sys.argv[1:7]
    connection = connect(host, int(port), user, password, database)
    connection.autocommit(True)
    cursor = connection.cursor()
    lines = pathlib.Path(statements).read_text().splitlines()
    for number, line in enumerate(line for line in lines if not line.startswith("#")):
        protocol, _, sql, *arguments = line.split("\t")
        print(number, protocol, sql[:60])
        values = [KINDS[argument[0]](argument[2:]) for argument in arguments]
        try:
            cursor.execute(sql.replace("?", "%s") if values else sql, values or None)
            print_results(cursor)
        except error_class as error:
            print("  error", *error.args)
    connection.close()
