"""`python demo registry URL --publisher ID`: what the registry needs to know, set from one address.

Writes pyproject.toml (publisher, links, icon and banner) and turns the README's links into whole addresses, since the
registry shows that page away from the repository. Commit both, and publish with `comfy node publish`.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..harness.environment import ROOT

BRANCH = "main"
PICTURES = (".jpg", ".png", ".svg")
ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
# A link or picture: what stands before the target, and the target, where it is no anchor of the same page.
LINK = re.compile(r"(?<!`)(\[[^\]]*\]\()([^)\s#][^)\s]*)(?=\))")


def address_of(repository: str, target: str) -> str:
    """Give the whole address of a file of the repository, 'owner/name': of a picture itself, of a page to read."""
    if target.partition("#")[0].endswith(PICTURES):
        return f"https://raw.githubusercontent.com/{repository}/{BRANCH}/{target}"
    return f"https://github.com/{repository}/blob/{BRANCH}/{target}"


def with_whole_links(text: str, repository: str) -> str:
    """Turn the relative links of a page at the root into whole ones, and those to another copy into this one's."""
    there = r"https://(?:github\.com/[\w.-]+/[\w.-]+/blob|raw\.githubusercontent\.com/[\w.-]+/[\w.-]+)/" + BRANCH + "/"

    def whole(found: re.Match[str]) -> str:
        target = re.sub(there, "", found[2])
        return found[1] + (target if re.match(r"\w+:", target) else address_of(repository, target))

    return LINK.sub(whole, text)


def with_keys(text: str, section: str, values: dict[str, str]) -> str:
    """Set keys of a section of a TOML file to texts, at its beginning where they are new; comments stay."""
    head = f"[{section}]\n"
    before, after = text.split(head)
    body, *rest = re.split(r"(?=^\[)", after, maxsplit=1, flags=re.M)
    for key, value in reversed(values.items()):
        name = f'"{key}"' if " " in key else key
        line = re.compile(rf'^{re.escape(name)} = "[^"]*"', flags=re.M)
        setting = f'{name} = "{value}"'
        body = line.sub(setting, body) if line.search(body) else f"{setting}\n{body}"
    return before + head + body + "".join(rest)


def main(argv: list[str] | None = None, root: Path = ROOT) -> None:
    parser = argparse.ArgumentParser(prog="python demo registry", description=__doc__)
    parser.add_argument("url", help="the repository, as https://github.com/OWNER/NAME")
    parser.add_argument("--publisher", required=True, help="the PublisherId that the registry has given you")
    options = parser.parse_args(argv)
    found = ADDRESS.fullmatch(options.url)
    if not found:
        parser.error(f"{options.url} is no repository on GitHub. Give its address as https://github.com/OWNER/NAME.")
    repository = found[1]
    url = f"https://github.com/{repository}"
    project, readme = root / "pyproject.toml", root / "README.md"
    text = project.read_text(encoding="utf-8")
    links = {"Repository": url, "Documentation": f"{url}/tree/{BRANCH}/docs", "Bug Tracker": f"{url}/issues"}
    text = with_keys(text, "project.urls", links)
    icons = {name: address_of(repository, f"docs/registry/{name.lower()}.svg") for name in ("Icon", "Banner")}
    text = with_keys(text, "tool.comfy", {"PublisherId": options.publisher} | icons)
    project.write_text(text, encoding="utf-8")
    readme.write_text(with_whole_links(readme.read_text(encoding="utf-8"), repository), encoding="utf-8")
    print(f"Written: {project} and {readme}. Commit both, then run: comfy node validate, comfy node publish")
