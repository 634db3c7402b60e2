"""The flag `--config`: a packaged config or a file, with arguments after a colon; `--config.FIELD` changes a field."""

from absl import flags
from ml_collections import ConfigDict, config_flags

from colorize_jax.config import load, packaged

flags.disclaim_key_flags()  # `--config` is a flag of the program that calls `define`

_HELP = f"NAME[:ARGUMENTS] with a packaged NAME ({', '.join(packaged())}), or a file NAME.py[:ARGUMENTS]."


class _Parser(flags.ArgumentParser[ConfigDict]):
    def parse(self, argument: str) -> ConfigDict:
        return load(argument)

    def flag_type(self) -> str:
        return "config"


def define(remark: str = "") -> flags.FlagHolder:
    """Defines `--config`, None where it is not given.

    Args:
      remark: follows the flag's help.
    """
    holder = config_flags.DEFINE_config_file("config", None, f"{_HELP} {remark}".strip())
    flags.FLAGS["config"].parser = _Parser()
    return holder
