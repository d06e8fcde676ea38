#!/bin/sh
# A command line client: CLIENT names it, `mariadb` or `mysql`. It has no prepared protocol, so
# those statements become PREPARE, SET and EXECUTE.
# Arguments: HOST PORT USER PASSWORD DATABASE LIST.
set -eu
: "${CLIENT:=mariadb}"
errors=$(mktemp)
script=$(mktemp)
trap 'rm -f "$errors" "$script"' EXIT
case $("$CLIENT" --version) in
  *MariaDB*) options=--skip-ssl ;;
  *) options="--ssl-mode=DISABLED --get-server-public-key" ;;
esac
python3 - "$6" >"$script" <<'PYTHON'
import sys

def literal(argument):
    kind, value = argument[0], argument[2:]
    text = "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return {"n": "NULL", "b": f"X'{value}'", "r": f"REPEAT('x', {value})", "s": text}.get(kind, value)

print("DELIMITER //")
for line in open(sys.argv[1]):
    if line.startswith("#"):
        continue
    protocol, _, sql, *arguments = line.rstrip("\n").split("\t")
    if protocol == "text":
        print(sql + "//")
        continue
    print("PREPARE q FROM '" + sql.replace("'", "''") + "'//")
    for number, argument in enumerate(arguments):
        print(f"SET @a{number} = {literal(argument)}//")
    print("EXECUTE q USING " + ", ".join(f"@a{number}" for number in range(len(arguments))) + "//")
PYTHON
# -vv shows what was done, without times. Long rows are shown by their checksum. The errors come
# last, because the client buffers its standard output alone.
# shellcheck disable=SC2086
{ MYSQL_PWD=$4 "$CLIENT" --no-defaults --protocol=TCP -h"$1" -P"$2" -u"$3" $options \
  --default-character-set=utf8mb4 --max-allowed-packet=64M --binary-as-hex --comments --force -vv \
  "$5" <"$script" 2>"$errors" || true; } | python3 -c "
import sys, zlib
for line in sys.stdin.buffer:
    is_long = len(line) > 2000
    text = line.decode(errors='replace').rstrip()
    print(f'{len(line)} bytes, crc {zlib.crc32(line)}' if is_long else text)"
cat "$errors"
