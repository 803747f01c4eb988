"""``python -m nc_runner`` is ``nc-run``."""

from nc_runner.cli.main import main

if __name__ == "__main__":
    main()
