"""The flag `--dir` of the programs that prepare, read or list data sets: defined once, so that no two of them clash."""

from absl import flags

DIR = flags.DEFINE_string("dir", "data", "Folder of the prepared data sets.")
