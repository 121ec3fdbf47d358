"""Splits of CAVE: a number on CAVE means little without the name of its split."""

from datamodules.splits import load_split

_HSIR_TRAINING = [
    "fake_and_real_sushi",
    "watercolors",
    "chart_and_stuffed_toy",
    "superballs",
    "real_and_fake_peppers",
    "fake_and_real_tomatoes",
    "balloons",
    "fake_and_real_beers",
    "real_and_fake_apples",
    "cloth",
    "feathers",
    "hairs",
    "paints",
    "sponges",
    "clay",
    "fake_and_real_food",
    "fake_and_real_strawberries",
    "egyptian_statue",
    "fake_and_real_lemon_slices",
    "cd",
]
_HSIR_TEST = [
    "thread_spools",
    "jelly_beans",
    "beads",
    "fake_and_real_peppers",
    "face",
    "pompoms",
    "flowers",
    "photo_and_face",
    "fake_and_real_lemons",
    "stuffed_toys",
    "glass_tiles",
    "oil_painting",
]
_ALPHABETICAL = sorted(_HSIR_TRAINING + _HSIR_TEST)
_MHF_ORDER = (
    *(2, 31, 25, 6, 27, 15, 19, 14, 12, 28, 26, 29, 8, 13, 22, 7, 24, 30, 10, 23),
    *(18, 17, 21, 3, 9, 4, 20, 5, 16, 32, 11, 1),
)
_MHF = [_ALPHABETICAL[position - 1] for position in _MHF_ORDER]

CAVE_SPLITS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "hsir": (tuple(_HSIR_TRAINING), tuple(_HSIR_TEST)),
    "first20": (tuple(_ALPHABETICAL[:20]), tuple(_ALPHABETICAL[20:])),
    "mhf": (tuple(_MHF[:20]), tuple(_MHF[20:])),
    "co2if": load_split("CAVE", "co2if"),
}
"""`hsir`: the lists of bit-isp/HSIR. `first20`: the first 20 in alphabetical order. `mhf`: MHF-Net's permutation of the
alphabetical order (its code lists the folder, which is alphabetical only on some file systems). `co2if`: 22 and
10 as in that paper, which lists none: drawn here with a seed, `datamodules/splits/cave_co2if.json`."""
