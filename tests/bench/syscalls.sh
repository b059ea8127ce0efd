#!/bin/sh
# usage: tests/bench/syscalls.sh [PUBSHIM]
# Counts system calls per stanza and memory per session of PUBSHIM (default: a release build made now)
# between a stand-in server and clients that all live on the loopback. Needs strace and Python 3.
set -eu
here=$(dirname "$0")
if ! command -v strace >/dev/null; then
    echo "syscalls.sh: strace is missing: apt-get install strace" >&2
    exit 1
fi
if [ $# -eq 0 ]; then
    cargo build --release --manifest-path "$here/../../Cargo.toml"
    set -- "${CARGO_TARGET_DIR:-$here/../../target}/release/pubshim"
fi
exec timeout 300 python3 "$here/load.py" "$1"
