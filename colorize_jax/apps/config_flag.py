"""The flag `--config`: a packaged config or a file, with arguments after a colon; `--config.FIELD` changes a field."""

import re
import sys

from absl import flags
from ml_collections import ConfigDict, config_flags

from colorize_jax.config import check_path, load, packaged

flags.disclaim_key_flags()  # `--config` is a flag of the program that calls `define`

_HELP = f"NAME[:ARGUMENTS] with a packaged NAME ({', '.join(packaged())}), or a file NAME.py[:ARGUMENTS]."


class _Parser(flags.ArgumentParser[ConfigDict]):
    def parse(self, argument: str) -> ConfigDict:
        config = load(argument)
        for path in _changed(sys.argv):
            check_path(config, path)  # ml_collections would end with a traceback
        return config

    def flag_type(self) -> str:
        return "config"


def _changed(command: list[str]) -> list[str]:
    """Paths of the fields that the flags of a command change."""
    arguments = flags.FLAGS.read_flags_from_files(command[1:], force_gnu=False)
    found = (re.match(r"--?(?:no)?config\.([\w.]+)", argument) for argument in arguments)
    return [match[1] for match in found if match]


def define(remark: str = "") -> flags.FlagHolder:
    """Defines `--config`, None where it is not given.

    Args:
      remark: follows the flag's help.
    """
    holder = config_flags.DEFINE_config_file("config", None, f"{_HELP} {remark}".strip())
    flags.FLAGS["config"].parser = _Parser()
    return holder
