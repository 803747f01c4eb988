"""``python -m nc_runner`` is ``nc-run``."""

from nc_runner.cli import main

if __name__ == "__main__":
    main()
