"""The tables that campaigns put into documents, each between two marks."""

from pathlib import Path


def put_table(made: str, page: Path, mark: str) -> None:
    """Put a table in place of the one that a page has between this mark and its end."""
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n\n{made}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
