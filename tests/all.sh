#!/bin/sh
# Passes all tests on a fresh Debian machine: installs what they need, then runs those that need no
# server and those against real servers (ejabberd, Prosody), a proxy (haproxy) and clients (slixmpp, aioxmpp,
# Profanity, mcabber, poezio, Finch, Gajim). Needs Rust (rustup.rs).
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

packages="ejabberd prosody go-sendxmpp haproxy microsocks python3 python3-venv gcc g++ pkg-config libssl-dev strace"
# The clients of the README's table, and what they are driven by.
packages="$packages profanity mcabber finch poezio gajim python3-slixmpp tmux xvfb"
missing=$(for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
done)
if [ -n "$missing" ]; then
    # The tests start servers of their own; the packages' services need not run.
    as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $missing
fi

venv=target/python
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
# aioxmpp does not say itself that it needs pytz, and pyOpenSSL of before 24.3 to look at a certificate.
"$venv/bin/pip" install --quiet --disable-pip-version-check \
    'slixmpp>=1.9' 'aioxmpp>=0.13.3' 'pytz>=2023.3' 'pyopenssl<24.3'
"$venv/bin/python" -W ignore -c 'import slixmpp, aioxmpp.muc'

cargo test
# The scenes of what a session promises; the fuzzer itself is tests/fuzz/run.sh. What both depend on is built once.
fuzz="--manifest-path tests/fuzz/Cargo.toml --target-dir ${CARGO_TARGET_DIR:-target}"
# shellcheck disable=SC2086 # two options
cargo check $fuzz --all-targets
# shellcheck disable=SC2086
cargo test $fuzz --lib
# Most of the time these wait: servers allow a client so many bytes a second by default. One more than processors.
RUST_TEST_THREADS=$(($(nproc) + 1)) TEST_PYTHON="$PWD/$venv/bin/python" cargo test --test servers
