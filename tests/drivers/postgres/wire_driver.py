"""No driver, but the protocol itself: messages in orders that drivers seldom or never send.

Each case sends its messages in one segment, in segments of seven bytes, or the next one only when
the answer to the one before has come, and prints what the server says.
"""
import base64
import hashlib
import hmac
import socket
import struct
import sys


class Session:
    def __init__(self, **more):
        self.socket = socket.create_connection((host, int(port)), 30)
        self.buffer = b""
        self.log_in({"user": user, "database": database, **more})

    def log_in(self, parameters):
        words = b"".join(text(name) + text(value) for name, value in parameters.items()) + b"\0"
        self.socket.sendall(struct.pack("!II", len(words) + 8, 3 << 16) + words)
        kind, content = self.message()
        if kind != "R":
            show(kind, content)
            return
        bare = "n=,r=0123456789abcdef"
        first = ("n,," + bare).encode()
        self.send(message("p", text("SCRAM-SHA-256") + struct.pack("!I", len(first)) + first))
        challenge = self.message()[1][4:].decode()
        given = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"]))
        last = f"c=biws,r={given['r']}"
        key = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(key).digest()
        signature = hmac.digest(stored, f"{bare},{challenge},{last}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self.send(message("p", f"{last},p={proof}".encode()))
        while kind not in ("Z", ""):
            kind, content = self.message()
            if kind == "E":
                show(kind, content)

    def send(self, data):
        self.socket.sendall(data)

    def message(self):
        """The next message. An empty kind if the server has closed the connection."""
        head = self.take(5)
        if len(head) < 5:
            return "", b""
        return chr(head[0]), self.take(int.from_bytes(head[1:], "big") - 4)

    def take(self, length):
        while len(self.buffer) < length:
            part = self.socket.recv(65536)
            if not part:
                return b""
            self.buffer += part
        taken, self.buffer = self.buffer[:length], self.buffer[length:]
        return taken

    def show_until(self, kind):
        """Shows messages until one of this kind has come."""
        came = None
        while came not in (kind, ""):
            came, content = self.message()
            show(came, content)

    def show_until_mark(self):
        content = b""
        while b"that was it" not in content:
            kind, content = self.message()
            show(kind, content)
            if not kind:
                raise EOFError("the session has ended")
        self.show_until("Z")

    def close(self):
        self.socket.close()


def show(kind, content):
    if kind == "E":
        fields = {part[:1].decode(): part[1:].decode() for part in content.split(b"\0") if part}
        print("  E", fields["S"], fields["C"], fields["M"])
    else:
        if kind == "A":
            # Without the number of the process.
            content = content[4:]
        print(" ", kind or "closed", content if len(content) <= 60 else f"{len(content)} bytes")


def text(value):
    return value.encode() + b"\0"


def message(kind, content=b""):
    return kind.encode() + struct.pack("!I", len(content) + 4) + content


def query(sql):
    return message("Q", text(sql))


def parse(sql, name=""):
    return message("P", text(name) + text(sql) + b"\0\0")


def bind(*values, name="", portal=""):
    given = b"".join(struct.pack("!I", len(value)) + value.encode() for value in values)
    return message("B", text(portal) + text(name) + struct.pack("!HH", 0, len(values)) + given + b"\0\0")


def execute(portal="", most=0):
    return message("E", text(portal) + struct.pack("!I", most))


def describe(kind, name=""):
    return message("D", kind.encode() + text(name))


def close(kind, name=""):
    return message("C", kind.encode() + text(name))


def run(sql, *values):
    return parse(sql) + bind(*values) + execute()


def data(rows):
    return message("d", rows.encode())


SYNC, FLUSH, DONE, END = message("S"), message("H"), message("c"), message("X")
SERIES = "SELECT n FROM generate_series(1, 5) AS n"
LATE = "INSERT INTO child VALUES (1, 404)"
COPY = "COPY sheet FROM STDIN"
# The number of int4pl, and its arguments as text.
ADD = struct.pack("!IHHIcIcH", 177, 0, 2, 1, b"1", 1, b"2", 0)
MARK = query("SELECT 'that was it'")

# What the messages of each case lead to is shown up to the answer of a query behind them.
CASES = [
    ("Sync alone", SYNC * 3),
    ("Flush alone", FLUSH * 3 + SYNC),
    ("two executions, one Sync", run("SELECT 1") + run("SELECT 2") + SYNC),
    ("the second of three fails",
     run("INSERT INTO parent VALUES (1)") + run("SELECT 1 / 0") + run("SELECT 3") + SYNC),
    ("nothing was kept", run("SELECT * FROM parent") + SYNC),
    ("Parse fails, and more is skipped",
     parse("SELECT FROM FROM") + bind() + describe("P") + execute() + run("SELECT 2") + SYNC
     + run("SELECT 3") + SYNC),
    ("Bind fails", parse("SELECT $1::int", "one") + bind("x", name="one") + execute() + SYNC),
    ("too few arguments", bind(name="one") + execute() + SYNC),
    ("no such statement", bind(name="none") + execute() + SYNC),
    ("no such portal", execute("none") + SYNC),
    ("the same name twice", parse("SELECT 2", "one") + SYNC),
    ("closed, and made again",
     close("S", "one") + parse("SELECT 2", "one") + describe("S", "one") + SYNC),
    ("what is not there is closed", close("S", "none") + close("P", "none") + SYNC),
    ("described and not executed", parse("SELECT $1::int, $2::text") + describe("S") + SYNC),
    ("executed twice from one portal",
     parse(SERIES) + bind(portal="p") + execute("p", 2) + execute("p", 2) + execute("p", 2)
     + execute("p", 2) + SYNC),
    ("two portals, by turns",
     parse(SERIES, "s") + bind(name="s", portal="a") + bind(name="s", portal="b")
     + execute("a", 2) + execute("b", 3) + execute("a") + execute("b") + SYNC),
    ("a portal is gone after its Sync", bind(name="s", portal="a") + execute("a", 1) + SYNC
     + execute("a", 1) + SYNC),
    ("a portal in a block lives on",
     query("BEGIN") + bind(name="s", portal="a") + execute("a", 1) + SYNC + execute("a", 1) + SYNC
     + query("SELECT 9") + execute("a") + close("P", "a") + SYNC + query("COMMIT")),
    ("an empty text", run("") + SYNC + query("") + query(" ; ;")),
    ("nothing executed without a result", run("SET TIME ZONE 'UTC'") + SYNC),
    ("a query in the place of Sync", run("INSERT INTO parent VALUES (2)") + query("SELECT 5")),
    ("it has committed", query("ROLLBACK; SELECT * FROM parent")),
    ("a query in the place of Sync, after a failure",
     run("SELECT 1 / 0") + query("SELECT 6") + SYNC),
    ("a constraint fails at Sync", run(LATE) + SYNC + run("SELECT 1") + SYNC),
    ("a constraint fails at COMMIT",
     query("BEGIN") + run(LATE) + SYNC + run("COMMIT") + SYNC),
    ("a constraint fails in a query in the place of Sync", run(LATE) + query("SELECT 7")),
    ("a block in one pipeline",
     run("BEGIN") + run("INSERT INTO parent VALUES (3)") + run("COMMIT") + SYNC),
    ("a block over several Syncs",
     run("BEGIN") + SYNC + run("INSERT INTO parent VALUES (4)") + SYNC + run("SELECT 1 / 0") + SYNC
     + run("SELECT 1") + SYNC + run("COMMIT") + SYNC),
    ("several statements in a query, and a pipeline behind it",
     query("SELECT 1; SELECT 2; SELECT 1 / 0; SELECT 3") + run("SELECT 4") + SYNC),
    ("PREPARE in SQL, Bind by message",
     query("PREPARE t AS SELECT $1::int") + bind("8", name="t") + execute() + SYNC
     + query("DEALLOCATE t") + bind("8", name="t") + execute() + SYNC),
    ("DEALLOCATE ALL", parse("SELECT 2", "all") + SYNC + query("DEALLOCATE ALL")
     + bind(name="all") + execute() + SYNC),
    ("a function call, 1 + 2", message("F", ADD)),
    ("COPY in, as a query", query(COPY) + data("1\tone\n") + data("2\ttwo\n") + DONE),
    ("COPY in, no rows", query(COPY) + DONE),
    ("COPY in, and given up", query(COPY) + data("3\tthree\n") + message("f", text("no more"))),
    ("COPY in, and refused", query("COPY none FROM STDIN") + query("SELECT 1")),
    ("COPY in, a wrong row, and more", query(COPY) + data("x\ty\n") + data("4\tfour\n") + DONE
     + query("SELECT 1")),
    ("COPY in, between others", query(f"SELECT 1; {COPY}; SELECT 2") + data("5\tfive\n") + DONE),
    ("two COPY in one query", query(f"{COPY}; {COPY}") + data("6\tsix\n") + DONE
     + data("7\tseven\n") + DONE),
    ("COPY in by messages, Sync behind", run(COPY) + data("8\teight\n") + DONE + SYNC),
    ("COPY in by messages, Sync before the rows too",
     run(COPY) + SYNC + data("9\tnine\n") + DONE + SYNC),
    ("COPY in by messages, Flush within", run(COPY) + FLUSH + data("10\tten\n") + FLUSH + DONE
     + SYNC),
    ("COPY in by messages, given up", run(COPY) + data("11\tx\n") + message("f", text("no"))
     + run("SELECT 1") + SYNC),
    ("COPY in by messages, a wrong row", run(COPY) + SYNC + data("x\ty\n") + data("12\tz\n") + DONE
     + SYNC),
    ("COPY in by messages, refused", run("COPY none FROM STDIN") + SYNC + SYNC),
    ("COPY out, as a query", query("COPY (SELECT 1) TO STDOUT; COPY (SELECT 2) TO STDOUT")),
    ("COPY out by messages", run("COPY sheet TO STDOUT") + run("SELECT 3") + SYNC),
    ("COPY data without COPY", data("1\t2\n") + DONE + query("SELECT 1")),
    ("notified by itself", query("LISTEN k; NOTIFY k, 'a'") + run("NOTIFY k, 'b'") + SYNC
     + query("BEGIN") + query("NOTIFY k, 'c'") + query("COMMIT; UNLISTEN *")),
    ("a setting that is reported", query("SET application_name = 'a'") + run("RESET application_name")
     + SYNC),
    ("notices", run("SELECT warn('x')") + SYNC + query("SELECT warn('y'); SELECT warn('z')")),
    ("a transaction for each statement", query("BEGIN; SELECT 1; COMMIT; SELECT 2; BEGIN; SELECT 3")),
    ("and its end", run("ROLLBACK") + SYNC),
    ("long", query("SELECT '" + "x" * 200_000 + "'") + run("SELECT length($1)", "y" * 200_000) + SYNC),
    ("twenty", (run("SELECT $1::int + 1", "1") + SYNC) * 20),
]

# What comes after ends the connection.
LAST = [
    ("END", END),
    ("END behind a query", query("INSERT INTO parent VALUES (20)") + END),
    ("END in a block", query("BEGIN") + query("INSERT INTO parent VALUES (21)") + END),
    ("a query within COPY in", query("INSERT INTO parent VALUES (23)") + run(COPY)
     + query("SELECT 1") + SYNC),
    ("an unknown kind", message("@", b"what")),
    ("a broken message", message("B", b"\0")+ SYNC + END),
    ("a negative length", b"Q\xff\xff\xff\xff" + query("SELECT 1")),
    ("ended by itself", query("SELECT pg_terminate_backend(pg_backend_pid())")),
    ("ended by itself, in a pipeline",
     run("SELECT 1") + run("SELECT pg_terminate_backend(pg_backend_pid())") + SYNC + SYNC),
]

host, port, user, password, database = sys.argv[1:6]
for piece in (1 << 30, 7):
    session = Session()
    session.send(query("TRUNCATE parent, child, sheet"))
    session.show_until("Z")
    for title, messages in CASES:
        messages += MARK
        if piece == 7 and len(messages) > 100_000:
            continue
        print(f"{title}, in pieces of {piece}" if piece == 7 else title)
        for start in range(0, len(messages), piece):
            session.send(messages[start:start + piece])
        session.show_until_mark()
    session.send(END)
    session.show_until("")
    session.close()

print("step by step")
session = Session()
for sent, kind in (
    (parse(SERIES, "s") + FLUSH, "1"), (describe("S", "s") + FLUSH, "T"),
    (bind(name="s", portal="p") + FLUSH, "2"), (execute("p", 2) + FLUSH, "s"),
    (execute("p", 2) + FLUSH, "s"), (execute("p", 2) + FLUSH, "C"), (SYNC, "Z"),
    (run("SELECT 1 / 0") + FLUSH, "E"), (run("SELECT 1") + FLUSH + SYNC, "Z"),
    (parse("SELECT FROM FROM") + FLUSH, "E"), (SYNC, "Z"),
    (query(COPY), "G"), (data("100\ta\n") + DONE, "Z"),
    (run(COPY) + FLUSH, "G"), (data("101\ta\n") + DONE + FLUSH, "C"), (SYNC, "Z"),
):
    session.send(sent)
    session.show_until(kind)
session.send(END)
session.show_until("")
session.close()

for title, messages in LAST:
    print(title)
    session = Session()
    session.send(messages)
    session.show_until("")
    session.close()
session = Session()
session.send(query("SELECT * FROM parent ORDER BY id"))
session.show_until("Z")
session.close()

print("other ways in")
encrypted = socket.create_connection((host, int(port)), 30)
encrypted.sendall(struct.pack("!II", 8, 80877103))
print("  asked for TLS:", encrypted.recv(10))
encrypted.close()
session = Session(options="-c statement_timeout=12345", application_name="naïve")
session.send(query("SHOW statement_timeout; SHOW application_name"))
session.show_until("Z")
session.close()
Session(database="none").close()
Session(no_such_setting="1").close()
print("all sent")
