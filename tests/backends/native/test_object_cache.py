"""Machine code on the disk: what is kept, what is noticed, and what is never believed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import staticgraph as sg
from staticgraph import config
from staticgraph.backends.native import jit, object_cache
from staticgraph.backends.native.object_cache import LEDGER, SUFFIX, Image, ObjectCache
from tests.backends.native.test_jit import answer, call, run, since

MIB = 1 << 20
KEY = bytes(range(32))
IMAGE = Image(b"\0code\n" * 100, ("f", "é"), ("malloc",))
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="modes of files say nothing there")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that does not exist yet, two levels deep, and is the cache."""
    path = tmp_path / "home" / "cache"
    monkeypatch.setenv("STATICGRAPH_CACHE", str(path))
    return path


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def same(one: Image | None, other: Image) -> bool:
    return one is not None and (one.code, one.defined, one.wanted) == (
        other.code, other.defined, other.wanted,
    )  # fmt: skip


def test_what_is_written_is_read(folder: Path) -> None:
    cache = ObjectCache(folder, MIB)
    assert cache.read(KEY) is None
    cache.write(KEY, IMAGE)
    assert same(cache.read(KEY), IMAGE)
    assert cache.read(KEY[::-1]) is None
    empty = Image(b"", (), ())
    cache.write(KEY, empty)
    assert same(cache.read(KEY), empty)
    assert [path.name for path in sorted(folder.iterdir())] == [KEY.hex() + SUFFIX, LEDGER]


def test_a_list_of_names_that_leaves_one_out_is_not_believed(folder: Path) -> None:
    # LLVM ends the process when it loads code that refers to what nobody defines.
    text = "declare void @nobody()\ndefine void @f() {\n  call void @nobody()\n  ret void\n}\n"
    image = jit.emit(text)
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, image)
    assert same(cache.read(KEY), image)
    cache.write(KEY, Image(image.code, image.defined, ()))
    with pytest.warns(sg.CacheWarning, match="damaged"):
        assert cache.read(KEY) is None


@POSIX
def test_nobody_else_can_look(folder: Path) -> None:
    before = os.umask(0)
    try:
        ObjectCache(folder, MIB).write(KEY, IMAGE)
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_every_damage_is_noticed(folder: Path) -> None:
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, IMAGE)
    [path] = entries(folder)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in (0, 7, 40, 63, 64, len(whole) - 1)]
    damaged += [whole + b"\0"]
    for at in range(0, len(whole), 7):
        damaged.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    for data in damaged:
        path.write_bytes(data)
        with pytest.warns(sg.CacheWarning, match=f"{path.name} is damaged; what was in it is comp"):
            assert cache.read(KEY) is None
    # The right contents of another key are damage too.
    other = path.with_name(KEY[::-1].hex() + SUFFIX)
    other.write_bytes(whole)
    with pytest.warns(sg.CacheWarning, match="is damaged"):
        assert cache.read(KEY[::-1]) is None


def test_the_text_of_the_warning(folder: Path) -> None:
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, IMAGE)
    [path] = entries(folder)
    path.write_bytes(b"")
    with pytest.warns(sg.CacheWarning) as caught:
        cache.read(KEY)
    assert str(caught[0].message) == (
        f"the cache of machine code in {folder}: {path.name} is damaged;"
        " what was in it is compiled again\n"
        "  STATICGRAPH_CACHE names another folder; empty, nothing is kept"
    )


def test_damaged_code_is_compiled_again_and_replaced(folder: Path) -> None:
    before = jit.statistics()
    assert call(jit.compile_module(answer(1000))) == 1000
    assert call(jit.compile_module(answer(1000))) == 1000
    assert since(before) == (1, 1, 0)
    [path] = entries(folder)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(sg.CacheWarning, match="is damaged"):
        assert call(jit.compile_module(answer(1000))) == 1000
    assert since(before) == (2, 1, 0)
    assert call(jit.compile_module(answer(1000))) == 1000
    assert since(before) == (2, 2, 0)


def test_the_key_knows_all_that_code_depends_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jit.compile_module(answer(1100))
    jit.compile_module(answer(1100), 1)
    jit.compile_module(answer(1101))
    assert len(entries(folder)) == 3
    monkeypatch.setattr(config, "VERSION", "0.0.0")
    jit._versions.cache_clear()
    jit.compile_module(answer(1100))
    assert len(entries(folder)) == 4
    jit._versions.cache_clear()


def test_another_process_reads_it(folder: Path) -> None:
    code = (
        "from tests.backends.native.test_jit import *\n"
        "library = jit.compile_module(answer(1200))\n"
        "print(call(library), since(jit.Statistics()))"
    )
    assert run(code) == "1200 (1, 0, 0)"
    assert run(code) == "1200 (0, 1, 0)"
    assert run(code, STATICGRAPH_CACHE="0") == "1200 (1, 0, 0)"
    assert len(entries(folder)) == 1


def test_processes_that_write_and_sweep_at_once(folder: Path) -> None:
    """Each writes and reads the same keys, with a limit that makes them sweep all the time."""
    code = (
        "import sys, warnings\n"
        "from pathlib import Path\n"
        "from staticgraph.backends.native.object_cache import *\n"
        "warnings.simplefilter('error')\n"
        "cache = ObjectCache(Path(sys.argv[1]), 1 << 18)\n"
        "found = 0\n"
        "for number in range(600):\n"
        "    key = bytes([number % 40]) * 32\n"
        "    image = cache.read(key)\n"
        "    if image is None:\n"
        "        cache.write(key, Image(key * 400, ('f',), ()))\n"
        "    else:\n"
        "        assert image.code == key * 400\n"
        "        found += 1\n"
        "print(found > 0)\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]  # fmt: skip
    assert [process.communicate(timeout=100)[0].strip() for process in started] == ["True"] * 3
    # Nothing half written, and nothing left behind.
    assert {path.suffix for path in folder.iterdir()} <= {SUFFIX, Path(LEDGER).suffix}
    for number in range(40):
        ObjectCache(folder, 1 << 18).read(bytes([number]) * 32)


def test_threads_that_write_one_key(folder: Path) -> None:
    cache = ObjectCache(folder, MIB)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cache.write(KEY, IMAGE), range(100)))
    assert same(cache.read(KEY), IMAGE)
    assert len(entries(folder)) == 1


def test_the_total_is_bounded_and_what_is_used_stays(folder: Path) -> None:
    limit = 4 * MIB
    cache = ObjectCache(folder, limit)
    favourite = b"f" * 32
    cache.write(favourite, IMAGE)
    for number in range(300):
        cache.write(number.to_bytes(32, "big"), Image(bytes(50_000), (), ()))
        assert cache.read(favourite) is not None
        total = sum(path.stat().st_size for path in entries(folder))
        assert total <= limit + limit // 16 + 50_200
    assert total > limit // 2
    assert cache.read((299).to_bytes(32, "big")) is not None
    assert cache.read((0).to_bytes(32, "big")) is None


def test_writers_seldom_look_through_the_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeps = []
    monkeypatch.setattr(ObjectCache, "sweep", lambda cache: sweeps.append(cache))
    cache = ObjectCache(folder, MIB)
    for number in range(64):  # of 4 blocks each, which is the limit once
        cache.write(number.to_bytes(32, "big"), Image(bytes(4 * 4096 - 100), (), ()))
    assert len(sweeps) == 16


def test_a_sweep_deletes_nothing_that_is_not_the_cache_s_own(folder: Path) -> None:
    cache = ObjectCache(folder, 1)
    cache.write(KEY, IMAGE)
    mine = folder / "thesis.tex"
    stale, fresh = folder / "1-1.sgcode-new", folder / "1-2.sgcode-new"
    for path in (mine, stale, fresh):
        path.write_text("words", encoding="ascii")
    for path in (mine, stale):
        os.utime(path, (0, 0))
    cache.sweep()
    assert mine.exists()
    assert fresh.exists()
    assert not stale.exists()
    assert entries(folder) == []


@POSIX
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_used(folder: Path, mode: int) -> None:
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, IMAGE)
    folder.chmod(mode)
    with pytest.warns(sg.CacheWarning, match="it belongs to another user, or others can write"):
        assert cache.read(KEY) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.write(KEY[::-1], IMAGE)  # once is enough
    assert len(entries(folder)) == 1
    folder.chmod(0o755)
    assert same(cache.read(KEY), IMAGE)


@POSIX
def test_a_folder_of_another_user_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, IMAGE)
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with pytest.warns(sg.CacheWarning, match="it belongs to another user"):
        assert cache.read(KEY) is None


@POSIX
def test_files_that_others_could_have_written_are_not_used(folder: Path) -> None:
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, IMAGE)
    [path] = entries(folder)
    path.chmod(0o666)
    with pytest.warns(sg.CacheWarning, match="others can write to"):
        assert cache.read(KEY) is None
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")
    with pytest.warns(sg.CacheWarning, match="it cannot be read"):
        assert cache.read(KEY) is None


def test_a_full_disk_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(object_cache, "_write_new", full)
    with pytest.warns(sg.CacheWarning, match=r"it cannot be written to \(No space left on device"):
        assert call(jit.compile_module(answer(1300))) == 1300
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert call(jit.compile_module(answer(1301))) == 1301
    assert list(folder.iterdir()) == []


def test_a_place_where_no_folder_can_be_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    monkeypatch.setenv("STATICGRAPH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(sg.CacheWarning) as caught:
        assert call(jit.compile_module(answer(1400))) == 1400
    assert {warning.category for warning in caught} == {sg.CacheWarning}


@POSIX
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_read(folder: Path) -> None:
    cache = ObjectCache(folder, MIB)
    cache.write(KEY, IMAGE)
    folder.chmod(0o500)
    assert same(cache.read(KEY), IMAGE)
    with pytest.warns(sg.CacheWarning, match="it cannot be written to"):
        cache.write(KEY[::-1], IMAGE)
    folder.chmod(0o700)


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATICGRAPH_CACHE", str(tmp_path))
    assert config.cache_directory() == tmp_path
    for nothing in ("", "0"):
        monkeypatch.setenv("STATICGRAPH_CACHE", nothing)
        assert config.cache_directory() is None
    monkeypatch.delenv("STATICGRAPH_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    expected = {"linux": tmp_path / "xdg", "darwin": tmp_path / "Library" / "Caches"}
    expected["win32"] = tmp_path / "local"
    for platform, path in expected.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert config.cache_directory() == path / "staticgraph"
    monkeypatch.setattr(sys, "platform", "linux")
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert config.cache_directory() == tmp_path / ".cache" / "staticgraph"


def test_how_much_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATICGRAPH_CACHE_LIMIT", raising=False)
    assert config.cache_limit() == 256 << 20
    monkeypatch.setenv("STATICGRAPH_CACHE_LIMIT", "3")
    assert config.cache_limit() == 3 << 20
    for wrong in ("0", "-1", "1 GB"):
        monkeypatch.setenv("STATICGRAPH_CACHE_LIMIT", wrong)
        with pytest.raises(sg.StaticGraphError) as info:
            config.cache_limit()
        assert str(info.value) == (
            f"STATICGRAPH_CACHE_LIMIT is {wrong!r}, which is no number of MiB\n"
            "  set it to a positive integer, or not at all; STATICGRAPH_CACHE=0 keeps nothing"
        )
