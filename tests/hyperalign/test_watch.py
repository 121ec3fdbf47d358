"""Ranks that fail or are killed end the others with their name, whatever those wait in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from hyperalign import watch as module
from hyperalign.errors import NonFiniteError
from hyperalign.ranks import Ranks
from hyperalign.watch import RankLostError, is_consequence, is_dead, lost_rank, watch
from tests.two_ranks import exit_codes


def worker(rank: int, folder: Path, work: Callable[[Path], str]) -> None:
    torch.set_num_threads(1)
    module.BEAT_SECONDS, module.LOST_SECONDS, module.FAREWELL_SECONDS = 0.1, 2.0, 1.0
    sys.stderr = (folder / f"stderr{rank}").open("w")
    store = f"file://{folder / 'rendezvous'}"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    watch()
    (folder / f"answer{rank}").write_text(work(folder))
    dist.destroy_process_group()


def on_two_ranks(folder: Path, work: Callable[[Path], str]) -> tuple[list[int | None], list[str]]:
    """Run `work` in two gloo processes; return their exit codes, and what each answers or leaves on stderr."""
    codes = exit_codes(folder, work, of=worker, seconds=40)
    said = []
    for rank in range(2):
        answer = folder / f"answer{rank}"
        said.append(answer.read_text() if answer.exists() else (folder / f"stderr{rank}").read_text())
    return codes, said


def exchanging(_: Path) -> str:
    ranks = Ranks()
    first = ranks.gathered({"rank": ranks.rank})
    time.sleep(0.3 * ranks.rank)
    second = [ranks.gathered(number * 10 + ranks.rank) for number in range(3)]
    return f"{[one['rank'] for one in first]} {second}"


def test_items_are_exchanged_in_the_order_of_the_ranks(tmp_path: Path) -> None:
    codes, said = on_two_ranks(tmp_path, exchanging)
    assert codes == [0, 0]
    assert said == ["[0, 1] [[0, 1], [10, 11], [20, 21]]"] * 2


def after_a_kill(wait: Callable[[Ranks], object], within: float) -> str:
    """Have rank 1 killed while rank 0 waits; return whether it was told in time, and what."""
    ranks = Ranks()
    ranks.gathered("all are there")
    if ranks.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    begin = time.monotonic()
    try:
        wait(ranks)
    except RankLostError as error:
        return f"{time.monotonic() - begin < within} {error}"
    return "nobody noticed"


def meet(ranks: Ranks) -> None:
    with ranks.meeting():
        pass


def killed_in_a_stage(_: Path) -> str:
    return after_a_kill(meet, within=10)


def test_a_killed_rank_is_named_to_those_who_wait_for_it(tmp_path: Path) -> None:
    codes, said = on_two_ranks(tmp_path, killed_in_a_stage)
    assert codes == [0, -signal.SIGKILL]
    assert said[0].startswith("True Rank 1 of 2 is gone without a word, killed or with its machine: look at its output")


def noticed_at_once(_: Path) -> str:
    module.LOST_SECONDS = 600.0
    return after_a_kill(lambda ranks: ranks.gathered("and you?"), within=20)


def test_a_rank_killed_on_the_same_machine_is_named_before_its_signs_are_overdue(tmp_path: Path) -> None:
    codes, said = on_two_ranks(tmp_path, noticed_at_once)
    assert codes == [0, -signal.SIGKILL]
    assert said[0].startswith("True Rank 1 of 2 is gone without a word")


def test_who_has_ended_is_known_on_the_same_machine_alone() -> None:
    own = module._home()
    if not own:
        pytest.skip("this system has no table of processes to look into")
    boot, table, _, _ = own.split()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        home = f"{boot} {table} {child.pid} {module._started(child.pid)[1]}"
        assert not is_dead(home, own)
        child.kill()
        while module._started(child.pid)[0] != "Z":
            time.sleep(0.01)
        assert is_dead(home, own)  # ended, and not asked after yet
    assert is_dead(home, own)
    assert is_dead(f"{boot} {table} {os.getpid()} 1", own)  # another process has its number now
    for elsewhere in (f"other {table} {child.pid} 1", f"{boot} pid:[1] {child.pid} 1", "", "what"):
        assert not is_dead(elsewhere, own)


def failing_in_training(_: Path) -> str:
    if dist.get_rank() == 1:
        watch().fail(NonFiniteError("Training loss is nan at step 3."))
        os._exit(1)
    try:
        dist.all_reduce(torch.zeros(1))
    except RuntimeError as error:
        return f"{is_consequence(error)} {lost_rank(error)}"
    return "no error"


def test_an_error_of_one_rank_is_the_sentence_of_all(tmp_path: Path) -> None:
    codes, said = on_two_ranks(tmp_path, failing_in_training)
    assert codes[1] == 1
    # Whether gloo notices the end of the other process first, or the watch does.
    assert "Rank 1 of 2 ended with NonFiniteError: Training loss is nan at step 3." in said[0]


def waiting_for_ever(_: Path) -> str:
    if dist.get_rank() == 1:
        watch().fail(NonFiniteError("Training loss is nan at step 3."))
        return "failed"
    time.sleep(60)
    return "woken"


def test_a_rank_that_waits_where_no_error_reaches_is_ended(tmp_path: Path) -> None:
    begin = time.monotonic()
    codes, said = on_two_ranks(tmp_path, waiting_for_ever)
    assert codes[0] == 1
    assert time.monotonic() - begin < 20
    assert said[0].splitlines()[-1] == "error: Rank 1 of 2 ended with NonFiniteError: Training loss is nan at step 3."


def ending_early(_: Path) -> str:
    ranks = Ranks()
    if ranks.rank == 1:
        watch().end()
        return "done"
    try:
        ranks.gathered("and you?")
    except RankLostError as error:
        return str(error)
    return "answered"


def test_a_rank_that_ended_its_work_is_not_waited_for(tmp_path: Path) -> None:
    codes, said = on_two_ranks(tmp_path, ending_early)
    assert codes == [0, 0]
    assert said == ["Rank 1 of 2 ended before the others: look at its output.", "done"]


def working_on(_: Path) -> str:
    if dist.get_rank() == 0:
        return "ended first"
    time.sleep(4)
    return "still at work"


def test_a_rank_that_ends_in_order_ends_no_other(tmp_path: Path) -> None:
    assert on_two_ranks(tmp_path, working_on) == ([0, 0], ["ended first", "still at work"])


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:18303"), True),
        (RankLostError("Rank 1 of 2 ended"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (NonFiniteError("Training loss is nan, says gloo"), False),
        (ValueError("gloo"), False),
    ],
)
def test_errors_that_follow_from_the_loss_of_a_rank(error: Exception, expected: bool) -> None:
    assert is_consequence(error) is expected
    assert lost_rank(error) == ""
