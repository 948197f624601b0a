"""Bytes that an installed distribution takes, alone and with all that it needs.

``python -m tests.benchmarks.sizes numpy`` prints them as JSON; run by the interpreter that has it.
Bytecode is not counted: it is there only where a module was imported.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tests.benchmarks.libraries import OTHER_NAMES


def _installed(name: str) -> Distribution | None:
    for candidate in (name, *OTHER_NAMES.get(name, ())):
        try:
            return distribution(candidate)
        except PackageNotFoundError:
            continue
    return None


def _folder_bytes(folder: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files if "__pycache__" not in path.parts)


def own_bytes(found: Distribution) -> int:
    """Bytes of its own files; of its folder, where it is installed by a path."""
    record = found.read_text("direct_url.json")
    if record and json.loads(record).get("dir_info", {}).get("editable"):
        module = importlib.util.find_spec(found.metadata["Name"])
        assert module is not None and module.origin is not None
        return _folder_bytes(Path(module.origin).parent)
    total = 0
    for file in found.files or ():
        path = Path(str(file.locate()))
        if "__pycache__" not in path.parts and path.is_file():
            total += path.stat().st_size
    return total


def needed(name: str) -> list[Distribution]:
    """It, and all installed distributions that it needs without extras, each once."""
    waiting, found = [name], {}
    while waiting:
        found_here = _installed(waiting.pop())
        if found_here is None or found_here.metadata["Name"] in found:
            continue
        found[found_here.metadata["Name"]] = found_here
        for requirement in found_here.requires or ():
            if "extra ==" not in requirement:
                match = re.match(r"[A-Za-z0-9._-]+", requirement)
                assert match is not None
                waiting.append(match.group())
    return list(found.values())


def main() -> None:
    name = sys.argv[1]
    closure = needed(name)
    if not closure:
        sys.exit(f"{name} is not installed")
    sizes = [own_bytes(found) for found in closure]
    print(json.dumps({"own": sizes[0], "all": sum(sizes), "distributions": len(sizes)}))


if __name__ == "__main__":
    main()
