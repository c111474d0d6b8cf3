"""The README is one page, what the documents name exists, their Python runs, their figures are those of the results."""

import ast
import json
import re
import statistics
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
from cotj.benchmarks import known

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md")), ROOT / "demo" / "models" / "README.md"]
RESULTS = ROOT / "benchmarks" / "results"

LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"python (demo|tests|benchmarks)\b([^`\n#]*)")
# A line of benchmarks/results/*/reachability.txt about all cells of a model, guidance and reference.
SUMMARY = re.compile(
    r"(?P<model>.+?) +(?P<reference>own|converged) +(?P<by>Optimize Sigmas|auto) +(?P<better>\d+) / +(?P<same>\d+) / +"
    r"(?P<worse>\d+) +[\d.]+ +\d+ / +\d+ / +\d+ +[\d.]+ +(?P<single>[\d.]+) .+?"
    r"(?:  +(?P<worst>[\d.]+))?(?:  +[\d.]+){3}$"
)
# And one about a cell, up to the ratios of the model's own schedule and of published CoTj.
CELL = re.compile(
    r"(?:euler|dpmpp_2m|res_multistep|uni_pc|ucgm) +\d+  .+?  +[\d.e-]+ +(?P<default>[\d.]+) +(?P<cotj>[\d.]+) "
)

named = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    """A document without its code blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(path), flags=re.M | re.S)


def anchors_of(path: Path) -> set[str]:
    """The fragments that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", prose_of(path), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def display_names() -> list[str]:
    """As a graph shows them, without what Apply's name adds in brackets."""
    definitions = json.loads(text_of(ROOT / "locales" / "en" / "nodeDefs.json"))
    return [node["display_name"].partition(" (")[0] for node in definitions.values()]


def summaries(folder: Path, by: str, models: Sequence[str] = ("demo", "mixture")) -> Iterator[re.Match[str]]:
    """Of the rows on the model's own long run; without models, for those that planners and searches were chosen on."""
    for model in models:
        for line in text_of(folder / model / "reachability.txt").splitlines():
            row = SUMMARY.match(line)
            if row and row["reference"] == "own" and row["by"] == by:
                yield row


def test_the_readme_is_one_page():
    text = text_of(README)
    words = [word for word in text.split() if re.search(r"\w", word)]  # no table bars, no arrows
    assert len(text.splitlines()) <= 120
    assert len(words) <= 900
    assert len(re.findall(r"!\[", text)) == 2


@named
def test_links_and_pictures_resolve(document: Path):
    for target in LINK.findall(prose_of(document)):
        if re.match(r"https?://", target):
            continue
        name, _, fragment = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.exists(), f"{target} leads nowhere"
        assert not fragment or fragment in anchors_of(file), f"{file.name} has no heading for #{fragment}"


def pages_from(document: Path) -> set[Path]:
    """The pages of this project that a document links to."""
    targets = {(document.parent / target.partition("#")[0]).resolve() for target in LINK.findall(text_of(document))}
    return targets & set(DOCUMENTS)


def test_the_readme_leads_to_every_page():
    """Directly, or through the page of benchmarks."""
    linked = pages_from(README) | pages_from(ROOT / "docs" / "benchmarks.md")
    assert linked >= set((ROOT / "docs").glob("*.md"))


def commands(document: Path) -> list[tuple[str, list[str]]]:
    """Every `python demo|tests|benchmarks ...` of a document, with its arguments."""
    return [(found[1], found[2].split()) for found in COMMAND.finditer(text_of(document))]


def demo_commands() -> dict[str, str]:
    """What `python demo NAME` runs, by name, read without running it."""
    tree = ast.parse(text_of(ROOT / "demo" / "__main__.py"))
    [table] = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["COMMANDS"]
    ]
    return ast.literal_eval(table)


def sources(program: str, arguments: list[str]) -> list[Path]:
    """The files that say what options a command has; a KeyError where there is no such command."""
    name = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    if program == "benchmarks" and name not in ("", "NAME"):
        file = ROOT / "benchmarks" / f"{name}.py"
        if not file.exists() or "def main(" not in text_of(file):
            raise KeyError(name)
        return [file, *(ROOT / "benchmarks" / "lab").glob("*.py")]
    if program == "demo":
        module = demo_commands()[name] if name else "run"
        return [ROOT / "demo" / f"{module.replace('.', '/')}.py", ROOT / "demo" / "__main__.py"]
    if program == "tests" and name in ("robustness", "neighbours"):
        return [ROOT / "tests" / name / "command.py"]
    if (program, name) == ("tests", "fleet"):
        return [ROOT / "tests" / "fleet" / "kills.py"]
    if program == "tests":  # with options of pytest's that the tests add
        return [ROOT / "tests" / "__main__.py", ROOT / "tests" / "conftest.py"]
    return [ROOT / program / "__main__.py"]


@named
def test_commands_exist(document: Path):
    for program, arguments in commands(document):
        texts = [text_of(file) for file in sources(program, arguments)]
        for option in (word for word in arguments if word.startswith("--") and word != "--help"):
            assert any(f'"{option}"' in text for text in texts), f"python {program} has no {option}"
        if program == "tests":  # what is no option of pytest's is a path
            assert all((ROOT / word).exists() for word in arguments if "/" in word)


def test_commands_are_found_at_all():
    """Else the test above would hold for documents without any."""
    assert len(commands(README)) >= 2
    with pytest.raises(KeyError):
        sources("benchmarks", ["nothing"])
    with pytest.raises(KeyError):
        sources("demo", ["nothing"])


def test_every_node_is_in_the_documents():
    table = text_of(ROOT / "docs" / "nodes.md")
    assert [name for name in display_names() if f"**{name}**" not in table] == []


@pytest.mark.parametrize("document", [README, ROOT / "docs" / "nodes.md"], ids=lambda path: path.name)
def test_nodes_in_tables_exist(document: Path):
    hosts_own = {"SamplerCustomAdvanced", "KSampler"}
    rows = [line for line in text_of(document).splitlines() if line.startswith("|")]
    bold = {name for row in rows for name in re.findall(r"\*\*([^*]+)\*\*", row)}
    assert bold
    assert bold <= set(display_names()) | hosts_own


def test_the_readmes_grades_of_trust_are_those_of_the_results():
    text = " ".join(text_of(README).split())
    found = list(summaries(RESULTS, "Optimize Sigmas"))
    cells = sum(int(row[count]) for row in found for count in ("better", "same", "worse"))
    better, worse = (sum(int(row[count]) for row in found) for count in ("better", "worse"))
    assert f"in {better} of {cells} cells, worse in {worse}" in text
    single = sorted(row["single"] for row in summaries(RESULTS / "auto", "auto"))
    assert f"{single[0]} to {single[-1]} times the mean error of the best single schedule" in text
    others = list(summaries(RESULTS / "auto", "auto", ["opened"]))
    most, worst = (max(float(row[name]) for row in others) for name in ("single", "worst"))
    assert f"up to {most:.2f} on other models, in single cells {worst:.0f}]" in text
    blocks = [
        block
        for model in ("demo", "mixture")
        for block in text_of(RESULTS / model / "reachability.txt").split("\n\n")
        if "distance from the model's own long run" in block.partition("\n")[0]
    ]
    judged = [row for block in blocks for row in map(CELL.match, block.splitlines()) if row]
    assert len(judged) == cells
    farther = sum(float(row["cotj"]) > float(row["default"]) for row in judged)
    others = text_of(RESULTS / "others" / "reachability.txt")
    beside = re.findall(
        r"^galaxygrad .+ own( +\d+ / +\d+ / +\d+ +[\d.]+){2} +(\d+) / +(\d+) / +(\d+) ", others, flags=re.M
    )
    of_others = sum(int(count) for row in beside for count in row[1:])
    told = f"in {farther} of {cells} cells, and in {sum(int(row[3]) for row in beside)} of {of_others}."
    assert f"farther off than the default {told}" in text
    rows = list(summaries(RESULTS, "Optimize Sigmas", ["others"]))
    better, worse = (sum(int(row[count]) for row in rows) for count in ("better", "worse"))
    assert f"in {better} of {of_others}, worse in {worse}" in text


def test_the_table_of_reachability_is_that_of_the_results():
    """Every row that docs/benchmarks.md shows is a row of a stored result, so a new result asks for a new page."""
    results = "\n".join(text_of(path) for path in RESULTS.glob("**/reachability.txt"))
    stored = {" ".join(line.split()) for line in results.splitlines()}
    shown = [line for line in text_of(ROOT / "docs" / "benchmarks.md").splitlines() if SUMMARY.match(line)]
    assert len(shown) == 36
    assert [line for line in shown if " ".join(line.split()) not in stored] == []


WORTH = {"cotj, flow lever, from the top": "CoTj, flow lever", "cotj as published, mean DNA": "CoTj, mean DNA"}
MEASURED_ON = ("demo", "demo-eps", "mixture")


def means_of_cells(text: str) -> Iterator[dict[str, float]]:
    """The mean errors by schedule of every cell in a table of reachability, from the model's own long run."""
    for block in text.split("\n\n"):
        title, *rows = block.splitlines()
        if title.endswith("reference: own"):
            yield {row[2:22].strip(): float(row[22:32]) for row in rows[1:]}


@pytest.mark.parametrize("planned", [*WORTH, "gits", "propagated", "multistep"])
def test_what_plans_without_a_profile_are_worth_is_in_the_results(planned: str):
    found = []
    for model in MEASURED_ON:
        cells = means_of_cells(text_of(RESULTS / model / "reachability.txt"))
        name = WORTH.get(planned, planned)
        ratios = [cell[name] / cell["simple"] for cell in cells if name in cell]
        worse = sum(ratio > 1 for ratio in ratios)
        found.append(f"{statistics.geometric_mean(ratios):.2f}, {worse} of {len(ratios)}")
    assert f"| {planned} | {' | '.join(found)} |" in text_of(ROOT / "docs" / "research.md")


def words() -> list[str]:
    """The terms that docs/words.md defines."""
    rows = [line.split("|")[1] for line in text_of(ROOT / "docs" / "words.md").splitlines() if line.startswith("| ")]
    return [term.strip() for row in rows for term in row.split(",") if term.strip() not in ("word", "---")]


def test_every_word_has_one_row():
    assert len(words()) > 50
    assert sorted(words()) == sorted(set(words()))


def test_words_in_italics_have_a_row():
    text = text_of(ROOT / "docs" / "words.md")
    assert set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text)) <= set(words())


def tooltips(language: str) -> Iterator[tuple[str, str]]:
    """Every tooltip of this language, with the node and input or output that it is of."""
    for node, entry in json.loads(text_of(ROOT / "locales" / language / "nodeDefs.json")).items():
        for group in ("inputs", "outputs"):
            for name, texts in entry.get(group, {}).items():
                yield f"{node}, {name}", texts["tooltip"]


@pytest.mark.parametrize(("language", "sentence"), [("en", r"\.(?=\s|$)"), ("zh", "。")])
def test_tooltips_are_one_or_two_whole_sentences(language: str, sentence: str):
    counts = {where: (len(re.findall(sentence, text)), text) for where, text in tooltips(language)}
    assert len(counts) > 100
    assert {where: text for where, (count, text) in counts.items() if not 1 <= count <= 2} == {}
    assert {where: text for where, text in tooltips(language) if not re.search(f"(?:{sentence})$", text)} == {}


# What cells of a page's tables hold together, and how the page's results write that.
CELLS = {
    "caching": (
        r"(?<![\d./])(\d+(?:\.\d+)?) / (\d+(?:\.\d+)?)(?![\d./])",
        r"(?<![\d./])(\d+(?:\.\d+)?(?:e\+\d+)?) / (\d+(?:\.\d+)?(?:e\+\d+)?)(?![\d./])",
    ),
    "scores": (r"([\d.]+), ([\d.]+) to ([\d.]+)", r"([\d.]+) ([\d.]+)-([\d.]+)"),
    "solvers": (
        r"([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| \d",
        r"([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +\d+ / ",
    ),
}


@pytest.mark.parametrize("page", CELLS)
def test_the_cells_of_a_pages_tables_are_in_its_results(page: str):
    def cells(pattern: str, text: str) -> set[tuple[float, ...]]:
        return {tuple(map(float, found)) for found in re.findall(pattern, text)}

    told, stored = CELLS[page]
    lines = text_of(ROOT / "docs" / f"benchmarks-{page}.md").splitlines()
    shown = cells(told, "\n".join(line for line in lines if line.startswith("|")))
    results = "\n".join(text_of(path) for path in (RESULTS / page).glob("*.txt"))
    assert len(shown) > 10 and not shown - cells(stored, results)


def test_the_table_of_known_results_is_that_of_the_results(capsys: pytest.CaptureFixture[str]):
    known.main([])
    assert capsys.readouterr().out in text_of(ROOT / "docs" / "benchmarks.md")


def sections_of_the_paper() -> dict[str, tuple[str, str, str]]:
    """Every figure and table of benchmarks/results/paper by its heading: verdict, text, and its part of the page."""
    page = re.split(r"^## ", text_of(ROOT / "docs" / "benchmarks-paper.md"), flags=re.M)[1:]
    told = dict(part.split("\n", 1) for part in page)
    found = {}
    for result in text_of(RESULTS / "paper" / "paper.txt").strip().split("\n\n"):
        name, title, verdict = re.match(r"(\w+ \d+), (.+): (.+)", result).groups()
        found[f"{name}: {title}"] = verdict, result, " ".join(told.pop(f"{name}: {title}", "").split())
    assert told.keys() <= {"Run it"}
    return found


def test_the_page_of_the_paper_says_what_was_found():
    """Each verdict is that of the results, and no figure stands in the page that is not in them."""
    found, page = sections_of_the_paper(), text_of(ROOT / "docs" / "benchmarks-paper.md")
    assert len(found) == 11
    number = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?%?(?!\w)")
    for heading, (verdict, result, told) in found.items():
        assert f"**{verdict}**" in told, heading
        name, _, title = heading.partition(": ")
        assert re.search(rf"^\| \[{name}\]\(#.+\) \| {title} \| {verdict} \|$", page, flags=re.M), heading
        assert set(number.findall(re.sub(r"\]\(.*?\)", "", told))) - set(number.findall(result)) == set(), heading
