"""Triton kernels of the selective scan; needs the package triton, so only `triton_blocks` imports this, when it runs.

A program works on one chunk (positions one after the other), one member of batch x groups, and some channels with all
their states: a tile `states x channels`, channels fastest in memory. Only loops, loads and stores: associative scans
in reverse give wrong results in some versions of Triton. Everything is float32. Step sizes of masked channels load as
zero, which makes their decay one and leaves their state at zero.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["adjoint_ends", "gradients", "join", "outputs", "state_ends"]


@triton.jit  # type: ignore[untyped-decorator]
def state_ends(
    inputs: tl.tensor, steps: tl.tensor, entry: tl.tensor, steps2: tl.tensor, entry2: tl.tensor, rates: tl.tensor,
    ends: tl.tensor, products: tl.tensor, members: tl.tensor, states: tl.tensor, width: tl.tensor, chunk: tl.tensor,
    second: tl.constexpr, padded: tl.constexpr, tile: tl.constexpr,
) -> None:  # fmt: skip
    """Return the state at the end of each chunk if it started from zero, and the product of its decays."""
    k, m = tl.program_id(0), tl.program_id(1)
    w = tl.program_id(2) * tile + tl.arange(0, tile)
    n = tl.arange(0, padded)
    in_width, in_states = w < width, n < states
    in_tile = in_states[:, None] & in_width[None, :]
    lane = m * states * width + n[:, None] * width + w[None, :]
    rate = tl.load(rates + lane, mask=in_tile, other=0.0)
    state = tl.zeros([padded, tile], dtype=tl.float32)
    total = tl.zeros([tile], dtype=tl.float32)
    for t in range(chunk):
        place = (k * chunk + t) * members + m
        step = tl.load(steps + place * width + w, mask=in_width, other=0.0)
        value = tl.load(inputs + place * width + w, mask=in_width, other=0.0)
        enter = tl.load(entry + place * states + n, mask=in_states, other=0.0)
        state = tl.exp2(rate * step[None, :]) * state + enter[:, None] * (step * value)[None, :]
        if second:
            step2 = tl.load(steps2 + place * width + w, mask=in_width, other=0.0)
            enter2 = tl.load(entry2 + place * states + n, mask=in_states, other=0.0)
            state += enter2[:, None] * (step2 * value)[None, :]
        total += step
    chunk_lane = k * members * states * width + lane
    tl.store(ends + chunk_lane, state, mask=in_tile)
    tl.store(products + chunk_lane, tl.exp2(rate * total[None, :]), mask=in_tile)


@triton.jit  # type: ignore[untyped-decorator]
def adjoint_ends(
    sent: tl.tensor, steps: tl.tensor, readout: tl.tensor, rates: tl.tensor, ends: tl.tensor, products: tl.tensor,
    members: tl.tensor, states: tl.tensor, width: tl.tensor, chunk: tl.tensor, padded: tl.constexpr,
    tile: tl.constexpr,
) -> None:  # fmt: skip
    """Return what each chunk sends to the position before it if nothing came from behind, and its decays' product."""
    k, m = tl.program_id(0), tl.program_id(1)
    w = tl.program_id(2) * tile + tl.arange(0, tile)
    n = tl.arange(0, padded)
    in_width, in_states = w < width, n < states
    in_tile = in_states[:, None] & in_width[None, :]
    lane = m * states * width + n[:, None] * width + w[None, :]
    rate = tl.load(rates + lane, mask=in_tile, other=0.0)
    carry = tl.zeros([padded, tile], dtype=tl.float32)
    total = tl.zeros([tile], dtype=tl.float32)
    for back in range(chunk):
        place = (k * chunk + chunk - 1 - back) * members + m
        step = tl.load(steps + place * width + w, mask=in_width, other=0.0)
        given = tl.load(sent + place * width + w, mask=in_width, other=0.0)
        read = tl.load(readout + place * states + n, mask=in_states, other=0.0)
        carry = tl.exp2(rate * step[None, :]) * (carry + read[:, None] * given[None, :])
        total += step
    chunk_lane = k * members * states * width + lane
    tl.store(ends + chunk_lane, carry, mask=in_tile)
    tl.store(products + chunk_lane, tl.exp2(rate * total[None, :]), mask=in_tile)


@triton.jit  # type: ignore[untyped-decorator]
def join(
    ends: tl.tensor, products: tl.tensor, carry: tl.tensor, entering: tl.tensor, lanes: tl.tensor, chunks: tl.tensor,
    backwards: tl.constexpr, tile: tl.constexpr,
) -> None:  # fmt: skip
    """Go from chunk to chunk: what enters each is `product * entered + end`; `carry` becomes what leaves the last."""
    lane = tl.program_id(0) * tile + tl.arange(0, tile)
    inside = lane < lanes
    value = tl.load(carry + lane, mask=inside, other=0.0)
    for turn in range(chunks):
        k = turn
        if backwards:
            k = chunks - 1 - turn
        tl.store(entering + k * lanes + lane, value, mask=inside)
        end = tl.load(ends + k * lanes + lane, mask=inside, other=0.0)
        product = tl.load(products + k * lanes + lane, mask=inside, other=0.0)
        value = product * value + end
    tl.store(carry + lane, value, mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def outputs(
    inputs: tl.tensor, steps: tl.tensor, entry: tl.tensor, steps2: tl.tensor, entry2: tl.tensor, readout: tl.tensor,
    rates: tl.tensor, entering: tl.tensor, result: tl.tensor, history: tl.tensor, members: tl.tensor,
    states: tl.tensor, width: tl.tensor, chunk: tl.tensor, second: tl.constexpr, keep: tl.constexpr,
    padded: tl.constexpr, tile: tl.constexpr,
) -> None:  # fmt: skip
    """Return the outputs of each chunk, or with `keep` its states, the entering one first.

    The states go to `history`, `chunks x chunk + 1 x lanes`.
    """
    k, m = tl.program_id(0), tl.program_id(1)
    w = tl.program_id(2) * tile + tl.arange(0, tile)
    n = tl.arange(0, padded)
    in_width, in_states = w < width, n < states
    in_tile = in_states[:, None] & in_width[None, :]
    lane = m * states * width + n[:, None] * width + w[None, :]
    lanes = members * states * width
    rate = tl.load(rates + lane, mask=in_tile, other=0.0)
    state = tl.load(entering + k * lanes + lane, mask=in_tile, other=0.0)
    if keep:
        tl.store(history + k * (chunk + 1) * lanes + lane, state, mask=in_tile)
    for t in range(chunk):
        place = (k * chunk + t) * members + m
        step = tl.load(steps + place * width + w, mask=in_width, other=0.0)
        value = tl.load(inputs + place * width + w, mask=in_width, other=0.0)
        enter = tl.load(entry + place * states + n, mask=in_states, other=0.0)
        state = tl.exp2(rate * step[None, :]) * state + enter[:, None] * (step * value)[None, :]
        if second:
            step2 = tl.load(steps2 + place * width + w, mask=in_width, other=0.0)
            enter2 = tl.load(entry2 + place * states + n, mask=in_states, other=0.0)
            state += enter2[:, None] * (step2 * value)[None, :]
        if keep:
            tl.store(history + (k * (chunk + 1) + t + 1) * lanes + lane, state, mask=in_tile)
        else:
            read = tl.load(readout + place * states + n, mask=in_states, other=0.0)
            tl.store(result + place * width + w, tl.sum(read[:, None] * state, axis=0), mask=in_width)


@triton.jit  # type: ignore[untyped-decorator]
def gradients(
    inputs: tl.tensor, steps: tl.tensor, entry: tl.tensor, steps2: tl.tensor, entry2: tl.tensor, readout: tl.tensor,
    rates: tl.tensor, history: tl.tensor, sent: tl.tensor, entering: tl.tensor, of_inputs: tl.tensor,
    of_steps: tl.tensor, of_entry: tl.tensor, of_steps2: tl.tensor, of_entry2: tl.tensor, of_readout: tl.tensor,
    of_rates: tl.tensor, members: tl.tensor, states: tl.tensor, width: tl.tensor, chunk: tl.tensor,
    places: tl.tensor, second: tl.constexpr, padded: tl.constexpr, tile: tl.constexpr,
) -> None:  # fmt: skip
    """Return the gradients within each chunk, from its last position to its first.

    `rates` is A times log2(e). `entering` is what comes from behind a chunk. Sums over channels (gradients of B and C)
    and over time (of A) are left in parts, one a program: their last sum is made outside, in a fixed order.
    """
    k, m, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    w = part * tile + tl.arange(0, tile)
    n = tl.arange(0, padded)
    in_width, in_states = w < width, n < states
    in_tile = in_states[:, None] & in_width[None, :]
    lane = m * states * width + n[:, None] * width + w[None, :]
    lanes = members * states * width
    rate = tl.load(rates + lane, mask=in_tile, other=0.0)
    carry = tl.load(entering + k * lanes + lane, mask=in_tile, other=0.0)
    met_rates = tl.zeros([padded, tile], dtype=tl.float32)
    state = tl.load(history + (k * (chunk + 1) + chunk) * lanes + lane, mask=in_tile, other=0.0)
    for back in range(chunk):
        t = chunk - 1 - back
        place = (k * chunk + t) * members + m
        row, column = place * width + w, place * states + n
        column_part = part * places * states + column
        step = tl.load(steps + row, mask=in_width, other=0.0)
        value = tl.load(inputs + row, mask=in_width, other=0.0)
        given = tl.load(sent + row, mask=in_width, other=0.0)
        enter = tl.load(entry + column, mask=in_states, other=0.0)
        read = tl.load(readout + column, mask=in_states, other=0.0)
        before = tl.load(history + (k * (chunk + 1) + t) * lanes + lane, mask=in_tile, other=0.0)
        adjoint = carry + read[:, None] * given[None, :]
        carry = tl.exp2(rate * step[None, :]) * adjoint
        met = carry * before
        met_rates += met * step[None, :]
        of_drive = tl.sum(enter[:, None] * adjoint, axis=0)
        of_value = of_drive * step
        # the rates carry log2(e); its inverse, ln 2, takes it out again
        tl.store(of_steps + row, of_drive * value + tl.sum(met * rate, axis=0) * 0.6931471805599453, mask=in_width)
        tl.store(of_entry + column_part, tl.sum(adjoint * (step * value)[None, :], axis=1), mask=in_states)
        tl.store(of_readout + column_part, tl.sum(state * given[None, :], axis=1), mask=in_states)
        if second:
            step2 = tl.load(steps2 + row, mask=in_width, other=0.0)
            enter2 = tl.load(entry2 + column, mask=in_states, other=0.0)
            of_drive2 = tl.sum(enter2[:, None] * adjoint, axis=0)
            of_value += of_drive2 * step2
            tl.store(of_steps2 + row, of_drive2 * value, mask=in_width)
            tl.store(of_entry2 + column_part, tl.sum(adjoint * (step2 * value)[None, :], axis=1), mask=in_states)
        tl.store(of_inputs + row, of_value, mask=in_width)
        state = before
    tl.store(of_rates + k * lanes + lane, met_rates, mask=in_tile)
