"""The configs that come with the package, a file a method: `colorize-train --config=scc:data=church,features=vgg16`.

In a checkout the configs lie in the folder `configs` at the top. A wheel has them in this folder.
"""

from pathlib import Path

__path__ = [str(Path(__file__).parents[2] / "configs")]
