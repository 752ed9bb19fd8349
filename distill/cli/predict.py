"""The command that uses a student."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from distill.cli.options import Commands, command


def declare(commands: Commands) -> None:
    """Declare the command."""
    _predict_options(command(commands, predict, "probabilities for texts, from a student's folder"))


def predict(options: argparse.Namespace) -> int:
    """Print probabilities for texts, as a table or as JSON lines."""
    import json

    from distill.custom_code import traced
    from distill.inference import load_student

    model = load_student(
        options.folder,
        backend=options.backend,
        trust_custom_code=options.trust_custom_code,
        code_folder=options.code_folder or Path.cwd(),
    )
    texts = _given_texts(options.text) if options.text else _read_texts(options.file)
    with traced(str(options.folder), model.config):
        predictions = model.predict(texts)
    for found in predictions:
        if options.json:
            line = {"text": found.text, "probabilities": found.probabilities, "labels": list(found.labels)}
            print(json.dumps(line, ensure_ascii=False))
        else:
            shown = "  ".join(f"{name} {p:.4f}" for name, p in found.probabilities.items())
            print(f"{shown}  -> {', '.join(found.labels) or '(none)'}  | {found.text}")
    return 0


def _given_texts(texts: list[str]) -> list[str]:
    from distill.errors import DataError

    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:  # Python smuggles bytes that are no UTF-8 in as half characters
            raise DataError(f"--text: not UTF-8 (character {error.start + 1})") from None
    return texts


def _read_texts(file: Path) -> list[str]:
    from distill.errors import DataError

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        texts = [line for line in content.decode().splitlines() if line.strip()]
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}:{line}: byte 0x{content[error.start]:02x} is not valid UTF-8") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    if not texts:
        raise DataError(f"{file}: there is no text in it; expected one on each line")
    return texts


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="a student's folder")
    texts = parser.add_mutually_exclusive_group(required=True)
    texts.add_argument("--text", action="append", help="a text; may be given several times")
    texts.add_argument("--file", type=Path, help="a file with a text a line, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each text")
    parser.add_argument("--backend", choices=("onnx", "torch"), help="ONNX Runtime or eager PyTorch")
    parser.add_argument(
        "--trust-custom-code", action="store_true", help="import the class that the folder names"
    )
    parser.add_argument("--code-folder", type=Path, help="where that class is, if not installed and not here")
