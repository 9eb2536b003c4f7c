#!/bin/sh
# Measures instructions per byte of the engine with callgrind. The result does not depend on the
# load of the machine.
#
#   benches/callgrind.sh                  every case, a table
#   benches/callgrind.sh old new          one case, and its most expensive functions
#   benches/callgrind.sh packs            the packs in benches/packs, each with one feature
#
# Needs valgrind. Only the function `rewrite` is counted, not the generation of the body.
set -eu
cd "$(dirname "$0")/.."

megabytes=3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cargo build --quiet --release --example rewrite_once

measure() { # body emit [pack]
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/$1-$2" \
        --toggle-collect='*rewrite_once::rewrite*' \
        target/release/examples/rewrite_once "$1" "$2" "$megabytes" ${3+"$3"} >"$out/report"
    bytes=$(sed 's/ bytes in.*//' "$out/report")
    instructions=$(sed -n 's/^\(summary\|totals\): *//p' "$out/$1-$2" | head -n 1)
    name="kong $1 body, emit $2"
    [ $# -lt 3 ] || name="$(basename "$3" .yaml), emit $2"
    awk -v i="$instructions" -v b="$bytes" -v name="$name" \
        'BEGIN { printf "| %-26s | %6.2f |\n", name, i / b }'
}

if [ $# -eq 2 ]; then
    measure "$1" "$2"
    callgrind_annotate --inclusive=no "$out/$1-$2" | sed -n '/Ir/,$p' | head -n 30
    exit
fi

if [ "${1-}" = packs ]; then
    echo '| pack, 2.8 body             | Ir/byte |'
    echo '|----------------------------|--------:|'
    for pack in rename pattern optional translated scaled reduced dropped; do
        measure old new "benches/packs/$pack.yaml"
    done
    exit
fi

echo "commit $(git rev-parse --short HEAD), $megabytes MB bodies"
echo
echo '| case                       | Ir/byte |'
echo '|----------------------------|--------:|'
measure old old
measure old new
measure old both
measure new new
measure new old
measure new both
