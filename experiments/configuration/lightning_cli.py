"""The Lightning command line with this house's classes, defaults and errors."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelSummary
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI

from callbacks.reporting.network_summary import NetworkSummary
from experiments.configuration.classes import HOUSE
from experiments.configuration.errors import UNION, ConfigError, explain, innermost_reason
from experiments.configuration.merged import one_config
from experiments.configuration.names import CALLBACKS
from experiments.configuration.saved import SaveRunConfig
from experiments.configuration.trainer import AdaptingTrainer, end_with_last_epoch
from experiments.configuration.weights import LastCheckpoint, check_weights, check_word
from experiments.process.interruptions import Interruptions
from experiments.process.messages import show_messages
from hyperalign.errors import HyperalignError, InputError, UsageError, WrongTypeError
from hyperalign.folders import claim_run_folder
from lightning_modules.networks.arguments import remember

log = logging.getLogger(__name__)
_NOISE = (
    "isinstance.treespec, LeafSpec",
    "Total length of .(list|TileStream). across ranks is zero",
    "The dirpath has changed",
)
"""Beginnings of Lightning's warnings that tell a user of this house nothing: of its own code, of a target without
validation scenes or a prediction that is finished, and of testing a checkpoint of another run."""

ROOT = "runs"
"""Where runs go by default."""

_STATES = "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint need to be provided"
"""Beginning of Lightning's warning that states of callbacks are lost: true of a fit that goes on, of nothing else."""

_TRAINING = ("adapt", "fit")
"""The commands that may go on with an interrupted training."""

_WRITING = ("adapt", "predict")
"""The commands that write restored cubes."""


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return not any(
        text in record.getMessage() for text in ("Tip: For seamless", "already configured with model summary")
    )


class ParserRefusalError(Exception):
    """What the parser said about a command line it cannot use, before it is put into one sentence."""


class SentenceParser(LightningArgumentParser):
    """A parser that hands its complaint on instead of printing the usage and a nested trace."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise ParserRefusalError where the process would have ended; inner parsers are left as they are."""
        if not self.exit_on_error:
            super().error(message, ex)
        raise ParserRefusalError(message) from ex


def _add_writer(parser: LightningArgumentParser) -> None:
    """Give a command the keys `--output`, `--resume`, and `writer` with what else `PredictionWriter` takes."""
    from callbacks import PredictionWriter

    parser.add_lightning_class_args(PredictionWriter, "writer")
    parser.add_argument("--output", type=str | None, default=None, help="folder for restored cubes")
    parser.add_argument("--resume", action="store_true", help="skip cubes that are finished")
    parser.link_arguments("output", "writer.folder")
    parser.link_arguments("resume", "writer.resume")


def _remembering(
    class_type: type[torch.nn.Module],
    *args: Any,  # noqa: ANN401 - those of the class
    applied_instantiation_links: dict[str, Any] | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> torch.nn.Module:
    """Build a network of a config and notes its arguments, so that its checkpoints describe a user's class as well."""
    network = class_type(*args, **kwargs)
    remember(network, args, kwargs)
    return network


class HyperalignCLI(LightningCLI):
    """`hyperalign fit | validate | test | predict | adapt` over any LightningModule and DataModule of this house.

    Runs are seeded with 0 unless told otherwise, and everything they write goes below `runs/`. Optimisers are arguments
    of the modules, so none is added here.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        # lightning advertises packages that nothing here uses, and explains at length why scores go to a CSV file
        logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_no_advertisement)
        warnings.filterwarnings("ignore", message="Starting from v1.9.0, `tensorboardX` has been removed")
        for message in _NOISE if arguments[:1] and arguments[0] in _TRAINING else (*_NOISE, _STATES):
            warnings.filterwarnings("ignore", message=f".{{0,2}}{message}")
        show_messages()
        for package in HOUSE:
            # imported for their names: a class that is imported can be called by its short name
            importlib.import_module(package)
        super().__init__(
            LightningModule,
            LightningDataModule,
            save_config_callback=SaveRunConfig,
            trainer_class=AdaptingTrainer,
            parser_class=SentenceParser,
            parser_kwargs={"prog": "hyperalign", "allow_abbrev": False},
            subclass_mode_model=True,
            subclass_mode_data=True,
            trainer_defaults={"default_root_dir": ROOT},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            args=list(arguments),
        )

    @classmethod
    def from_arguments(cls, arguments: Sequence[str]) -> HyperalignCLI:
        """Parse and run one command.

        Args:
            arguments: what stands after `hyperalign` on the command line, `--config` values being existing files.

        Returns:
            The finished command.

        Raises:
            ConfigError: with one sentence, where the command line or a config is wrong.
        """
        return cls(arguments)

    def setup_parser(
        self, add_subcommands: bool, main_kwargs: dict[str, Any], subparser_kwargs: dict[str, Any]
    ) -> None:
        """Build the parsers; the commands do not accept abbreviated keys either."""
        for command in self.subcommands():
            subparser_kwargs.setdefault(command, {}).setdefault("allow_abbrev", False)
        super().setup_parser(add_subcommands, main_kwargs, subparser_kwargs)

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Give the adaptation's callbacks keys of their own, so that an overlay or a sweep can reach into them.

        `proxy`, `synthesis`, `averaging`, `noise`, `results`, `gain`, `pictures` and `diagnostics` each hold one
        callback or null; they come after `trainer.callbacks`, in this order. `noise` is for `callbacks.NoiseReport`,
        `gain` for `callbacks.GainWithoutTruth`, `diagnostics` for `callbacks.GuideDiagnostics`, which draws what the
        first two made.
        """
        for key in CALLBACKS:
            parser.add_lightning_class_args(Callback, key, subclass_mode=True, required=False)

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Return the commands that run a Trainer, with the arguments that no user gives."""
        return {**LightningCLI.subcommands(), "adapt": {"model", "datamodule"}}

    def before_instantiate_classes(self) -> None:
        """Put loggers whose overlay left their folder to the default below the run's own root."""
        trainer = self._get(self.config, "trainer")
        given = trainer.get("logger")
        for logger in given if isinstance(given, list) else [given]:
            settings = getattr(logger, "init_args", None)
            if settings is not None and settings.get("save_dir") == ROOT:
                settings["save_dir"] = trainer["default_root_dir"]

    def instantiate_classes(self) -> None:
        """Build the objects of the configuration; what they refuse is a mistake of the configuration.

        Raises:
            HyperalignError: whatever one of our classes says about its arguments.
            ConfigError: what the Trainer or another class says about them.
        """
        try:
            super().instantiate_classes()
        except (InputError, WrongTypeError) as error:
            error.exit_code = 2
            raise
        except HyperalignError:
            raise
        except (MisconfigurationException, ValueError, TypeError) as error:
            if UNION in str(error):  # a class that the parser built itself, to see whether it fits
                raise ConfigError(innermost_reason(str(error))) from error
            raise ConfigError(f"The configuration cannot be used: {' '.join(str(error).split())}") from error

    def _add_instantiators(self) -> None:
        super()._add_instantiators()
        # after the model's own, which the first match would otherwise take away from it
        self.parser.add_instantiator(_remembering, torch.nn.Module, subclasses=True)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        given = [one for one in callbacks if one is not None]
        listed = config.get("callbacks") or []
        own = any(
            isinstance(one, ModelSummary) for one in [*given, *(listed if isinstance(listed, list) else [listed])]
        )
        if not own and config.get("enable_model_summary") is not False and not config.get("barebones"):
            given.append(NetworkSummary())
        return super()._instantiate_trainer(config, given)

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse the command line, answering a mistake in one sentence.

        Raises:
            ConfigError: naming the wrong key, class, command or value.
        """
        arguments = list(args) if isinstance(args, list) else []
        command = next((index for index, word in enumerate(arguments) if word in self._subcommand_parsers), None)
        if command is None:
            raise ConfigError(explain("", arguments, self._subcommand_parsers))
        with one_config(arguments[command + 1 :], ("data", "model", *CALLBACKS)) as words:
            try:
                self.config = parser.parse_args([*arguments[: command + 1], *words])
            except ParserRefusalError as refusal:
                raise ConfigError(explain(str(refusal), arguments, self._subcommand_parsers)) from refusal

    def _run_subcommand(self, subcommand: str) -> None:
        trainer: Any = self.trainer
        trainer.callbacks.append(Interruptions())
        claim_run_folder(self.trainer)
        super()._run_subcommand(subcommand)

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: object) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        # a checkpoint is data, never code
        parser.set_defaults({"weights_only": True})
        if subcommand in _WRITING:
            _add_writer(parser)
        return parser

    def before_adapt(self) -> None:
        """Refuse, before anything is computed, to write cubes that cannot be restored afterwards.

        Raises:
            UsageError: where `--output` is given and the data are no folder of cubes, or a `last` checkpoint is not
                there.
        """
        from datamodules import Folder

        if self._get(self.config, "output") and not isinstance(self.datamodule, Folder):
            raise UsageError(
                f"The option --output writes the cubes of a folder, but the data are {type(self.datamodule).__name__}: "
                "adapt with --data Folder --data.root CUBES, or without --output."
            )
        self._check_last()
        end_with_last_epoch(self.trainer)

    def before_fit(self) -> None:
        """Refuse a `last` checkpoint that is not there; see that the fit leaves its last weights."""
        self._check_last()
        end_with_last_epoch(self.trainer)

    def before_validate(self) -> None:
        """Refuse to score a network without trained weights; see `before_test`."""
        self._check_weights("validate with")

    def before_test(self) -> None:
        """Refuse to score a network without trained weights.

        Raises:
            UsageError: where neither a checkpoint nor source weights are given.
        """
        self._check_weights("test with")

    def before_predict(self) -> None:
        """Refuse to restore with a network without trained weights; say where nothing is to be written.

        Raises:
            UsageError: where neither a checkpoint nor source weights are given.
        """
        self._check_weights("restore with")
        if not self._get(self.config, "output") and not self._get(self.config, "writer.folder"):
            log.warning("Restored cubes are not written anywhere: give --output a folder to keep them.")

    def _check_weights(self, purpose: str) -> None:
        check_weights(self.model, self._get(self.config, "ckpt_path"), purpose)
        self._check_last()

    def _check_last(self) -> None:
        check_word(self._get(self.config, "ckpt_path"), self.trainer.default_root_dir)
        if self._get(self.config, "ckpt_path") == "last":
            trainer: Any = self.trainer
            trainer.callbacks.append(LastCheckpoint())

    def _parse_ckpt_path(self) -> None:
        """Leave the configuration alone: hyper-parameters found in a checkpoint would silently override the YAML."""
