"""The command forgectl, and python -m forgectl."""

import sys


def main() -> None:
    try:
        from forgectl import cli  # noqa: PLC0415  it needs what an agent's install lacks
    except ModuleNotFoundError as error:
        sys.exit(f"forgectl needs {error.name}: pip install 'forge-fleet[collector]'")
    cli.main(prog_name="forgectl")


if __name__ == "__main__":
    main()
