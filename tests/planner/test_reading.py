"""The gate that files are read through: what is too large, too deep or of another kind is one short error, at once."""

import errno
import json
import os
import tracemalloc

import numpy as np
import pytest
from cotj.planner import DiffusionDNA, dna_file
from cotj.planner.reading import MAX_DEPTH, MAX_HEADER, MAX_MESSAGE, opened, parse_json, read_header, shortened

TIMES = np.linspace(0.1, 1, 12)


def raw(arrays, **metadata):
    """The content of a file that no library would write: arrays by name as (dtype, shape, bytes)."""
    header, body = {"__metadata__": {"format": dna_file.FORMAT, "kind": "flow", "shift": "null"} | metadata}, b""
    for name, (dtype, shape, data) in arrays.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def floats(values):
    return "F64", [len(values)], np.asarray(values, np.float64).tobytes()


GOOD = {"sigmas": floats(TIMES), "errors": floats(TIMES)}
MANY = np.arange(1, 2001) / 2000
FIVE_THOUSAND = {"profile.sigmas": floats(np.arange(1, 5001) / 5000), "profile.shares": ("F64", [0], b"")}
CASES = {
    "levels": (raw({"sigmas": floats(MANY), "errors": floats(MANY)}), "2000 values, and at most 1000"),
    "profile": (raw(GOOD | FIVE_THOUSAND | {"profile.gram": ("F64", [0, 50015001], b"")}), "5000 values, and at most"),
    "a profile that does not fit": (
        raw(GOOD | {f"profile.{name}": floats([1.0]) for name in ("sigmas", "shares", "gram")}),
        "profile gram is of shape",
    ),
    "nested power": (raw(GOOD, power='{"a":' * 2000 + "1" + "}" * 2000), "nested"),
    "nested meta": (raw(GOOD, meta="[" * 4000 + "]" * 4000), "nested"),
    "nested, within Python's limit": (raw(GOOD, meta='{"a":' * 100 + "1" + "}" * 100), "nested"),
    "nested header": (b"\x10\x27\0\0\0\0\0\0" + b"[" * 10_000, "nested"),
    "digits": (raw(GOOD, shift=f'{{"kind":"static","value":1{"0" * 400}}}'), "a number of 401 digits"),
    "dtype": (raw(GOOD | {"profile.sigmas": ("F8_E4M3", [1], b"1")}), "F8_E4M3"),
    "whole numbers": (raw(GOOD | {"errors": ("I64", [12], bytes(96))}), "I64"),
    "long kind": (raw(GOOD, kind="9" * 5000), "DNA kind is one of"),
    "lines": (raw(GOOD, kind="\n\x1b[31m\0" * 50), "DNA kind is one of"),
    "metadata that is no text": (raw(GOOD, power=1.0), "something else than texts"),
    "a negative shape": (raw(GOOD | {"errors": ("F64", [-12], bytes(96))}), "shape of errors"),
    "shape in a header alone": (raw({"sigmas": ("F64", [10**6], b""), "errors": floats(TIMES)}), "1000000 values"),
    "a length of its own": (b"\xff" * 100, "header"),
    "header longer than the file": ((MAX_HEADER).to_bytes(8, "little") + b'{"__metadata__":{', ""),
    "a header beyond the limit": ((MAX_HEADER + 1).to_bytes(8, "little") + b"{}", "at most"),
    "no text": (b"\x04\0\0\0\0\0\0\0\xff\xfe\xff\xfe", ""),
    "a list": (b"\x02\0\0\0\0\0\0\0[]", ""),
    "nothing": (b"", ""),
    "extreme errors": (raw(GOOD | {"errors": floats(TIMES * 1e300)}), "at most 1e\\+12"),
    "extreme sigmas": (raw(GOOD | {"sigmas": floats(TIMES * 1e300)}, kind="ve"), "DNA sigmas lie between"),
    "sigmas that are one flow time": (
        raw(GOOD | {"sigmas": floats(9e5 * (1 + np.arange(12) * 1e-15))}, kind="ve"),
        "told apart|ascending",
    ),
    "meta of another type": (raw(GOOD, meta="[[1, 2]]"), "its meta is"),
    "meta with sources that are none": (raw(GOOD, meta='{"sources": [{"sources": [5]}]}'), "source that is no dict"),
    "meta with another count": (raw(GOOD, meta='{"learned_runs": "many"}'), "no int as learned_runs"),
    "power of another type": (raw(GOOD, power='"a"'), "its power is"),
    "shift of another type": (raw(GOOD, shift='{"kind": "static", "value": "a"}'), ""),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_one_short_error_that_names_it_and_costs_no_memory(tmp_path, case):
    content, fault = CASES[case]
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"^a.safetensors is no readable DNA file: .*({fault})") as caught:
            dna_file.read(path)
        assert tracemalloc.get_traced_memory()[1] < 40 * MAX_HEADER / 4
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert len(message) <= MAX_MESSAGE and message.isprintable()
    assert caught.value.__cause__ is None and "elete" not in message


def test_the_raw_file_of_these_tests_is_good(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(raw(GOOD))
    assert len(dna_file.read(tmp_path / "a.safetensors").sigmas) == 12


NO_FILES = {
    "gone": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a link that leads nowhere": lambda path: path.symlink_to("/nowhere/x.safetensors"),
    "a link to itself": lambda path: path.symlink_to(path),
}


@pytest.mark.skipif(os.name != "posix", reason="other systems have no pipes in folders")
@pytest.mark.parametrize("what", NO_FILES)
def test_what_could_not_be_opened_may_be_whole(tmp_path, what):
    path = tmp_path / "a.safetensors"
    NO_FILES[what](path)
    with pytest.raises(ValueError, match="^a.safetensors cannot be opened: .*Nothing is known to be wrong") as caught:
        dna_file.read(path)
    assert len(str(caught.value)) <= MAX_MESSAGE
    with pytest.raises(OSError), opened(path):
        pass


def test_a_file_without_permission_may_be_whole(tmp_path, monkeypatch):
    (tmp_path / "a.safetensors").write_bytes(raw(GOOD))

    def refuse(*_):  # a root user is refused nothing
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ValueError, match="^a.safetensors cannot be opened: Permission denied. Nothing is known"):
        dna_file.read(tmp_path / "a.safetensors")


def test_a_dna_that_could_not_be_read_again_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="2000 values, and at most 1000"):
        dna_file.write(tmp_path, "a", DiffusionDNA(MANY, MANY))
    assert not list(tmp_path.iterdir())


def test_a_header_is_read_without_what_follows_it(tmp_path):
    path = tmp_path / "large.safetensors"
    path.write_bytes(raw({"weight": ("F16", [1 << 34], b"")}, format="another"))
    header = read_header(path)
    assert header.metadata["format"] == "another" and header.tensors["weight"].values == 1 << 34


@pytest.mark.parametrize("text", ["[" * MAX_DEPTH + "]" * MAX_DEPTH, '["' + "[" * 99 + '\\"[[[", 1]', '"[[[['])
def test_brackets_count_only_outside_of_texts(text):
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError, match="Unterminated"):
            parse_json(text)
    else:
        assert parse_json(text) == expected


def test_a_text_is_cut_to_one_line_of_printable_characters():
    assert shortened("a\n b\x07c", 10) == "a b c"
    assert shortened("a" * 50, 10) == "a" * 9 + "…"
