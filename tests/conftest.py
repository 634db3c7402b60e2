"""What all tests share: strict JAX settings, compiled programs, and where real images are."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import compile_cache

# Both of pytest's workers, every program that tests start, and the next run compile much of the same: they share it.
compile_cache.use()
# Most of the suite's time is the compiler's and not the programs': XLA leaves out what only makes programs faster.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

import jax  # noqa: E402
import jaxtyping  # noqa: E402
import pytest  # noqa: E402

# Every annotated argument and result of the package is checked, shapes among them.
jaxtyping.install_import_hook("colorize_jax", "typechecker.checked")

jax.config.update("jax_numpy_rank_promotion", "raise")
# XLA's CPU client can wait for itself for ever when programs queue up on two cores (seen once in a sheet after an
# evaluation, jaxlib 0.10.2: every worker idle, the result never ready). Running them one by one avoids the queue.
jax.config.update("jax_cpu_enable_async_dispatch", False)
jax.config.update("jax_debug_key_reuse", True)

# What takes longest, in this order: begun last, a long file would keep the other processes waiting.
_LONGEST_FIRST = (
    "methods/test_scc.py",
    "train/test_processes.py",
    "studio/test_studio_page.py",
    "gcrf/test_gcrf_gradients.py",
    "inference/test_bulk.py",
    "gcrf/test_gcrf_second_derivatives.py",
    "apps/test_eval_edits_app.py",
    "gcrf/test_gcrf_solvers.py",
    "train/test_loop.py",
    "gcrf/test_gcrf_sharded.py",
)


@pytest.fixture(scope="module", autouse=True)
def small_worker() -> Iterator[None]:
    """What a file compiled is dropped at its end: programs kept to the last would fill gigabytes in each worker."""
    yield
    jax.clear_caches()
    gc.collect()
    compile_cache.give_back()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Annotations are not checked meanwhile: for input that is wrong on purpose, which the package itself refuses."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def whole_compiler() -> Iterator[None]:
    """XLA as users have it, where a test is about their bits, their speed or what is fused."""
    jax.config.update("jax_disable_most_optimizations", False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")  # of programs that the test starts
        yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real archives that COLORIZE_DATA names; tests that ask for it are skipped without it."""
    folder = os.environ.get("COLORIZE_DATA")
    if not folder:
        pytest.skip(
            "COLORIZE_DATA is unset: it names the folder that holds lfw-deepfunneled.tgz and the others"
        )
    return Path(folder)


CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser():
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(CHROMIUMS)} is installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is of the extra [test]")
    with playwright.sync_playwright() as driver:
        # In a container there is no sandbox, and /dev/shm is small.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        launched = driver.chromium.launch(executable_path=found, args=arguments)
        yield launched
        launched.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first; slow and accelerator tests run only when `-m` asks for them."""
    here = Path(__file__).parent
    rank = {here / name: number for number, name in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
    asked = config.getoption("-m")
    for item in items:
        for marker in ("slow", "gpu"):
            if marker in item.keywords and marker not in asked:
                item.add_marker(pytest.mark.skip(reason=f"run with -m {marker}"))
