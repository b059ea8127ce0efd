#!/bin/sh
# Builds the fuzz targets and runs each for some seconds (60): tests/fuzz/run.sh [SECONDS]
# Installs what it needs: cargo-fuzz, and Debian's g++ for libFuzzer. Fails if a target does; what it
# failed on is then in tests/fuzz/artifacts, and `cargo fuzz run TARGET FILE` does it again.
# TARGETS names those to run, OPTIONS are for libFuzzer.
set -eu
cd "$(dirname "$0")"

seconds=${1:-60}
case $seconds in
'' | *[!0-9]*)
    echo "usage: $0 [SECONDS]" >&2
    exit 2
    ;;
esac
targets=${TARGETS:-fixture framer sandbox session}
target_dir=${CARGO_TARGET_DIR:-$PWD/target}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if ! command -v c++ >/dev/null; then
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends g++
fi
command -v cargo-fuzz >/dev/null || cargo install --locked --quiet cargo-fuzz

# Coverage needs no flag of an unstable compiler; sanitizers would, and no code of ours is unsafe.
fuzz() {
    command=$1
    shift
    RUSTC_BOOTSTRAP=1 cargo fuzz "$command" --fuzz-dir . --sanitizer none --target-dir "$target_dir" "$@"
}

# Seeds for the fuzzers: the fixtures, and the streams of real clients, each direction alone.
seeds() {
    mkdir -p corpus/fixture corpus/framer corpus/sandbox corpus/session artifacts
    find ../../fixtures -name '*.txt' | while read -r file; do
        name=seed-$(echo "${file#../../fixtures/}" | tr '/ ' '--')
        cp "$file" "corpus/fixture/$name"
        # The session and the sandbox read their orders from any bytes.
        tail -c 1024 "$file" >"corpus/session/$name"
        tail -c 1024 "$file" >"corpus/sandbox/$name"
    done
    for file in ../../fixtures/clients/*.xml; do
        # One file per stream; its first two bytes tell the target how to read the rest.
        awk -v name="corpus/framer/seed-$(basename "$file" .xml)" '
            /^<!--/ { direction = $2; next }
            /^<\?xml|^<[a-z:]*stream / { streams[direction]++ }
            streams[direction] {
                out = name "-" direction "-" streams[direction]
                if (!(out in begun)) { begun[out] = 1; printf "0A" > out }
                print >> out
            }' "$file"
    done
}

seeds
fuzz build

failed=0
for target in $targets; do
    mkdir -p "corpus/$target"
    log=artifacts/$target.log
    # shellcheck disable=SC2086 # a list of options
    if fuzz run "$target" "corpus/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
        -dict=words.dict -print_final_stats=1 ${OPTIONS:-} >"$log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        covered=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
        echo "$target: passed, ${runs:-no} runs in $seconds s, $covered"
    else
        failed=1
        reason=$(grep -m 1 -A 1 -E 'panicked at|ERROR: libFuzzer' "$log" | tr '\n' ' ')
        echo "$target: FAILED: $reason(all of it: tests/fuzz/$log)"
    fi
done
exit "$failed"
