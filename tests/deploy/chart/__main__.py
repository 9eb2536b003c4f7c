"""Tests of the Helm chart in deploy/chart, with Helm's own engine. `./test` installs what they need.

target/chart-venv/bin/python tests/deploy/chart
target/chart-venv/bin/python tests/deploy/chart --write   writes deploy/kubernetes, and the table
                                                          in the chart's README.md
"""

import sys
import traceback

import documents  # noqa: F401, registers checks
import objects  # noqa: F401
import prometheus  # noqa: F401
from chart_files import write_table
from harness import checks
from manifests import write_manifests


def main():
    if sys.argv[1:] == ["--write"]:
        write_manifests()
        write_table()
        return 0
    passed, failed = 0, 0
    for name, function in checks:
        try:
            function()
            passed += 1
        except Exception:  # a bug of a check is a failure too
            failed += 1
            print(f"test {name} ... FAILED")
            print("    " + traceback.format_exc(limit=-2).replace("\n", "\n    "))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
