"""Sets of photos in public repositories: which files of each are photos to learn from, and on what terms.

A recipe is data: `colorize-data --dataset=NAME --source=CLONE` does the same for all of them. Terms are those that
the repository states; the photos are not its authors' own in most of them.
"""

from typing import NamedTuple

_NONE = "none stated; photographs from the web, rights with their owners"
_IMAGENET = "none stated; ImageNet's photos and terms of access: research and education, not commercial"

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""What the files of all recipes end in: photos of other kinds would move the split, which goes by names."""


class Recipe(NamedTuple):
    """How a set is made from its repository.

    Attributes:
      repository: `owner/name` on GitHub.
      include: globs of the paths that are photos to learn from; `*` matches slashes, too.
      exclude: globs of those among them that are not.
      terms: what the repository states.
      shows: what is in the photos.
      least_side: of the short side of a photo that is kept, in pixels.
      toned_tolerance: see `screening.Screen`; photos that repeat others are left out, too.
      test_images: share of the photos that are kept for learning curves.
    """

    repository: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    terms: str
    shows: str
    least_side: int = 144
    toned_tolerance: int = 8
    test_images: float = 0.01

    @property
    def url(self) -> str:
        """Where the repository is."""
        return f"https://github.com/{self.repository}"

    @property
    def license(self) -> str:
        """The terms with the repository that states them, for provenance."""
        return f"{self.url}: {self.terms}"


RECIPES = {
    "sysu_scene": Recipe(
        "ruixuejianfei/SYSU-Scene", ("images/*",), (), _NONE,
        "everyday photos: people, pets, vehicles, streets, sport",
    ),
    "bangladesh": Recipe(
        "mzahid36/Image-captioning-dataset-BCG-", ("Images/*",), (), _NONE,
        "life in Bangladesh: people, fields, rivers, markets",
    ),
    "sports": Recipe(
        "jurjsorinliviu/Sports-Type-Classifier", ("data/*",), (), _NONE,
        "22 sports; some posters and product photos",
    ),
    "imagenette_full": Recipe(
        "thunderInfy/imagenette", ("train/*", "val/*"), (), _IMAGENET,
        "ten classes of ImageNet",
    ),
    "cats_dogs": Recipe(
        "chanakya2734/Image-classification-using-CNN", ("dataset/*",), (), _NONE,
        "cats and dogs at home",
    ),
    "caltech101": Recipe(
        "MachineLearning2020/Homework2-Caltech101", ("101_ObjectCategories/*",),
        ("Faces_easy/*", "BACKGROUND_Google/*"), _NONE, "101 kinds of things; Faces_easy repeats Faces",
    ),
    "grocery": Recipe(
        "marcusklasson/GroceryStoreDataset", ("dataset/*",), ("dataset/iconic*",), "MIT",
        "fruit, vegetables and cartons in shops; many are alike",
    ),
    "clothing": Recipe(
        "alexeygrigorev/clothing-dataset-small", ("train/*", "validation/*", "test/*"), (), "CC0 1.0",
        "clothes laid out",
    ),
    "houses": Recipe(
        "emanhamed/Houses-dataset", ("Houses Dataset/*",), (), "asks to cite Ahmed and Moustafa 2016; no other terms",
        "house fronts and rooms",
    ),
    "street_fashion": Recipe(
        "bearpaw/clothing-co-parsing", ("photos/*",), (), "Apache-2.0",
        "street fashion, whole people",
    ),
    "pacs_photo": Recipe(
        "MachineLearning2020/Homework3-PACS", ("PACS/photo/*",), (), _NONE,
        "animals, houses and people; its photos alone, no drawings",
    ),
    "intel_scenes": Recipe(
        "afroozsheikh/Intel-Image-Classifier", ("train/*", "test/*"), (), _NONE,
        "buildings, forests, glaciers, mountains, sea and streets, of 150 pixels or less", least_side=100,
    ),
    "tiny_imagenet_full": Recipe(
        "seshuad/IMagenet", ("tiny-imagenet-200/train/*",), (), _IMAGENET,
        "Tiny ImageNet's training photos, 200 classes, 64 pixels", least_side=64,
    ),
}  # fmt: skip
"""The sets by name; the last two are small photos."""
