#!/bin/sh
# usage: guard.sh FOLDER COMMAND [ARGUMENT...]
# Runs COMMAND and ties its life to our own stdin: every line there names a signal to send it, and the
# end of it, which comes however the test process dies, kills it and removes FOLDER (if not empty).
# The line 'keep' leaves FOLDER to somebody else.
# COMMAND's output goes to our stdout; our exit status is COMMAND's.
folder=$1
shift
"$@" </dev/null 2>&1 &
pid=$!
exec >/dev/null 2>&1
while read -r line; do
	case $line in
	keep) folder= ;;
	*) kill -s "$line" "$pid" ;;
	esac
done
kill -s KILL "$pid"
wait "$pid"
status=$?
[ -z "$folder" ] || rm -rf -- "$folder"
exit "$status"
