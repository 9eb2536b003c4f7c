"""Tests of the files in target/dist. release/check runs them, in namespaces of their own."""

import sys
import traceback

import files  # noqa: F401, registers checks
import image  # noqa: F401
import names  # noqa: F401
import packages  # noqa: F401
from harness import checks, run


def main():
    run("ip", "link", "set", "lo", "up")
    passed, failed = 0, 0
    for function in checks:
        try:
            function()
            passed += 1
            print(f"test {function.__name__} ... ok")
        except Exception:  # a bug of a check is a failure too
            failed += 1
            print(f"test {function.__name__} ... FAILED")
            print("    " + traceback.format_exc(limit=-3).replace("\n", "\n    "))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
