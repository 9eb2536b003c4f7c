#!/bin/sh
# Measures instructions per line of the StatsD engine. The result does not depend on the load of
# the machine.
#
#   benches/statsd-callgrind.sh                 # every case, as a table
#   benches/statsd-callgrind.sh old new         # one case, and its most expensive functions
#
# Needs valgrind. The engine: only the function `rewrite` is counted, for lines that arrive packed
# (1,400 bytes) and alone. The filter: the whole process, without what starting it costs.
set -eu
cd "$(dirname "$0")/.."

lines=20000
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cargo build --quiet --release --bins --example statsd --example statsd_once
crossfade=target/release/crossfade
for kind in old tagged foreign; do
    target/release/examples/statsd lines $kind $lines > "$out/$kind"
done
$crossfade rewrite --statsd --emit=new < "$out/old" > "$out/new"
# A line that no rule reads, for what is not the lines: start, packs, end.
echo "a:1|c" > "$out/one"

total() { # profile
    sed -n 's/^\(summary\|totals\): *//p' "$1" | head -n 1
}

engine() { # lines emit bytes
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/$1-$2-$3" \
        --toggle-collect='*statsd_once::rewrite*' \
        target/release/examples/statsd_once "$1" "$2" "$3" $lines > "$out/report"
    echo $(($(total "$out/$1-$2-$3") / lines))
}

filter() { # lines emit
    valgrind --quiet --tool=callgrind --callgrind-out-file="$out/$1-$2" \
        $crossfade rewrite --statsd --emit="$2" < "$out/$1" > "$out/lines"
    total "$out/$1-$2"
}

measure() { # lines emit
    packed=$(engine "$1" "$2" 1400)
    single=$(engine "$1" "$2" 0)
    all=$(filter "$1" "$2")
    start=$(filter one "$2")
    whole=$(((all - start) / $(wc -l < "$out/$1")))
    printf '| %-7s | %-4s | %6s | %6s | %6s |\n' "$1" "$2" "$packed" "$single" "$whole"
}

if [ $# -eq 2 ]; then
    measure "$1" "$2"
    callgrind_annotate --inclusive=no "$out/$1-$2-1400" | sed -n '/Ir/,$p' | head -n 30
    exit
fi

echo "commit $(git rev-parse --short HEAD), $lines lines"
echo
echo '| lines   | emit | packed | single | filter |'
echo '|---------|------|-------:|-------:|-------:|'
measure foreign old
measure old old
measure old new
measure old both
measure new new
measure new old
measure tagged old
