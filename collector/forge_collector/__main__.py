"""The command forge-collector, and python -m forge_collector."""

import sys


def main() -> None:
    try:
        from forge_collector import cli  # noqa: PLC0415  it needs what an agent's install lacks
    except ModuleNotFoundError as error:
        sys.exit(f"forge-collector needs {error.name}: pip install 'forge-fleet[collector]'")
    cli.main(prog_name="forge-collector")


if __name__ == "__main__":
    main()
