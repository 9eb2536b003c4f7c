#!/bin/sh
# Measures instructions per byte of the engine with callgrind. The result does not depend on the
# load of the machine.
#
#   benches/callgrind.sh                  every case, a table
#   benches/callgrind.sh old new          one case, and its most expensive functions
#   benches/callgrind.sh medium           the medium captures
#   benches/callgrind.sh packs            the packs in benches/packs, each with one feature
#
# Needs valgrind and GNU's C library. Only the function `rewrite` is counted, not the generation of the body.
set -eu
cd "$(dirname "$0")/.."

megabytes=3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# The C library copies long texts with one instruction, `rep movsb`, which callgrind counts once for
# each byte. With this it copies them as it does shorter ones, 32 bytes at once.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=100000000

cargo build --quiet --release --example rewrite_once

print_row() { # callgrind's file, name
    bytes=$(sed 's/ bytes in.*//' "$out/report")
    instructions=$(sed -n 's/^\(summary\|totals\): *//p' "$1" | head -n 1)
    awk -v i="$instructions" -v b="$bytes" -v name="$2" \
        'BEGIN { printf "| %-26s | %6.2f |\n", name, i / b }'
}

measure() { # body emit [pack]
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/$1-$2" \
        --toggle-collect='*rewrite_once::rewrite*' \
        target/release/examples/rewrite_once "$1" "$2" "$megabytes" ${3+"$3"} >"$out/report"
    name="kong $1 body, emit $2"
    [ $# -lt 3 ] || name="$(basename "$3" .yaml), emit $2"
    print_row "$out/$1-$2" "$name"
}

measure_file() { # file emit name
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/file" \
        --toggle-collect='*rewrite_once::rewrite*' \
        target/release/examples/rewrite_once "$1" "$2" >"$out/report"
    print_row "$out/file" "$3"
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

if [ "${1-}" = medium ]; then
    echo '| medium capture             | Ir/byte |'
    echo '|----------------------------|--------:|'
    for version in 2.8.5 3.9.1; do
        gzip -dc tests/captures/medium/prometheus/kong-$version.*per_consumer.txt.gz >"$out/$version"
        for emit in old new both; do
            measure_file "$out/$version" "$emit" "kong $version, emit $emit"
        done
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
