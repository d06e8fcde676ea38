# shellcheck shell=sh
# Runs an application for exactly as long as Racy lives, and ends it with all that it has started.
#
#   sh supervise.sh PROGRAM ARGUMENT...
#
# Standard input is a pipe. Racy alone holds the other end, and never writes to it. When Racy ends,
# even by SIGKILL, the kernel closes the pipe, and that is the order to stop. Everything here is
# plain POSIX sh.
set -u

# Background commands of a script read from /dev/null, so the pipe moves to 3.
exec 3<&0 </dev/null

# A signal for the whole session reaches the application by itself. This script outlives it.
trap '' TERM HUP INT

# Seconds until an application that does not end at its signal is killed.
patience=3

# In a process group of its own, one signal reaches its workers as well. macOS has no setsid, so
# there the signal reaches one process.
new_group=$(command -v setsid) || new_group=

# Beside this script is what the application has written. If Racy was killed, nobody else removes
# it.
folder=$(dirname "$0")
ended=$folder/ended

# send SIGNAL
send() {
    kill -s "$1" -- "-$application" 2>/dev/null || kill -s "$1" "$application" 2>/dev/null
}

# shellcheck disable=SC2086 # an empty $new_group must vanish
(trap - TERM HUP INT; exec $new_group "$@" 3<&-) &
application=$!
(
    read -r _ <&3
    : >"$ended"
    send TERM
    seconds=0
    while [ "$seconds" -lt "$patience" ] && kill -0 "$application" 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
    done
    send KILL
) &
watcher=$!
# A shell says on its standard error that a program was killed. That is no word of the program's.
exec >/dev/null 2>&1
wait "$application"
status=$?
# A worker may have outlived the process that started it, and may hold the port for a moment.
send KILL
tries=0
while [ "$tries" -lt 20 ] && kill -0 -- "-$application" 2>/dev/null; do
    sleep 0.05 2>/dev/null || sleep 1
    tries=$((tries + 1))
done
kill -s KILL "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
[ ! -e "$ended" ] || rm -rf -- "$folder"
exit "$status"
