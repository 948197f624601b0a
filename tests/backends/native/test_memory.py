"""Memory of a call: classes, regions, limits, guards, and what is given back."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest

import staticgraph as sg
from staticgraph.backends.native import context
from staticgraph.backends.native.calls import IDLE_BYTES_LIMIT
from staticgraph.backends.native.memory import SMALL_BYTES
from staticgraph.backends.native.runtime import Context, load
from tests.backends.native.programs import programs

MIB = 1 << 20


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", "0")


def alloc(ctx: Context, size: int) -> int | None:
    return programs().alloc(ctx.pointer, size)


def free(ctx: Context, block: int | None) -> None:
    programs().free(ctx.pointer, block)


SIZES = [0, 1, 63, 64, 65, 511, 512, 513, 576, 577, 1024, 4097, SMALL_BYTES - 1, SMALL_BYTES,
         SMALL_BYTES + 1, 50_000, MIB, MIB + 1, 70 * MIB]  # fmt: skip


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize("size", SIZES)
def test_a_block_is_aligned_and_wastes_at_most_an_eighth(size: int) -> None:
    with Context() as ctx:
        block = alloc(ctx, size)
        assert block is not None and block % 64 == 0
        ctypes.memset(block, 0x55, size)
        room = ctx.bytes_now - 64
        assert room >= size
        # Up to 512 bytes, alignment costs more than an eighth.
        assert room <= max(64, -(-size // 64) * 64, size * 9 / 8)
        free(ctx, block)
        assert ctx.bytes_now == 0
        assert ctx.peak_bytes == room + 64


@pytest.mark.parametrize("guarded", ["0", "1"])
@pytest.mark.parametrize("seed", range(4))
def test_blocks_never_share_a_byte(
    guarded: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", guarded)
    chance = random.Random(seed)
    live: dict[int, tuple[int, int]] = {}
    with Context() as ctx:
        for step in range(3000):
            if live and (chance.random() < 0.5 or len(live) > 200):
                block = chance.choice(list(live))
                size, mark = live.pop(block)
                assert ctypes.string_at(block, size) == bytes([mark]) * size
                free(ctx, block)
                continue
            size = int(2 ** chance.uniform(0, 19))
            block = alloc(ctx, size)
            assert block is not None and block not in live
            ctypes.memset(block, step % 251, size)
            live[block] = size, step % 251
        for block, (size, mark) in live.items():
            assert ctypes.string_at(block, size) == bytes([mark]) * size
            free(ctx, block)
        assert ctx.bytes_now == 0


@pytest.mark.usefixtures("unguarded")
def test_freed_neighbours_become_one_block_again() -> None:
    with Context() as ctx:
        blocks = [alloc(ctx, 10 * MIB) for _ in range(6)]
        held = ctx.held_bytes
        for place in (0, 2, 1, 5, 3, 4):
            free(ctx, blocks[place])
        assert alloc(ctx, 60 * MIB) == blocks[0]
        assert ctx.held_bytes == held


@pytest.mark.usefixtures("unguarded")
def test_what_was_freed_is_used_again_before_anything_else() -> None:
    with Context() as ctx:
        for size in (100, 5000, 40_000, MIB):
            first = alloc(ctx, size)
            other = alloc(ctx, size)
            free(ctx, first)
            assert alloc(ctx, size) == first
            free(ctx, other)
            free(ctx, first)


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.usefixtures("unguarded")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for memory in use")
@pytest.mark.parametrize(("size", "live"), [(1, 50), (3000, 20), (100_000, 7), (5 * MIB, 3)])
def test_a_million_blocks_cost_what_a_few_cost(size: int, live: int) -> None:
    with Context() as ctx:
        programs().churn(ctx.pointer, size, live, 1000)
        held, peak, used = ctx.held_bytes, ctx.peak_bytes, resident()
        programs().churn(ctx.pointer, size, live, 1_000_000)
        assert (ctx.held_bytes, ctx.peak_bytes, ctx.bytes_now) == (held, peak, 0)
        assert resident() - used < MIB


@pytest.mark.usefixtures("unguarded")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for memory in use")
def test_a_hundred_thousand_calls_do_not_grow() -> None:
    def call() -> None:
        with Context() as ctx:
            free(ctx, alloc(ctx, 1000))
            alloc(ctx, 100_000)  # as after a failure

    for _ in range(100):
        call()
    used = resident()
    for _ in range(100_000):
        call()
    assert resident() - used < MIB


@pytest.mark.parametrize("guarded", ["0", "1"])
def test_a_limit_is_kept_and_what_was_asked_is_known(
    guarded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATICGRAPH_CHECK", guarded)
    with Context(memory_limit=MIB) as ctx:
        first = alloc(ctx, 600_000)
        assert first is not None and ctx.refused_bytes == 0
        assert alloc(ctx, 600_001) is None
        assert ctx.refused_bytes == 600_001
        small = alloc(ctx, 1000)
        assert small is not None
        free(ctx, first)
        assert alloc(ctx, 600_001) is not None
        assert ctx.bytes_now <= ctx.peak_bytes <= MIB
    with Context() as ctx:
        for block in [alloc(ctx, 500) for _ in range(9)]:
            free(ctx, block)
    # The short path, which finds freed blocks of the call before, looks at the limit, too.
    with Context(memory_limit=2000) as ctx:
        blocks = [alloc(ctx, 500) for _ in range(9)]
        assert ctx.refused_bytes == 500
        assert 0 < sum(block is not None for block in blocks) < 4
        assert ctx.bytes_now <= 2000
    with Context() as ctx:
        assert ctx.refused_bytes == 0 and alloc(ctx, 3 * MIB) is not None


@pytest.mark.parametrize("size", [1 << 62, (1 << 63) - 1, -1, -4096, (1 << 43) + 1, 1 << 43])
def test_more_than_any_machine_has_is_refused(size: int) -> None:
    with Context() as ctx:
        # A block of 2**43 bytes is possible in principle; no test wants it filled.
        if size != 1 << 43:
            assert alloc(ctx, size) is None
            assert ctx.refused_bytes == size
        assert alloc(ctx, 100) is not None


def test_a_failed_call_leaves_nothing_behind() -> None:
    for _ in range(3):
        with Context() as ctx:
            assert ctx.bytes_now == ctx.peak_bytes == 0
            for size in (10, 1000, 50_000, MIB):
                assert alloc(ctx, size) is not None
            assert ctx.bytes_now > MIB


@pytest.mark.usefixtures("unguarded")
def test_what_idle_contexts_keep_is_bounded() -> None:
    load().trim()
    assert load().idle_bytes() == 0
    first, second, third = Context(), Context(), Context()
    for ctx, size in ((first, 100 * MIB), (second, 100 * MIB), (third, 100 * MIB)):
        alloc(ctx, size)
    for ctx in (first, second, third):
        ctx.release()
    assert 200 * MIB <= load().idle_bytes() <= IDLE_BYTES_LIMIT
    with Context() as ctx:  # the last one released
        assert ctx.held_bytes == 0
    with Context() as large:
        alloc(large, IDLE_BYTES_LIMIT)
    assert load().idle_bytes() <= IDLE_BYTES_LIMIT
    load().trim()
    assert load().idle_bytes() == 0


@pytest.mark.usefixtures("unguarded")
def test_a_call_that_grew_finds_its_memory_in_one_piece_next_time() -> None:
    load().trim()
    with Context() as ctx:
        for _ in range(3):
            alloc(ctx, 50 * MIB)
        held = ctx.held_bytes
        assert held > 150 * MIB
    with Context() as ctx:
        assert ctx.held_bytes == 0
        alloc(ctx, 1)
        assert ctx.held_bytes == held
        assert all(alloc(ctx, 50 * MIB) for _ in range(3))
        assert ctx.held_bytes == held
    load().trim()


@pytest.mark.usefixtures("unguarded")
def test_a_region_that_nobody_needs_goes_before_a_new_one_comes() -> None:
    load().trim()
    with Context() as ctx:
        free(ctx, alloc(ctx, 40 * MIB))
        assert ctx.held_bytes == 64 * MIB
        free(ctx, alloc(ctx, 90 * MIB))
        assert ctx.held_bytes == 90 * MIB + 64
    load().trim()


# -- guards ----------------------------------------------------------------------------------------


def poke(address: int | None, value: int = 0) -> None:
    assert address is not None
    ctypes.c_uint8.from_address(address).value = value


REPORT = "\n  this is a bug in staticgraph; report it with the program that shows it"


@pytest.mark.parametrize("size", [0, 1, 64, 100, 1000, 40_000, MIB + 3])
@pytest.mark.parametrize("freed", [False, True])
@pytest.mark.parametrize(
    ("place", "words"),
    [
        (-1, "was written before its first byte"),
        (-32, "was written before its first byte"),
        (0, "was written behind its last byte"),
        (63, "was written behind its last byte"),
    ],
)
def test_writing_outside_a_block_is_found(size: int, freed: bool, place: int, words: str) -> None:
    ctx = Context()
    around = [alloc(ctx, 100) for _ in range(3)]
    block = alloc(ctx, size)
    assert block is not None
    poke(block + place if place < 0 else block + size + place)
    if freed:
        free(ctx, block)
    for other in around:
        free(ctx, other)
    with pytest.raises(sg.errors.CompilerError) as info:
        ctx.release()
    assert str(info.value) == f"machine code: a block of {size} bytes {words}{REPORT}"


def test_freeing_twice_is_found() -> None:
    ctx = Context()
    block = alloc(ctx, 100)
    free(ctx, block)
    free(ctx, block)
    with pytest.raises(sg.errors.CompilerError) as info:
        ctx.release()
    assert str(info.value) == (
        f"machine code: a block of 100 bytes was freed twice, or never given out{REPORT}"
    )


def test_a_sound_call_is_not_blamed() -> None:
    with Context() as ctx:
        for size in SIZES:
            block = alloc(ctx, size)
            assert block is not None
            ctypes.memset(block, 0, size)
            if size % 2:
                free(ctx, block)


def test_fresh_and_freed_memory_do_not_look_like_data() -> None:
    with Context() as ctx:
        for size in (100, 100_000):
            block = alloc(ctx, size)
            assert block is not None
            assert ctypes.string_at(block, size) == b"\xff" * size
            ctypes.memset(block, 0, size)
            free(ctx, block)
            assert ctypes.string_at(block, size) == b"\xdb" * size


def test_null_may_be_freed() -> None:
    with Context() as ctx:
        free(ctx, None)
        assert ctx.bytes_now == 0


def test_fields_do_not_overlap() -> None:
    fields = {
        name: value for name, value in vars(context).items()
        if name.isupper() and name not in ("SIZE", "NO_LIMIT") and not name.endswith("_SLOTS")
    }  # fmt: skip
    assert len(set(fields.values())) == len(fields)
    assert all(value % 8 == 0 and value < context.SIZE for value in fields.values())
    assert context.FAILURE + 8 * context.FAILURE_SLOTS <= context.MEMORY_LIMIT
    assert context.TRAMPOLINE + 8 * context.TRAMPOLINE_SLOTS <= context.ALLOCATOR
