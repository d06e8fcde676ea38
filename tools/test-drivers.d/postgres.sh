# shellcheck shell=sh disable=SC2034,SC2154
# PostgreSQL: its drivers and its server. tools/test-drivers reads this.

postgres_drivers="psycopg psycopg_pipeline psycopg2 pg pgx pq psql sqlx wire"

# The wheels bring their own libpq.
get_psycopg() {
  get_python || return 1
  "$cache/venv/bin/python" -c 'import psycopg' 2>/dev/null ||
    quietly "installing psycopg" "$cache/venv/bin/pip" install -q \
      psycopg==3.3.9 psycopg-binary==3.3.9
}

get_psycopg_pipeline() { get_psycopg; }

get_psycopg2() {
  get_python || return 1
  "$cache/venv/bin/python" -c 'import psycopg2' 2>/dev/null ||
    quietly "installing psycopg2" "$cache/venv/bin/pip" install -q psycopg2-binary==2.9.13
}

get_pg() {
  get_package pg 8.23.1 && get_package pg-cursor 2.22.1 && get_package pg-copy-streams 7.0.0
}

get_pgx() {
  get_debian golang-github-jackc-pgx-v4-dev golang-github-jackc-pgconn-dev \
    golang-github-jackc-pgtype-dev golang-github-jackc-pgproto3-v2-dev \
    golang-github-jackc-pgio-dev golang-github-jackc-pgpassfile-dev \
    golang-github-jackc-pgservicefile-dev golang-github-jackc-chunkreader-v2-dev \
    golang-golang-x-crypto-dev golang-golang-x-text-dev &&
    build_go pgx "$sources/pgx_driver.go" "$sources/listed.go"
}

get_pq() {
  get_debian golang-github-lib-pq-dev &&
    build_go pq "$sources/pq_driver.go" "$sources/listed.go"
}

get_psql() { has psql; }

get_wire() { has python3; }

get_sqlx() { quietly "building sqlx" cargo build --locked --quiet --example sqlx_driver; }

# Running them ------------------------------------------------------------------------------------

# run_driver_of_postgres NAME HOST PORT USER PASSWORD DATABASE LIST
run_driver_of_postgres() {
  name=$1; shift
  case $name in
    psycopg*) set -- "$cache/venv/bin/python" "$sources/${name}_driver.py" "$@" ;;
    pg) set -- node "$sources/pg_driver.mjs" "$@" ;;
    pgx | pq) set -- "$cache/bin/${name}_driver" "$@" ;;
    wire) set -- python3 "$sources/wire_driver.py" "$@" ;;
    psql) set -- "$sources/psql_driver.sh" "$@" ;;
    sqlx) set -- "$examples/sqlx_driver" "$@" ;;
  esac
  # A driver that waits for a message that does not come must not wait for ever.
  PYTHONDONTWRITEBYTECODE=1 NODE_NO_WARNINGS=1 PG=$cache/node timeout 120 "$@"
}

account_of_postgres() { printf 'driver'; }

# administer DATABASE ARGUMENT...: psql, past the proxy and as the server's owner.
administer() {
  database=$1; shift
  psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$data" -p "$port" -U postgres -d "$database" "$@"
}

# Each run has a copy, with the same numbers of tables and types.
prepare_postgres() {
  administer postgres -c 'DROP DATABASE IF EXISTS drivers WITH (FORCE)' \
    -c 'CREATE DATABASE drivers TEMPLATE base OWNER driver' \
    -c 'SELECT pg_stat_statements_reset()' >/dev/null 2>"$folder/log" ||
    fail "no database: $(cat "$folder/log")"
}

# What the server has run: a proxy adds and loses no statement.
count_postgres() {
  administer postgres -c "SELECT calls, rows, query FROM pg_stat_statements
    JOIN pg_database ON pg_database.oid = dbid WHERE datname = 'drivers' ORDER BY query, calls"
}

# Servers -----------------------------------------------------------------------------------------

# Where PostgreSQL's own programs are. Debian has them outside of the PATH.
find_postgres() {
  for program in "${RACY_POSTGRES:-}" "$(command -v initdb)" /usr/lib/postgresql/*/bin/initdb; do
    [ -x "${program%/*}/initdb" ] || continue
    bin=${program%/*}
  done
  [ "${bin:-}" ]
}

# start_postgres ENGINE: starts a server on a port. Sets `server` and `place`.
start_postgres() {
  find_postgres || fail "there is no PostgreSQL"
  data=$folder/$1
  mkdir -p "$data"
  as_owner=
  # PostgreSQL refuses to run as root.
  if [ "$(id -u)" = 0 ]; then
    if id postgres >/dev/null 2>&1; then owner=postgres; else owner=nobody; fi
    chown "$owner" "$data"
    as_owner="setpriv --reuid=$owner --regid=$(id -g "$owner") --clear-groups"
  fi
  # shellcheck disable=SC2086
  quietly "initialising" $as_owner "$bin/initdb" -D "$data/data" -U postgres -A trust -E UTF8 \
    --locale=C --no-sync || fail "PostgreSQL does not start"
  # The owner comes through the socket. Drivers have a password, and no TLS.
  printf 'local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n' \
    >"$data/data/pg_hba.conf"
  port=$(free_port)
  place=127.0.0.1:$port
  set -- "listen_addresses=127.0.0.1" "port=$port" "unix_socket_directories=$data" ssl=off \
    fsync=off timezone=UTC shared_preload_libraries=pg_stat_statements
  for setting in "$@"; do set -- "$@" -c "$setting"; shift; done
  # shellcheck disable=SC2086
  $as_owner "$bin/postgres" -D "$data/data" "$@" >"$folder/$protocol.log" 2>&1 3>&- 4>&- &
  server=$!
  running="$running $server"
  until administer postgres -c 'SELECT 1' >/dev/null 2>&1; do
    if ! kill -0 "$server" 2>/dev/null; then
      tail -n 5 "$folder/$protocol.log" >&2
      fail "the server has ended"
    fi
    sleep 0.1
  done
  quietly "making the database" administer postgres \
    -c "CREATE ROLE driver LOGIN PASSWORD '$password'" -c 'CREATE DATABASE base OWNER driver' \
    -c 'CREATE EXTENSION pg_stat_statements' || fail "no database"
  quietly "making the tables" administer base -c 'SET ROLE driver' -f "$sources/setup.sql" ||
    fail "no tables"
}
