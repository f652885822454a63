"""`python -m prescaler`."""

from prescaler.apps.cli.main import run

if __name__ == "__main__":
    run()
