#!/bin/sh
# Measures instructions per line of the StatsD engine. The result does not depend on the load of
# the machine.
#
#   benches/statsd-callgrind.sh                 # every case, as a table
#   benches/statsd-callgrind.sh old new         # one case, and its most expensive functions
#
# Needs valgrind. The cost of starting and of reading packs is subtracted.
set -eu
cd "$(dirname "$0")/.."

lines=100000
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cargo build --quiet --release --bins --example statsd
crossfade=target/release/crossfade
for kind in old tagged foreign; do
    target/release/examples/statsd lines $kind $lines > "$out/$kind"
done
$crossfade rewrite --statsd --emit=new < "$out/old" > "$out/new"
# A line that no rule reads, for what is not the lines: start, packs, end.
echo "a:1|c" > "$out/one"

instructions() { # lines emit
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/$1-$2" \
        $crossfade rewrite --statsd --emit="$2" < "$out/$1" > "$out/lines"
    sed -n 's/^\(summary\|totals\): *//p' "$out/$1-$2" | head -n 1
}

measure() { # lines emit
    all=$(instructions "$1" "$2")
    start=$(instructions one "$2")
    count=$(wc -l < "$out/$1")
    printf '| %-7s | %-4s | %5s |\n' "$1" "$2" "$(((all - start) / count))"
}

if [ $# -eq 2 ]; then
    measure "$1" "$2"
    callgrind_annotate --inclusive=no "$out/$1-$2" | sed -n '/Ir/,$p' | head -n 30
    exit
fi

echo "commit $(git rev-parse --short HEAD), $lines lines"
echo
echo '| lines   | emit |    Ir |'
echo '|---------|------|------:|'
measure foreign old
measure old old
measure old new
measure old both
measure new new
measure new old
measure tagged old
