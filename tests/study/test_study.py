"""The user study: what is compared, who is asked what, what is kept, what counts, and the page in a real browser."""

import io
import itertools
import json
import random
import sqlite3
import subprocess
import sys
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image
from served import Address, png, running

from colorize_jax.apps import study as app
from colorize_jax.study import tally
from colorize_jax.study.study import Pair, draw, read_study
from colorize_jax.study.votes import Vote, Votes

COLORS = {"blue": (40, 60, 200), "green": (40, 200, 60), "red": (200, 60, 40)}
ORDER = ["red", "green", "blue"]  # as the raters of these tests prefer them


def flat(color, size=(48, 32)) -> bytes:
    return png(np.broadcast_to(np.uint8(color), (*size[::-1], 3)))


def write(folder, *names: str, content: bytes = flat(COLORS["red"])) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.fixture
def folder(tmp_path):
    """Twelve pairs: three methods, four pictures."""
    for method, color in COLORS.items():
        names = (f"{method}/{picture}.png" for picture in ("cat_1", "cat_2", "dog_1", "dog_2"))
        write(tmp_path / "study", *names, content=flat(color))
    return tmp_path / "study"


# -------------------------------------------------------------------------------------- what is compared


def test_pictures_of_one_name_are_compared_and_sheets_left_out(folder):
    write(folder, "red/cat_sheet.png", "green/cat_sheet.png", "blue/cat_sheet.png", "red/cat_variance.png")
    write(folder, "red/notes.txt", "red/.cat_9.png", ".git/cat_1.png", "blue/cow_1.png")
    study = read_study(folder)
    assert study.methods == ["blue", "green", "red"]
    assert study.pictures == ["cat_1", "cat_2", "dog_1", "dog_2"]
    assert len(study.pairs) == 12 and Pair("cat_1", "blue", "green") in study.pairs
    assert study.left_out == [folder / "blue/cow_1.png"]


def test_one_picture_a_photo_is_compared_with_every_version_once(folder):
    for path in folder.glob("green/*"):
        path.rename(path.with_stem(path.stem.removesuffix("_1").removesuffix("_2")))
    write(folder, "truth/cat.jpg", "truth/dog.jpg", content=flat((128, 128, 128)))
    study = read_study(folder)
    assert study.files["truth", "dog_2"] == folder / "truth/dog.jpg"
    assert Counter(pair.methods for pair in study.pairs) == {
        ("blue", "green"): 4, ("blue", "red"): 4, ("blue", "truth"): 4, ("green", "red"): 4, ("red", "truth"): 4,
        ("green", "truth"): 2,
    }  # fmt: skip


def test_a_photo_whose_name_ends_in_a_number_is_no_version_of_another(tmp_path):
    write(tmp_path, "a/img.png", "a/img_1.png", "b/img.png")
    assert read_study(tmp_path).pictures == ["img"]


def test_pictures_of_different_sizes_or_none_are_refused(folder, tmp_path):
    def told(path) -> str:
        with pytest.raises(ValueError, match="--study") as error:
            read_study(path)
        return str(error.value)

    assert "no folder" in told(tmp_path / "none")
    write(folder, "red/cat_1.png", content=flat((0, 0, 0), (32, 48)))
    assert "48x32" in told(folder) and "32x48" in told(folder) and "resize one" in told(folder)
    write(folder, "red/cat_1.png", content=flat((0, 0, 0))[:60])
    assert "cat_1.png, which is no picture" in told(folder)
    write(folder, "red/cat_1.png", "red/cat_1.jpg")
    assert "one picture of a name" in told(folder)
    write(folder, "empty/readme.txt")
    assert "no pictures in" in told(folder)
    write(tmp_path, "alone/red/cat.png")
    assert "1 folders" in told(tmp_path / "alone")
    write(tmp_path, "alone/blue/dog.png")
    assert "no picture in common" in told(tmp_path / "alone")


def test_a_picture_on_its_side_has_the_size_that_is_shown(tmp_path):
    turned = Image.new("RGB", (32, 48)).getexif()
    turned[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (32, 48)).save(file, "jpeg", exif=turned)
    write(tmp_path, "a/cat.jpg", content=file.getvalue())
    write(tmp_path, "b/cat.png", content=flat((0, 0, 0), (48, 32)))
    assert read_study(tmp_path).pictures == ["cat"]


# -------------------------------------------------------------------------------------- who is asked what


def test_raters_get_balanced_pairs_and_sides(folder):
    pairs, counts, rng = read_study(folder).pairs, Counter(), random.Random(0)
    lefts = Counter()
    for _ in range(40):
        drawn = draw(pairs, counts, 7, rng)
        assert len({(pair.picture, pair.methods) for pair in drawn}) == 7
        assert set(Counter(pair.methods for pair in drawn).values()) == {2, 3}
        for methods in {pair.methods for pair in drawn}:
            left = Counter(pair.left for pair in drawn if pair.methods == methods)
            assert abs(left[methods[0]] - left[methods[1]]) <= 1
        counts.update((pair.picture, pair.methods) for pair in drawn)
        lefts.update(pair.left for pair in drawn)
        for methods in {pair.methods for pair in pairs}:  # of each two methods, no picture is behind
            of = [counts[pair.picture, methods] for pair in pairs if pair.methods == methods]
            assert max(of) - min(of) <= 1
    assert max(counts.values()) - min(counts.values()) <= 5 and max(lefts.values()) < 1.3 * 280 / 3
    assert len(draw(pairs, {}, 99, rng)) == 12
    assert draw(pairs, {}, 7, random.Random(1)) != draw(pairs, {}, 7, random.Random(2))


# -------------------------------------------------------------------------------------- what counts


def vote(rater="ann", left="a", right="b", choice="left", milliseconds=2000, picture="cat_1") -> Vote:
    return Vote(rater, Pair(picture, left, right), choice, milliseconds)


def test_a_vote_is_for_the_method_on_the_chosen_side():
    assert [vote(choice="left").winner, vote(choice="right").winner] == ["a", "b"]
    assert [vote(left="b", right="a", choice=side).winner for side in ("left", "right")] == ["b", "a"]


def test_shares_and_intervals():
    votes = [vote(left="b", right="a", choice="right")] * 5 + [vote()] * 3 + [vote(choice="right")] * 2
    (found,) = tally.tally(votes).preferences
    assert (found.first, found.second, found.won.wins, found.won.votes) == ("a", "b", 8, 10)
    # Wilson's interval of 8 in 10, by hand: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).
    assert (found.won.low, found.won.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert tally.tally(votes).left.wins == 3
    assert tally.tally([]).left == tally.WinningShare(0, 0, 0.0, 1.0)


def test_quick_votes_and_inattentive_raters_do_not_count():
    ann = [vote("ann")] * 3 + [vote("ann", milliseconds=699)]  # a quarter is quick: not more
    bob = [vote("bob", choice="right", milliseconds=700)] * 2 + [vote("bob", choice="right", milliseconds=9)]
    found = tally.tally(ann + bob)
    assert (found.raters, found.inattentive, found.cast) == (2, 1, 7)
    assert (found.of_inattentive, found.quick) == (3, 1)
    assert found.preferences[0].won[:2] == (3, 3) and found.preferences[0].cast == 7
    assert tally.tally(ann + bob, quick_ms=0).preferences[0].won[:2] == (4, 7)
    assert tally.tally(ann + bob, quick_share=1).preferences[0].won[:2] == (3, 5)
    assert tally.tally(ann + bob, quick_ms=5000).preferences[0].won == tally.WinningShare(0, 0, 0.0, 1.0)


def test_folders_of_pictures_are_rows_and_all_together_the_last():
    votes = [vote(picture="lfw/ann"), vote(picture="church/1", choice="right"), vote(picture="church/2")]
    found = tally.tally(votes)
    assert [(each.pictures, each.won[:2]) for each in found.preferences] == [
        ("church", (1, 2)), ("lfw", (1, 1)), (None, (2, 3)),
    ]  # fmt: skip
    text = tally.to_text(found)
    assert "a vs b" in text and "66.7%" in text and "3 of 3 votes count, from 1 of 1 raters" in text
    assert json.loads(tally.to_json(found))["preferences"][2]["won"]["share"] == pytest.approx(2 / 3)
    json.loads(tally.to_json(tally.tally([])))
    assert "No votes yet" in tally.to_text(tally.tally([]))


PREFERENCES = {("scc", "vae_mdn"): 0.61, ("scc", "pic"): 0.72, ("pic", "vae_mdn"): 0.43}
"""How often synthetic raters choose the first."""


def rated(pairs, raters: int, rng: random.Random) -> list[Vote]:
    """Twenty votes of each rater by `PREFERENCES`; every fifth one clicks the left picture at once."""
    votes = []
    for rater in range(raters):
        for pair in draw(pairs, Counter((v.pair.picture, v.pair.methods) for v in votes), 20, rng):
            first, second = next(known for known in PREFERENCES if set(known) == set(pair.methods))
            winner = first if rng.random() < PREFERENCES[first, second] else second
            if rater % 5 == 0:
                votes.append(Vote(str(rater), pair, "left", 200))
            else:
                votes.append(Vote(str(rater), pair, "left" if winner == pair.left else "right", 2000))
    return votes


def test_a_known_preference_is_recovered_beside_the_published_one():
    """Nineteen of twenty intervals hold what is known: here of sixty, from twenty studies."""
    methods = ("scc", "vae_mdn", "pic")
    pairs = [Pair(f"lfw/{n:02}", a, b) for n in range(40) for a, b in itertools.combinations(methods, 2)]
    covered = []
    for seed in range(20):
        found = tally.tally(rated(pairs, 30, random.Random(seed)))
        assert found.inattentive == 6
        for each in found.preferences:
            own = PREFERENCES.get((each.first, each.second))
            known = 1 - PREFERENCES[each.second, each.first] if own is None else own
            covered.append(each.won.low < known < each.won.high)
    assert len(covered) == 60 and sum(covered) >= 54
    lines = [line.split() for line in tally.beside_published(found).splitlines()]
    (ours,) = (line for line in lines if line[:4] == ["lfw", "scc", "vs", "pic"])
    assert abs(float(ours[4].rstrip("%")) - 72) < 12 and ours[-1] == "59.04%"
    (theirs,) = (line for line in lines if line[:4] == ["church", "scc", "vs", "pic"])
    assert theirs[4:] == ["–", "–", "0", "71.61%"]
    assert "No study" not in tally.beside_published(found)
    assert "No study was run here" in tally.beside_published(tally.tally([]))


# -------------------------------------------------------------------------------------- what is kept


def test_votes_are_kept(tmp_path):
    path = tmp_path / "votes.sqlite"
    votes = Votes(path, create=True)
    rater = votes.begin([Pair("cat_1", "b", "a"), Pair("cat_1", "b", "c")])
    assert votes.issued(rater) == [(Pair("cat_1", "b", "a"), False), (Pair("cat_1", "b", "c"), False)]
    assert votes.cast(rater, 0, "right", 1234)
    for again in ((rater, 0), (rater, 2), ("nobody", 1)):  # voted on; not issued; no rater
        assert not votes.cast(*again, "left", 5)
    with pytest.raises(sqlite3.IntegrityError):
        votes.begin([Pair("dog_1", "a", "b"), Pair("dog_1", "b", "a")])
    votes.close()
    votes = Votes(path)
    assert votes.all() == [Vote(rater, Pair("cat_1", "b", "a"), "right", 1234)]
    assert votes.all()[0].winner == "a"
    assert votes.counts() == {("cat_1", ("a", "b")): 1}
    assert votes.begin([Pair("dog_1", "a", "b")]) != rater
    votes.close()


def test_a_file_that_holds_no_votes_is_left_as_it_is(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE votes (whose TEXT)")
    db.close()
    write(tmp_path, "text.sqlite", content=b"votes " * 1000)
    write(tmp_path, "empty.sqlite", content=b"")
    for path in (other, tmp_path / "text.sqlite", tmp_path / "empty.sqlite"):
        before = path.read_bytes()
        with pytest.raises(ValueError, match="give another --study_votes"):
            Votes(path, create=True)
        assert path.read_bytes() == before
    for path in (tmp_path, tmp_path / "none" / "votes.sqlite"):
        with pytest.raises(ValueError, match="give another --study_votes"):
            Votes(path, create=True)
    with pytest.raises(ValueError, match="no votes yet"):
        Votes(tmp_path / "votes.sqlite")


def test_votes_on_pictures_that_changed_are_not_mixed(folder, tmp_path):
    votes = Votes(tmp_path / "votes.sqlite", create=True)
    votes.keep(read_study(folder).digests())
    write(folder, *(f"{method}/cow_1.png" for method in COLORS))
    votes.keep(read_study(folder).digests())
    write(folder, "red/cat_1.png", content=flat((0, 0, 0)))
    with pytest.raises(ValueError, match="red/cat_1 has changed"):
        votes.keep(read_study(folder).digests())
    votes.close()


# -------------------------------------------------------------------------------------- the program


@pytest.fixture
def parsed():
    """Flags as the command line gives them."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    return flagsaver.as_parsed


def test_flags_that_need_another_one(parsed, folder):
    for given, needed in (({"tally": "true"}, "study"), ({"study": "x", "quick_ms": "9"}, "tally")):
        with parsed(**given), pytest.raises(ValueError, match=f"without --{needed}; add it"):
            app.check()
    with parsed(study=str(folder), tally="true", json="true", quick_share="0.5"):
        app.check()
        with pytest.raises(ValueError, match="no votes yet"):
            app.tallied()


def test_the_program_prints_the_tally(folder):
    votes = Votes(folder / "votes.sqlite", create=True)
    votes.cast(votes.begin([Pair("cat_1", "red", "blue")]), 0, "left", 2000)

    def printed(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "colorize_jax.apps.studio", f"--study={folder}", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    assert "blue vs red  0.0%" in printed("--tally").stdout  # while the database is open here
    votes.close()
    (found,) = json.loads(printed("--tally", "--json").stdout)["preferences"]
    assert (found["first"], found["won"]["wins"], found["won"]["votes"]) == ("blue", 0, 1)
    write(folder, "red/cat_1.png", content=b"")
    failed = printed("--port=0")
    assert failed.returncode == 1 and failed.stderr.count("\n") == 1 and "no picture" in failed.stderr


# -------------------------------------------------------------------------------------- the server


@pytest.fixture
def address(parsed, folder):
    pytest.importorskip("uvicorn", reason="the studio's server is the extra [studio]")
    from colorize_jax.studio import serve

    listening = serve.listen(0)
    with parsed(study=str(folder), study_pairs="6"):
        server = app.server(listening)
    with running(server, listening):
        yield Address(serve.url_of(listening)[7:-1], folder)


def cast(address, rater, pair, choice="left", milliseconds=1000):
    vote = {"pair": pair, "choice": choice, "milliseconds": milliseconds}
    return address.ask(f"/raters/{rater}/votes", json.dumps(vote).encode())[0]


def begin(address) -> str:
    status, answer = address.ask("/raters", b"")
    assert status == 200
    return json.loads(answer)["rater"]


def kept(address) -> list[Vote]:
    votes = Votes(address.studio / "votes.sqlite")
    found = votes.all()
    votes.close()
    return found


def test_a_rater_votes_once_on_each_pair(address):
    assert json.loads(address.ask("/study")[1]) == {"pairs": 6}
    rater, other = begin(address), begin(address)
    assert cast(address, rater, 3) == 204 and cast(address, rater, 3, "right") == 409
    assert json.loads(address.ask(f"/raters/{rater}")[1]) == {"total": 6, "open": [0, 1, 2, 4, 5]}
    assert json.loads(address.ask(f"/raters/{other}")[1])["open"] == [0, 1, 2, 3, 4, 5]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: cast(address, rater, 0), range(8)))
    assert sorted(answers) == [204] + [409] * 7
    assert [(vote.rater, vote.choice, vote.milliseconds) for vote in kept(address)] == [
        (rater, "left", 1000)
    ] * 2


def test_the_picture_of_a_side_is_that_of_the_method_that_a_vote_counts_for(address):
    """A swap of left and right anywhere would give the votes to the other method."""
    for rater in [begin(address) for _ in range(3)]:
        for number in range(6):
            answers = [address.ask(f"/raters/{rater}/pairs/{number}/{side}") for side in ("left", "right")]
            seen = [method_of(np.asarray(Image.open(io.BytesIO(body)))[0, 0]) for _, body in answers]
            better = min(seen, key=ORDER.index)
            assert cast(address, rater, number, ("left", "right")[seen.index(better)]) == 204
    found = tally.tally(kept(address))
    assert {(each.first, each.second): each.won.value for each in found.preferences} == {
        ("blue", "green"): 0, ("blue", "red"): 0, ("green", "red"): 0,
    }  # fmt: skip
    assert found.left.wins == 9


def method_of(color) -> str:
    return min(COLORS, key=lambda name: np.abs(np.subtract(COLORS[name], color[:3], dtype=int)).sum())


def test_nothing_that_a_rater_gets_names_a_method(address):
    rater = begin(address)
    for path in ("/study", f"/raters/{rater}", *(f"/raters/{rater}/pairs/{n}/left" for n in range(6))):
        with urllib.request.urlopen(address.url + path) as answer:
            told = f"{answer.headers}{answer.read()!r}"
            assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert not any(name in told for name in (*COLORS, "cat_", "dog_"))


BAD = [
    (b"", 422, "not JSON"),
    (b"\xff\xfe", 422, "not JSON"),
    (b"[" * 999, 422, "not JSON"),
    (b"[]", 422, "other fields"),
    (b'{"pair": 0, "choice": "left"}', 422, "other fields"),
    (b'{"pair": 0, "choice": "left", "milliseconds": 1, "rater": "x"}', 422, "other fields"),
    (b'{"pair": 6, "choice": "left", "milliseconds": 1}', 422, "0 to 5"),
    (b'{"pair": -1, "choice": "left", "milliseconds": 1}', 422, "pair"),
    (b'{"pair": true, "choice": "left", "milliseconds": 1}', 422, "pair"),
    (b'{"pair": 0, "choice": "both", "milliseconds": 1}', 422, "choice"),
    (b'{"pair": 0, "choice": ["left"], "milliseconds": 1}', 422, "choice"),
    (b'{"pair": 0, "choice": "left", "milliseconds": 1e99}', 422, "milliseconds"),
    (b'{"pair": 0, "choice": "left", "milliseconds": NaN}', 422, "milliseconds"),
    (b'{"pair": 0, "choice": "left", "milliseconds": 99999999999999999999}', 422, "milliseconds"),
    (bytes(2000), 413, "1000 bytes"),
]


def test_malformed_votes_are_told_and_the_server_goes_on(address):
    rater = begin(address)
    for body, status, told in BAD:
        found, message = address.told(f"/raters/{rater}/votes", body)
        assert (found, told in message) == (status, True), message
    assert address.told("/raters/nobody/votes", b"{}")[0] == 404
    for path in ("nobody", f"{rater}/pairs/6/left", f"{rater}/pairs/{9**40}/left", f"{rater}/pairs/0/both"):
        assert address.told(f"/raters/{path}")[0] == 404
    assert address.ask(f"/raters/{rater}/pairs/-1/left")[0] == 404
    assert address.ask("/../study_server.py")[0] == 404
    assert kept(address) == []
    assert cast(address, rater, 0) == 204


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_foreign_pages_are_refused(address, origin):
    rater = begin(address)
    vote = b'{"pair": 0, "choice": "left", "milliseconds": 900}'
    for path, body in (("/raters", b""), (f"/raters/{rater}/votes", vote)):
        assert address.told(path, body, origin=origin)[0] == 403
        assert address.told(path, body, host="evil.example:80", origin="http://evil.example:80")[0] == 403
    assert kept(address) == []


# -------------------------------------------------------------------------------------- the page

SECONDS = 1000
READ = """() => ["left", "right"].map((side) => {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.drawImage(document.querySelector(`#${side} img`), 0, 0);
  return Array.from(canvas.getImageData(1, 1, 1, 1).data);
})"""


class Page:
    """The study's page, before a rater who prefers red to green to blue."""

    def __init__(self, page, url: str):
        self.page, self.failed, self.asked = page, [], []
        page.set_default_timeout(60 * SECONDS)
        page.on("pageerror", lambda error: self.failed.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(url)

    def state(self, name: str) -> None:
        self.page.wait_for_selector(f"body[data-state={name}]")

    def place(self, number: int) -> list[str]:
        """Waits for the pair of this number, from 1, and returns the methods shown."""
        self.state("vote")
        self.page.wait_for_function(
            "(n) => document.getElementById('place').textContent.startsWith(`${n} of`)", arg=number
        )
        self.page.wait_for_timeout(150)  # the page waits for two frames
        return [method_of(color) for color in self.page.evaluate(READ)]

    def better(self, number: int) -> int:
        """0 where the left picture is the better one of the pair, 1 where the right is."""
        shown = self.place(number)
        return shown.index(min(shown, key=ORDER.index))


def test_a_rater_votes_by_keyboard_and_click_and_reloads(address, browser):
    context = browser.new_context(viewport={"width": 1100, "height": 700})
    page = Page(context.new_page(), address.url)
    page.state("welcome")
    assert "6 pairs" in page.page.inner_text("#welcome")
    page.page.keyboard.press("Enter")
    page.page.keyboard.press(["ArrowLeft", "ArrowRight"][page.better(1)])
    page.page.click(["#left", "#right"][page.better(2)])
    side = page.better(3)
    before = page.place(3)
    page.page.reload()
    assert page.place(3) == before
    page.page.wait_for_timeout(SECONDS)
    page.page.keyboard.press(["1", "2"][side])
    side = page.better(4)
    page.page.keyboard.press("Alt+ArrowDown")  # no vote
    page.page.focus(["#left", "#right"][side])
    page.page.keyboard.press("Space")
    page.place(5)
    assert page.page.evaluate("() => document.activeElement === document.body")  # nothing marks a side
    page.page.dblclick(["#left", "#right"][page.better(5)])  # one vote
    page.page.keyboard.press(["1", "2"][page.better(6)])
    page.state("thanks")
    page.page.reload()
    page.state("thanks")
    votes = kept(address)
    found = tally.tally(votes, quick_ms=0)
    assert found.cast == 6 and found.raters == 1
    assert {(e.first, e.second): e.won[:2] for e in found.preferences} == {
        ("blue", "green"): (0, 2), ("blue", "red"): (0, 2), ("green", "red"): (0, 2),
    }  # fmt: skip
    assert found.left.wins == 3
    assert SECONDS <= votes[2].milliseconds < 10 * SECONDS and all(v.milliseconds >= 0 for v in votes)
    page.page.click("#another")
    page.state("welcome")
    page.page.click("#begin")
    page.place(1)
    context.close()
    assert page.failed == []
    assert all(url.startswith((address.url, "blob:" + address.url)) for url in page.asked)


def test_a_phone_shows_both_pictures_at_once(address, browser):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = Page(context.new_page(), address.url)
    page.state("welcome")
    page.page.tap("#begin")
    page.place(1)
    first, second = (page.page.locator(f"#{side} img").bounding_box() for side in ("left", "right"))
    assert first["width"] == second["width"] > 300 and first["height"] == second["height"]
    assert first["y"] + first["height"] < second["y"] and second["y"] + second["height"] < 800
    page.page.tap("#right")
    page.place(2)
    context.close()
    assert page.failed == [] and [vote.choice for vote in kept(address)] == ["right"]


def test_a_picture_that_is_gone_and_a_server_that_is_gone_are_told(address, browser):
    context = browser.new_context()
    page = Page(context.new_page(), address.url)
    page.state("welcome")
    for path in address.studio.glob("*/*.png"):
        path.unlink()
    page.page.click("#begin")
    page.state("thanks")
    assert "left out" in page.page.inner_text("#toast")
    page.page.route("**/study", lambda route: route.abort())
    page.page.click("#another")
    page.page.wait_for_function(
        "() => document.getElementById('toast').textContent.includes('does not answer')"
    )
    context.close()
    assert page.failed == []
