# shellcheck shell=sh
# Runs a private database server for exactly as long as Racy lives, and tidies up after it.
#
#   sh supervise.sh SIGNAL RUN INITIALISER FLAGS FRESH DATA  SERVER ARGUMENT...
#
#   SIGNAL       stops the server: in order, or at once if its data is thrown away anyway
#   RUN          the private temporary folder, removed at the end
#   INITIALISER  the program that makes the data directory; empty if there is one already
#   FLAGS        its options, separated by spaces; the last one lacks its value, the folder FRESH
#   FRESH        the folder that the initialiser works in. It is renamed to DATA if that succeeds,
#                and removed if not. So half a data directory never has the name of a whole one.
#   DATA         the data directory
#
# Standard input is a pipe. Racy alone holds the other end, and never writes to it. When Racy ends,
# even by SIGKILL, the kernel closes the pipe, and that is the order to stop. Standard output is the
# lock file of a kept folder: an open copy of it holds the lock. Standard error is the log.
#
# Everything here is plain POSIX sh, which is dash on Debian and an old bash on macOS.
set -u
signal=$1 run=$2 initialiser=$3 flags=$4 fresh=$5 data=$6
shift 6

# Background commands of a script read from /dev/null, so the pipe moves to 3. The lock moves to 4,
# which the server inherits: the folder stays locked until the last process that may write to it has
# ended.
exec 3<&0 </dev/null 4>&1 >&2

# A signal for the whole session, for instance when systemd stops a service, reaches the server by
# itself. This script must outlive the server, because it has a folder to remove.
trap '' TERM HUP INT

# Seconds until a server that does not end at its signal is killed.
patience=30

# In a process group of its own, one signal reaches the helpers of the server or the initialiser as
# well: mariadb-install-db is a script that runs a server. PostgreSQL's helpers have groups of their
# own, and end when their server does. macOS has no setsid, so there the signal reaches one process.
new_group=$(command -v setsid) || new_group=

# send SIGNAL PROCESS
send() {
    kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null
}

# stop_at_the_end_of_the_pipe SIGNAL PROCESS
stop_at_the_end_of_the_pipe() {
    read -r _ <&3
    send "$1" "$2"
    [ "$1" != KILL ] || return
    seconds=0
    while [ "$seconds" -lt "$patience" ]; do
        sleep 1
        kill -0 "$2" 2>/dev/null || return
        # Again, because a signal is lost if it is sent before the server handles it.
        send "$1" "$2"
        seconds=$((seconds + 1))
    done
    send KILL "$2"
}

# run_stoppable SIGNAL COMMAND ARGUMENT...: the exit status is the command's.
run_stoppable() {
    how=$1
    shift
    # shellcheck disable=SC2086 # an empty $new_group must vanish
    (trap - TERM HUP INT; exec $new_group "$@" 3<&-) &
    command=$!
    stop_at_the_end_of_the_pipe "$how" "$command" 4>&- &
    watcher=$!
    wait "$command"
    result=$?
    # The watcher ignores TERM as this script does.
    kill -s KILL "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    return "$result"
}

status=0
if [ -n "$initialiser" ]; then
    rm -rf -- "$fresh"
    # shellcheck disable=SC2086 # the flags are words
    run_stoppable KILL "$initialiser" $flags"$fresh" && mv -- "$fresh" "$data"
    status=$?
    [ "$status" -eq 0 ] ||
        echo "supervise.sh: initialising the data directory failed with status $status"
fi
if [ "$status" -eq 0 ]; then
    run_stoppable "$signal" "$@"
    status=$?
    [ "$status" -eq 0 ] || echo "supervise.sh: the server ended with status $status"
fi
# Twice, because a helper that was just killed may still have written one more file.
rm -rf -- "$fresh" "$run" || { sleep 1; rm -rf -- "$fresh" "$run"; }
exit "$status"
