"""The same comparison on any model of a running ComfyUI, through the pack's own nodes."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", help="address of a running ComfyUI, such as http://127.0.0.1:8188")


def main(args: argparse.Namespace) -> None:
    raise SystemExit
