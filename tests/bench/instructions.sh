#!/bin/sh
# usage: tests/bench/instructions.sh [NAME...]
# User instructions a stanza of the core: of each of these rounds of core.rs, or of those whose names hold NAME. Unlike time
# they are the same on a busy machine. Needs valgrind.
set -eu
cd "$(dirname "$0")/../.."
if ! command -v valgrind >/dev/null; then
    echo "instructions.sh: valgrind is missing: apt-get install valgrind" >&2
    exit 1
fi
# Rounds that are counted; more of them show more of a few instructions.
rounds=${ROUNDS:-1000}
built=$(cargo bench --bench core --no-run 2>&1) || {
    echo "$built" >&2
    exit 1
}
program=$(echo "$built" | sed -n 's/.*Executable.*(\(.*\))/\1/p')

# The name of a round, how many stanzas it has, what they are.
measure() {
    said=$(valgrind --tool=callgrind --callgrind-out-file="${OUT:-/dev/null}" --toggle-collect='*measured*' \
        "$program" --bench --exact "core::$1" --sample-count 1 --sample-size "$rounds" 2>&1) || {
        echo "$said" >&2
        exit 1
    }
    all=$(echo "$said" | sed -n 's/.*Collected : //p')
    if [ "${all:-0}" -eq 0 ]; then
        echo "instructions.sh: core.rs has no $1" >&2
        exit 1
    fi
    echo "$all $rounds $2" | awk -v what="$3" '{ printf "%-56s%10.0f\n", what, $1 / $2 / $3 }'
}

while read -r name stanzas what; do
    wanted=$#
    for word in "$@"; do
        case $name in *"$word"*) wanted=0 ;; esac
    done
    [ "$wanted" -ne 0 ] || measure "$name" "$stanzas" "$what"
done <<'ROUNDS'
message_each_way 2 a message that passes
message_each_way_beside_rooms 2 a message that passes beside rooms
event_unwrapped 1 a presence event to the client
presence_wrapped 1 a presence of the client's, and the answer
presence_batch 16 a presence of the client's, in batches of 16
chats::chat_unwrapped 1 a one-to-one message to the client
chats::chat_wrapped 1 a one-to-one message of the client's, and the answer
rooms::room_message_unwrapped 1 a room's message to the client
rooms::room_message_wrapped 1 a room's message of the client's, and the answer
login 1 a login
ROUNDS
