#!/bin/sh
# psql. It has no prepared protocol but in \gdesc, so those statements become PREPARE and EXECUTE.
# Arguments: HOST PORT USER PASSWORD DATABASE LIST.
set -eu
export PGHOST="$1" PGPORT="$2" PGUSER="$3" PGPASSWORD="$4" PGDATABASE="$5" PGAPPNAME=psql
export PSQL_HISTORY=/dev/null PGCLIENTENCODING=UTF8
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# \copy names its file in the script, and the script must be the same in each run.
cd "$folder"
python3 - "$6" >script <<'PYTHON'
import sys

def literal(argument):
    kind, value = argument[0], argument[2:]
    text = "'" + value.replace("'", "''") + "'"
    return {"n": "NULL", "b": f"'\\x{value}'", "r": f"repeat('x', {value})", "s": text}.get(kind, value)

lines = [line.rstrip("\n") for line in open(sys.argv[1]) if not line.startswith("#")]
for number, line in enumerate(lines):
    protocol, _, sql, *arguments = line.split("\t")
    print(f"\\echo {number} {protocol}")
    if protocol == "prepared":
        print(f"PREPARE s{number} AS {sql};")
        print(f"EXECUTE s{number} ({', '.join(map(literal, arguments))});")
    else:
        # So psql sends them in one query.
        print((sql if "$$" in sql else sql.replace("; ", "\\; ")) + ";")
    # It prepares the text without a name, and asks what it returns.
    if number % 5 == 0 and protocol == "text" and sql.startswith(("SELECT", "INSERT")):
        print(sql + " \\gdesc")
print(r"""
\echo pages
\set FETCH_COUNT 100
SELECT n, 'row ' || n FROM generate_series(1, 250) AS n;
SELECT 10 / (n - 150) FROM generate_series(1, 250) AS n;
\unset FETCH_COUNT
\echo copy
\copy sheet FROM rows
\copy sheet FROM rows
\copy no_such_table FROM rows
\copy sheet FROM /proc/self/mem
\copy sheet FROM stdin
7000	inline
\.
COPY sheet FROM STDIN;
7001	inline, and the server's own
one	no number
\.
\copy (SELECT * FROM sheet ORDER BY id) TO copied
\copy (SELECT 10 / (n - 5) FROM generate_series(1, 9) AS n) TO copied_in_part
COPY (SELECT n FROM generate_series(1, 9) AS n) TO STDOUT;
SELECT 1 AS before \; COPY (SELECT 2) TO STDOUT \; SELECT 3 AS after;
BEGIN \; COPY sheet FROM STDIN \; ROLLBACK;
7002	in the middle
\.
\echo listen
LISTEN kettle;
NOTIFY kettle, 'to myself';
BEGIN;
NOTIFY kettle, 'with the end';
SELECT 1;
COMMIT;
UNLISTEN *;
\echo variables
SELECT 42 AS answer \gset
SELECT :answer + 1;
SELECT 'SELECT ' || n FROM generate_series(1, 3) AS n \gexec
\echo again
\connect
SELECT count(*) FROM sheet;
\d child
\echo all sent""")
PYTHON
python3 -c 'print("\n".join(f"{n}\ta{n}" for n in range(500)))' >rows

# Long rows are shown by their checksum. The number of a process is another one each time.
show() {
  python3 -c "
import re, sys, zlib
for line in sys.stdin.buffer:
    text = re.sub(r'(process with PID) \d+', r'\1 N', line.decode(errors='replace').rstrip())
    print(f'{len(line)} bytes, crc {zlib.crc32(line)}' if len(line) > 2000 else text)"
}

# psql sends a cancel request when it is interrupted.
cancel() {
  psql -X -q -c '\! touch connected' -c 'SELECT pg_sleep(61)' >slept 2>&1 &
  sleeper=$!
  # The other connection is always the second one.
  until [ -e connected ]; do sleep 0.05; done
  psql -X -q -c "SELECT wait_until_sleeps('pg_sleep(61)')"
  kill -INT "$sleeper"
  wait "$sleeper" || true
  cat slept
}

# The errors come last, because psql buffers its standard output alone.
{ psql -X -q -P null=NULL -P pager=off <script 2>errors || true; } | show
show <errors
cksum copied copied_in_part
cancel
echo "wrong password"
PGPASSWORD=coffee psql -X -c 'SELECT 1' 2>&1 || true
echo "no such database"
PGDATABASE=no_such_database psql -X -c 'SELECT 1' 2>&1 || true
echo "no TLS"
PGSSLMODE=require psql -X -c 'SELECT 1' 2>&1 || true
