"""How Hydra finds the config files of other packages: by a plugin for its search path, after ours."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from nc_runner.config.outside import conf_folders


class OtherPackages(SearchPathPlugin):
    """Adds the ``conf`` folder of every package that has experiments; where two have a file, ours comes first."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in conf_folders():
            search_path.append("nc-run", f"file://{folder}")
