"""The process that decodes OpenEXR files: with a damaged file the library can end its process.

Run as a script; it imports nothing of the house. It reads one request a line from its standard input, a JSON list of
the file, the channels (none for the header) and the first and last row, and answers with a line of JSON, followed by as
many bytes of values as the line says.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, BinaryIO


def main(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Args:
        requests: one JSON list a line.
        answers: where the answers go.
    """
    library = importlib.import_module("OpenEXR")
    for line in requests:
        try:
            head, planes = _answer(library, *json.loads(line))
        # The binding answers a damaged file with errors of several kinds.
        except Exception as error:
            head, planes = {"error": f"{type(error).__name__}: {error}"}, []
        answers.write(json.dumps(head | {"bytes": [len(plane) for plane in planes]}).encode() + b"\n")
        for plane in planes:
            answers.write(plane)
        answers.flush()


def _answer(library: Any, path: str, channels: list[str], first: int, last: int) -> tuple[dict[str, Any], list[bytes]]:  # noqa: ANN401
    file = library.InputFile(path)
    try:
        if channels:
            return {}, list(file.channels(channels, scanLine1=first, scanLine2=last))
        header = file.header()
        low, high = header["dataWindow"].min, header["dataWindow"].max
        kinds = {name: str(channel.type) for name, channel in header["channels"].items()}
        sampled = any((channel.xSampling, channel.ySampling) != (1, 1) for channel in header["channels"].values())
        window = [low.x, low.y, high.x, high.y]
        return {"channels": kinds, "window": window, "sampled": sampled}, []
    finally:
        file.close()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
