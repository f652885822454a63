"""Print branch coverage of the core (which must be whole) and of everything, after a test run."""

import sys
from io import StringIO

import coverage

CORE = "prescaler/core/*"


def main() -> int:
    """0 where the core is covered, line and branch."""
    measured = coverage.Coverage()
    measured.load()
    measured.combine()
    measured.save()
    core = measured.report(include=[CORE], skip_covered=True, show_missing=True, file=sys.stdout)
    everything = measured.report(file=StringIO())
    print(f"branch coverage: prescaler/core {core:.1f} %, prescaler {everything:.1f} %")
    if core < 100:
        print("the core must be covered whole: every line and branch above needs a test or must go")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
