"""Clients of MySQL, MariaDB and PostgreSQL that need only Python: texts alone, no password."""

import os
import socket
import struct

# The layout since MySQL 4.1, a database, transactions, and plugins of authentication.
CAPABILITIES = 0x8A209


class Refused(Exception):
    """The server has refused a statement."""


def connect():
    """A connection to the database that the environment names."""
    is_postgres = os.environ["DATABASE_URL"].startswith("postgresql:")
    return Postgres() if is_postgres else MySql()


class Socket:
    """A connection of either protocol."""

    def exactly(self, length):
        read = b""
        while len(read) < length:
            part = self.socket.recv(length - len(read))
            if not part:
                raise ConnectionError("the server has closed the connection")
            read += part
        return read


class Postgres(Socket):
    """PostgreSQL's simple queries."""

    def __init__(self):
        self.socket = socket.create_connection((os.environ["PGHOST"], int(os.environ["PGPORT"])))
        names = f"user\0{os.environ['PGUSER']}\0database\0{os.environ['PGDATABASE']}\0\0".encode()
        self.socket.sendall(struct.pack(">II", len(names) + 8, 3 << 16) + names)
        self.answer()

    def begin(self):
        """What comes next is one transaction, until it is committed."""
        self.query("BEGIN")

    def query(self, sql):
        """The rows of a query, as tuples of texts. Without rows, the number of affected ones."""
        sql = f"/* client {os.environ['CLIENT']} */ {sql}\0".encode()
        self.socket.sendall(b"Q" + struct.pack(">I", len(sql) + 4) + sql)
        return self.answer()

    def answer(self):
        """What comes until the server is ready."""
        rows, count, refused = None, 0, None
        while True:
            kind, length = struct.unpack(">cI", self.exactly(5))
            body = self.exactly(length - 4)
            match kind:
                case b"T":
                    rows = []
                case b"D":
                    rows.append(tuple(self.texts(body)))
                case b"C":
                    last = body[:-1].decode().split(" ")[-1]
                    count = int(last) if last.isdigit() else 0
                case b"E":
                    refused = Refused(body.decode(errors="replace"))
                case b"Z":
                    if refused:
                        raise refused
                    return count if rows is None else rows

    @staticmethod
    def texts(row):
        row = row[2:]
        while row:
            (length,), row = struct.unpack(">i", row[:4]), row[4:]
            yield None if length < 0 else row[:length].decode()
            row = row[max(length, 0) :]


class MySql(Socket):
    """MySQL's texts, which MariaDB understands as well."""

    def __init__(self):
        place = (os.environ["DB_HOST"], int(os.environ["DB_PORT"]))
        self.socket = socket.create_connection(place)
        self.sequence = 0
        self.receive()
        hello = struct.pack("<IIB23x", CAPABILITIES, 1 << 24, 45)
        user, database = os.environ["DB_USER"], os.environ["DB_NAME"]
        names = f"{user}\0\0{database}\0mysql_native_password\0"
        self.send(hello + names.encode())
        while (answer := self.receive())[0] != 0:
            must_not_be_refused(answer)
            if answer[0] == 0xFE:
                self.send(b"")

    def begin(self):
        """What comes next is one transaction, until it is committed."""
        self.query("SET autocommit = 0")

    def query(self, sql):
        """The rows of a query, as tuples of texts. Without rows, the number of affected ones."""
        self.sequence = 0
        self.send(b"\x03" + f"/* client {os.environ['CLIENT']} */ {sql}".encode())
        first = self.receive()
        must_not_be_refused(first)
        columns, rest = number(first if first[0] else first[1:])
        if first[0] == 0:
            return columns
        for _ in range(columns + 1):
            self.receive()
        rows = []
        while not is_the_end(row := self.receive()):
            rows.append(tuple(texts(row)))
        return rows

    def receive(self):
        header = self.exactly(4)
        self.sequence = header[3] + 1
        return self.exactly(int.from_bytes(header[:3], "little"))

    def send(self, payload):
        header = len(payload).to_bytes(3, "little") + bytes([self.sequence])
        self.socket.sendall(header + payload)


def must_not_be_refused(answer):
    if answer[0] == 0xFF:
        raise Refused(answer[9:].decode())


def is_the_end(row):
    return row[0] == 0xFE and len(row) < 9


def number(data):
    """A number and what comes behind it. A length of more than 64 KB does not come here."""
    if data[0] == 0xFC:
        return int.from_bytes(data[1:3], "little"), data[3:]
    return data[0], data[1:]


def texts(row):
    while row:
        if row[0] == 0xFB:
            yield None
            row = row[1:]
        else:
            length, row = number(row)
            yield row[:length].decode()
            row = row[length:]
