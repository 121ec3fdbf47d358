"""Does the caption help CO2IF? The same trained network reads other words at test time, in one table.

`hyperalign text-table --root DATA --config co2if/compact --config co2if/eight_scenes --seeds 0 1 2` trains
`co2if/cave` with the scenes' own captions and tests it with these, with another scene's, with nonsense words and with
Gaussian noise in place of tokens; beside it stands the network that is trained without text. `--config co2if/sentence`
gives it a text encoder that knows English. A row whose results exist is not run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.commands.ablations import FULL, METRICS, SETTINGS, rows_of, spreads
from experiments.commands.tables import (
    Scores,
    Table,
    arguments_of,
    averages,
    finish,
    newest_checkpoint,
    scored,
    table_parser,
)
from experiments.commands.text_table.words import exchanged, nonsense
from experiments.configuration.files import find_config
from experiments.ending import restoring
from hyperalign.errors import MissingFileError

OWN, EXCHANGED, NONSENSE, GAUSSIAN, WITHOUT = (
    "own caption",
    "another scene's",
    "nonsense words",
    "Gaussian tokens",
    "trained without text",
)


def checkpoint_of(folder: Path) -> list[str]:
    """Return the option that gives the checkpoint of a row that was trained in `folder`.

    Raises:
        MissingFileError: where the row left none.
    """
    found = newest_checkpoint(folder)
    if not found:
        raise MissingFileError(
            f"There is no checkpoint in {folder / 'checkpoints'}: remove {folder} to have the row trained again."
        )
    return found


def rows_of_seed(table: Table, seed: int, captions: Mapping[str, str], data_set: str) -> list[Scores]:
    """Return the scores of all rows of one seed, scene by scene."""
    from datamodules.captions import write_captions

    rows = [{**one, "model": OWN} for one in rows_of(table, FULL, seed)]
    tested = ["test", *checkpoint_of(table.folder(seed, FULL))]
    for label, changed in ((EXCHANGED, exchanged(captions)), (NONSENSE, nonsense(captions, seed))):
        path = table.folder(seed, f"{label}.json".replace("'", ""))
        write_captions(path, data_set, changed, sorted(changed))
        words = [*tested, "--data.captions", str(path.resolve())]
        rows += scored(table, table.folder(seed, label.replace("'", "")), label, seed, words)
    words = [*tested, "--model.init_args.text", "gaussian"]
    rows += scored(table, table.folder(seed, GAUSSIAN), GAUSSIAN, seed, words)
    return rows + [{**one, "model": WITHOUT} for one in rows_of(table, "without_text", seed)]


def summary(rows: Sequence[Scores]) -> str:
    """Return the Markdown table: mean and spread over seeds, and the distance to the own caption scene by scene."""
    lines = [
        "| words | PSNR (dB) | SSIM | SAM (deg) | ERGAS | over own caption (dB), scene by scene |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    seeds = list(dict.fromkeys(one["seed"] for one in rows))
    own = {(one["seed"], one["scene"]): float(one["psnr"]) for one in rows if one["model"] == OWN}
    for label in dict.fromkeys(one["model"] for one in rows):
        means = [averages(rows, METRICS, model=label, seed=seed) for seed in seeds]
        gains = [float(one["psnr"]) - own[one["seed"], one["scene"]] for one in rows if one["model"] == label]
        lines.append(f"| {label} | {' | '.join(spreads(means))} | {min(gains):+.2f} to {max(gains):+.2f} |")
    lines.append(f"\nSeeds {', '.join(seeds)}; ± is the standard deviation over seeds.")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a table from the command line and write `table.md` and `scenes.csv` in its output folder."""
    parser = table_parser("text-table", __doc__, Path("results") / "text_table")
    parser.add_argument("--config", action="append", default=[], help="configuration laid over co2if/cave; repeatable")
    parser.add_argument("--captions", default="cave", help="the packaged captions or the file that the scenes have")
    parser.add_argument("--data_set", default="CAVE", help="class name of the data set that the captions are of")
    given, extra = arguments_of(parser, arguments)
    for config in given.config:
        find_config(config)
    from datamodules.captions import load_captions

    captions = load_captions(given.captions, given.data_set)
    table = Table(("co2if/cave", *given.config), given.root, given.output, extra, SETTINGS)
    rows = [one for seed in given.seeds for one in rows_of_seed(table, seed, captions, given.data_set)]
    following = restoring("FusionPair", checkpoint_of(table.folder(given.seeds[0], FULL)))
    return finish(given.output, rows, summary(rows), following)
