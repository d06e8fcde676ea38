# shellcheck shell=sh
# Runs a private database server for exactly as long as Racy lives, and tidies up after it.
#
#   sh supervise.sh SIGNAL RUN INITIALISER FLAGS FRESH DATA  SERVER ARGUMENT...
#
#   SIGNAL       how to stop the server: in order, or at once where its data is thrown away anyway
#   RUN          the private temporary folder: removed at the end
#   INITIALISER  the program that makes the data directory; empty where there is one already
#   FLAGS        its options, separated by spaces; the last one lacks the folder FRESH
#   FRESH        the folder it works in, renamed to DATA when it is done and removed when it is not,
#                so that half a data directory never bears the name of a whole one
#
# Standard input is a pipe whose other end Racy alone holds and never writes to. The kernel closes it
# however Racy ends, by SIGKILL too, and the end of the pipe is the order to stop. Standard output is
# the lock file of a kept folder: an open copy of it holds the lock. Standard error is the log.
#
# Everything here is plain POSIX sh: on Debian it is dash, on macOS an old bash.
set -u
signal=$1 run=$2 initialiser=$3 flags=$4 fresh=$5 data=$6
shift 6

# Background commands of a script read from /dev/null, so the pipe moves to 3; the lock moves to 4,
# which the server inherits: the folder stays locked until the last process that may write to it is gone.
exec 3<&0 </dev/null 4>&1 >&2

# A signal for the whole session (systemd stopping a service, say) reaches the server by itself. This
# script must outlive it, because it has a folder to remove.
trap '' TERM HUP INT

# Seconds until a server that does not heed its signal is killed.
patience=30

# A process group of its own lets one signal reach the helpers of the server or the initialiser as
# well (mariadb-install-db is a script that runs a server; PostgreSQL's helpers have groups of their
# own, and end when their server does). macOS has no setsid: there the signal
# goes to the one process.
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
        # Again, because a signal sent before the server was there to take it is lost.
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
    [ "$status" -eq 0 ] || echo "supervise.sh: initialising the data directory failed with status $status"
fi
if [ "$status" -eq 0 ]; then
    run_stoppable "$signal" "$@"
    status=$?
    [ "$status" -eq 0 ] || echo "supervise.sh: the server ended with status $status"
fi
# Twice, because a helper that was just killed may have been about to write one more file.
rm -rf -- "$fresh" "$run" || { sleep 1; rm -rf -- "$fresh" "$run"; }
exit "$status"
