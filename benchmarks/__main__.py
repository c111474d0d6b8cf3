"""`python benchmarks NAME [options]` runs one benchmark; without a name it lists them."""

import ast
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "harness"))  # for environment alone: its other modules are named as the host's are

from environment import enter_environment, load_pack  # noqa: E402

sys.path.pop()


def summary(name: str) -> str:
    """Read the first line of a benchmark's docstring without running it."""
    docstring = ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


def main() -> None:
    modules = (path for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    names = sorted(path.stem for path in modules if "def main(" in path.read_text(encoding="utf-8"))
    name = next(iter(sys.argv[1:]), "--help")
    if name not in names:
        asked = name in ("--help", "-h")
        print(*([] if asked else [f"There is no benchmark {name!r}.\n"]), __doc__, sep="\n")
        print(*(f"  {name}: {summary(name)}" for name in names), sep="\n")
        sys.exit(0 if asked else 2)
    enter_environment()
    load_pack()
    importlib.import_module(f"cotj.benchmarks.{name}").main(sys.argv[2:])


main()
