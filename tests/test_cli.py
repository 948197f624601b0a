"""The command line: what it prints, what it leaves, and how it refuses."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import staticgraph as sg
from staticgraph import cli, demo
from staticgraph.config import LazyModule
from staticgraph.core.opdef import registered
from staticgraph.demo import digits, show

FILES = ["graph_after.svg", "graph_before.svg", "loss_and_accuracy.png", "report.txt"]


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "demo"
    assert cli.main(["demo", "--output", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert (folder / "loss_and_accuracy.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    for name in ("graph_before.svg", "graph_after.svg"):
        assert ElementTree.parse(folder / name).getroot().tag.endswith("svg")
        assert name in printed
    assert "cse" in (folder / "report.txt").read_text(encoding="utf-8")
    sentence = next(line for line in printed.splitlines() if "recognised" in line)
    right = int(sentence.split("(")[1].split()[0])
    assert right / 360 >= 0.97
    assert f"{right / 360:.1%} of the test images recognised ({right} of 360)" in sentence


def test_another_seed_and_few_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--output", str(tmp_path), "--steps", "3", "--seed", "7"]) == 0
    assert "after 3 steps" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


def test_the_digits_are_split_four_to_one() -> None:
    data, test = digits.load(seed=0)
    assert data["images"].shape == (1437, 64) and test["images"].shape == (360, 64)
    assert data["images"].dtype == np.float32 and data["images"].max() == 1.0
    other, _ = digits.load(seed=1)
    assert not np.array_equal(data["labels"], other["labels"])


def test_the_same_seed_gives_the_same_training() -> None:
    losses = []
    for _ in range(2):
        with sg.Graph().as_default(), sg.Session(seed=5) as session:
            data, _ = digits.load(seed=5)
            losses.append(list(digits.train(digits.build(), session, data, 4, seed=5)))
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("package", "called"),
    [
        ("sklearn", "scikit-learn"),
        ("matplotlib", "matplotlib"),
        ("threadpoolctl", "threadpoolctl"),
    ],
)
def test_a_missing_package_names_the_way_out(
    package: str,
    called: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("staticgraph.demo.digits", "staticgraph.demo.show"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.delattr(demo, name.rpartition(".")[2], raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(cli, "show", LazyModule("staticgraph.demo.show"))
    assert cli.main(["demo", "--output", str(tmp_path / "demo")]) == 1
    assert capsys.readouterr().err == (
        f"staticgraph demo: {called} is not installed\n"
        "  the demo trains on scikit-learn's digits and plots with matplotlib\n"
        "  install what it needs: pip install 'staticgraph[demo]', or in a clone pip install "
        "'.[demo]'\n"
    )
    assert not (tmp_path / "demo").exists()


def test_another_missing_module_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "show", LazyModule("staticgraph.demo.nothing"))
    with pytest.raises(ModuleNotFoundError, match=r"staticgraph\.demo\.nothing"):
        cli.main(["demo"])


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert cli.main(["demo", "--output", str(taken)]) == 1
    assert capsys.readouterr().err == (
        f"staticgraph demo: cannot write to {taken}: File exists\n"
        "  name another folder: staticgraph demo --output DIR\n"
    )


def test_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "plot", interrupted)
    assert cli.main(["demo", "--output", str(tmp_path), "--steps", "1"]) == 130
    message = f"staticgraph demo: interrupted; {tmp_path} is not complete\n"
    assert capsys.readouterr().err == message


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        cli.main(["--version"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"staticgraph {cli.version()}\n"


def test_version_of_a_source_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", unknown)
    assert cli.version() == "(not installed)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: command"),
        (["demo", "--steps", "0"], "argument --steps: '0' is no whole number of at least 1"),
        (["demo", "--steps", "x"], "argument --steps: 'x' is no whole number of at least 1"),
        (
            ["demo", "--seed", "-1"],
            "argument --seed: '-1' is no whole number from 0 to 2**32 - 1",
        ),
        (
            ["demo", "--seed", str(1 << 32)],
            "argument --seed: '4294967296' is no whole number from 0 to 2**32 - 1",
        ),
    ],
)
def test_arguments_that_make_no_sense(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        cli.main(arguments)
    assert exit.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {message}")


def test_ops_lists_every_op(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["ops"]) == 0
    lines = capsys.readouterr().out.splitlines()
    end = next(number for number, line in enumerate(lines) if line.endswith(" ops"))
    listed = [line.split()[0] for line in lines[1:end] if not line.startswith(" ")]
    assert listed == sorted(op.name for op in registered())
    assert lines[end] == f"{len(listed)} ops"


def test_ops_lists_functions_that_are_made_of_ops(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["ops", "median"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["function", "sg.median", "sg.nanmedian", "2"]
    assert cli.main(["ops", "he_normal"]) == 0
    assert "sg.initializers.he_normal" in capsys.readouterr().out


def test_ops_with_a_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert cli.main(["ops", "tangent"]) == 0
    tanh = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("tanh "))
    assert tanh.split()[:3] == ["tanh", "x", "yes"]
    assert cli.main(["ops", "no such word"]) == 1
    assert (
        capsys.readouterr().err
        == "no op or function has 'no such word' in its name or description\n"
    )


def test_the_page_shows_the_program() -> None:
    root = Path(__file__).parent.parent
    program = (root / "staticgraph/demo/digits.py").read_text(encoding="utf-8")
    page = (root / "docs/demo.md").read_text(encoding="utf-8")
    blocks = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    # The last two blocks use what the others define.
    shown = blocks[:-2]
    rest = program.partition("\n\n")[2]
    for block in shown:
        assert block in rest
        rest = rest.replace(block, "", 1)
    assert rest.strip() == ""
    # One screen, without what every file begins with.
    assert len(program.splitlines()) <= 70
