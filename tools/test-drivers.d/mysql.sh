# shellcheck shell=sh disable=SC2034,SC2154
# MySQL and MariaDB: their drivers and their servers. tools/test-drivers reads this.

mysql_drivers="pymysql mysqlclient mysql2 go libmariadb mariadb_client mysql_client"

get_libmariadb_files() { get_debian libmariadb-dev libmariadb3 && has cc; }

get_pymysql() {
  get_python || return 1
  "$cache/venv/bin/python" -c 'import pymysql, cryptography' 2>/dev/null ||
    quietly "installing PyMySQL" "$cache/venv/bin/pip" install -q pymysql==1.2.4 cryptography
}

get_mysqlclient() {
  get_python && get_libmariadb_files || return 1
  "$cache/venv/bin/python" -c 'import MySQLdb' 2>/dev/null ||
    MYSQLCLIENT_CFLAGS="-I$debian/usr/include/mariadb" \
      MYSQLCLIENT_LDFLAGS="-L$(libraries) -lmariadb -Wl,-rpath,$(libraries)" \
      quietly "installing mysqlclient" "$cache/venv/bin/pip" install -q mysqlclient==2.3.2
}

libraries() { dirname "$(find "$debian/usr/lib" -name 'libmariadb.so.3' | head -n 1)"; }

get_mysql2() { get_package mysql2 3.24.6; }

get_go() {
  get_debian golang-github-go-sql-driver-mysql-dev && build_go go "$sources/go_driver.go"
}

get_libmariadb() {
  get_libmariadb_files || return 1
  quietly "building the libmariadb driver" cc -O1 -Wall "-I$debian/usr/include/mariadb" \
    "$sources/libmariadb_driver.c" -o "$cache/bin/libmariadb_driver" "-L$(libraries)" -lmariadb \
    "-Wl,-rpath,$(libraries)"
}

get_mariadb_client() { has mariadb; }

get_mysql_client() { mysql_client=$(find_mysql_client); }

find_mysql_client() {
  for client in "${XDG_CACHE_HOME:-$HOME/.cache}/racy/mysql/bin/mysql" "$(command -v mysql)"; do
    case $("$client" --version 2>/dev/null) in
      '' | *MariaDB*) ;;
      *) printf '%s' "$client"; return ;;
    esac
  done
  return 1
}

# Running them ------------------------------------------------------------------------------------

# run_driver_of_mysql NAME HOST PORT USER PASSWORD DATABASE LIST
run_driver_of_mysql() {
  name=$1; shift
  case $name in
    pymysql | mysqlclient)
      PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/python" "$sources/${name}_driver.py" "$@" ;;
    mysql2) MYSQL2=$cache/node node "$sources/mysql2_driver.mjs" "$@" ;;
    go | libmariadb) "$cache/bin/${name}_driver" "$@" ;;
    mariadb_client) CLIENT=mariadb "$sources/client_driver.sh" "$@" ;;
    mysql_client) CLIENT=$mysql_client "$sources/client_driver.sh" "$@" ;;
  esac
}

# account_of_mysql DRIVER WAY
account_of_mysql() { printf '%s' "$1_$2"; }

# The list makes its own tables.
prepare_mysql() { :; }

# That its statements are the same is tested in tests/proxy/counts.rs.
count_mysql() { :; }

# Servers -----------------------------------------------------------------------------------------

# write_accounts FILE: each driver has an account for each way, so that each logs in for the first
# time.
write_accounts() {
  echo "CREATE DATABASE drivers;" >"$1"
  for driver in $mysql_drivers; do
    for way in plain through; do
      echo "CREATE USER ${driver}_$way@127.0.0.1 IDENTIFIED BY '$password';" >>"$1"
      echo "GRANT ALL ON *.* TO ${driver}_$way@127.0.0.1;" >>"$1"
    done
  done
}

# start_mysql ENGINE: starts a server on a port. Sets `server` and `place`.
start_mysql() {
  # libmariadb looks for its plugins here, and not in the system's folder.
  MARIADB_PLUGIN_DIR=$(find "$debian/usr/lib" -path '*libmariadb3/plugin' 2>/dev/null | head -n 1)
  export MARIADB_PLUGIN_DIR
  data=$folder/$1
  mkdir -p "$data"
  set -- "$1" --no-defaults "--datadir=$data/data" "--user=$(id -un)"
  case $1 in
    mysql)
      program=${XDG_CACHE_HOME:-$HOME/.cache}/racy/mysql/bin/mysqld
      [ -x "$program" ] || program=$(PATH=$PATH:/usr/sbin command -v mysqld) || fail "there is no MySQL"
      shift
      quietly "initialising" "$program" "$@" --initialize-insecure || fail "MySQL does not start"
      # Some drivers take TLS if it is offered. No recorder could look into it.
      set -- "$@" --mysqlx=OFF --tls-version= ;;
    mariadb)
      program=$(PATH=$PATH:/usr/sbin command -v mariadbd) || fail "there is no MariaDB"
      shift
      quietly "initialising" mariadb-install-db "$@" --auth-root-authentication-method=normal \
        --skip-test-db || fail "MariaDB does not start"
      ;;
  esac
  write_accounts "$data/accounts.sql"
  port=$(free_port)
  place=127.0.0.1:$port
  "$program" "$@" "--socket=$data/s" "--pid-file=$data/pid" --bind-address=127.0.0.1 \
    "--port=$port" --skip-name-resolve "--init-file=$data/accounts.sql" \
    >"$data/log" 2>&1 3>&- 4>&- &
  server=$!
  running="$running $server"
  until greets; do
    kill -0 "$server" 2>/dev/null || { tail -n 5 "$data/log" >&2; fail "the server has ended"; }
    sleep 0.1
  done
}

# Whether the server greets on its port: then it has also made the accounts.
greets() {
  python3 - "$port" <<'PYTHON' 2>/dev/null
import socket, sys
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as peer:
    sys.exit(len(peer.recv(5)) != 5)
PYTHON
}
