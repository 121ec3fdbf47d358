// Selective scan, forward and adjoint, in float32.
//
// Forwards, channels are side by side in vectors and all states of a vector of channels stay in registers. Of the
// adjoint, everything that is not the recurrence runs along time, which is contiguous, so that the compiler makes vector
// instructions of it; the recurrence of the states of one channel is what must be sequential.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "lanes.h"

namespace {

constexpr int64_t kBlock = 512;    // positions worked on at once: all arrays of a block stay in the cache
constexpr int64_t kTogether = 4;  // states whose recurrences run side by side

inline const float* offset(const float* values, int64_t by) { return values ? values + by : nullptr; }
inline float* offset(float* values, int64_t by) { return values ? values + by : nullptr; }

struct Sizes {
  int64_t groups, width, states, length;  // lanes: batch * groups; width: channels of a group
};

// One channel of a block: pointers to its first position, and to the first of the states' lines.
struct Piece {
  const float *steps, *second_steps, *inputs, *entry, *second_entry;
  int64_t time, stride;  // stride: from the line of one state to that of the next
};

// Working memory of `kTogether` states of one channel. Their recurrences are independent, which hides the time that
// one step of a recurrence waits for the step before it.
struct Buffers {
  float kept[kTogether][kBlock], states[kTogether][kBlock + 1], adjoint[kTogether][kBlock];
};

// kept = exp(steps * rate), driven = (steps * entry + second_steps * second_entry) * inputs, then the recurrence in
// place: states[.][1 + t] is the state at t, from state[.], which it leaves at the end; states[.][0] is the one before.
void states_of(const Piece& p, const float* rates, int64_t count, Buffers& w, float* state) {
  for (int64_t n = 0; n < count; ++n) {
    float *kept = w.kept[n], *driven = w.states[n] + 1;
    const float *entry = p.entry + n * p.stride, *steps = p.steps, *inputs = p.inputs;
    const float scaled = rates[n] * kLog2E;
#pragma omp simd
    for (int64_t t = 0; t < p.time; ++t) kept[t] = power_of_two(std::min(steps[t] * scaled, 0.0f));
    if (p.second_steps) {
      const float *second_entry = p.second_entry + n * p.stride, *second_steps = p.second_steps;
#pragma omp simd
      for (int64_t t = 0; t < p.time; ++t)
        driven[t] = (steps[t] * entry[t] + second_steps[t] * second_entry[t]) * inputs[t];
    } else {
#pragma omp simd
      for (int64_t t = 0; t < p.time; ++t) driven[t] = steps[t] * entry[t] * inputs[t];
    }
  }
  float h[kTogether] = {};
  for (int64_t n = 0; n < count; ++n) w.states[n][0] = h[n] = state[n];
  for (int64_t n = count; n < kTogether; ++n) {
    std::fill(w.kept[n], w.kept[n] + p.time, 0.0f);
    std::fill(w.states[n], w.states[n] + p.time + 1, 0.0f);
  }
  for (int64_t t = 0; t < p.time; ++t)
    for (int64_t n = 0; n < kTogether; ++n) w.states[n][t + 1] = h[n] = w.kept[n][t] * h[n] + w.states[n][t + 1];
  std::copy(h, h + count, state);
}

struct Arguments {
  const float *inputs, *steps, *decay, *entry, *readout, *second_steps, *second_entry;

  Piece piece(const Sizes& s, int64_t channel, int64_t state, int64_t begin) const {
    const int64_t at = channel * s.length + begin, line = state * s.length + begin;
    return {steps + at, offset(second_steps, at),           inputs + at, entry + line, offset(second_entry, line),
            std::min(kBlock, s.length - begin), s.length};
  }
};

// What is done around the recurrence of a lane, `width` values each, or null where it is missing: the step sizes are
// softplus(steps + bias), or steps; skip * inputs is added to the outputs.
struct Around {
  const float *bias, *skip;
  bool softplus, reverse;
};

// Forwards, the channels are side by side in the lanes of a vector, so that the recurrence itself is vector arithmetic.
#ifdef __AVX512F__
constexpr int64_t kWide = 16;
#else
constexpr int64_t kWide = 8;
#endif
typedef float Vector __attribute__((vector_size(kWide * sizeof(float))));
typedef int32_t Bits __attribute__((vector_size(kWide * sizeof(float))));

constexpr int64_t kTime = 128;   // positions of a block: what is read of it for one vector stays in the first cache
constexpr int64_t kStrips = 2;   // vectors of channels that share a block's B and C

// 2^x for x <= 0 to 1e-7, smallest result 2^-126. Polynomial: Cephes' exp2f (Moshier 1989). Adding 1.5 * 2^23 rounds x
// to a whole number, and leaves it in the lowest bits.
inline Vector power_of_two(Vector x) {
  x = x < -126.0f ? Vector{} - 126.0f : x;
  const Vector shifted = x + 12582912.0f, f = x - (shifted - 12582912.0f);
  const Vector p = 1.0f + f * (6.931472028550421e-1f + f * (2.402264791363012e-1f + f * (5.550332471162809e-2f
                   + f * (9.618437357674640e-3f + f * (1.339887440266574e-3f + f * 1.535336188319500e-4f)))));
  return reinterpret_cast<Vector>(reinterpret_cast<Bits>(p) + (reinterpret_cast<Bits>(shifted) << 23));
}

// log(1 + exp(x)) = max(x, 0) + 2 artanh(e / (2 + e)) with e = exp(-|x|).
inline Vector softplus(Vector x) {
  const Vector zero{}, e = power_of_two((x > 0.0f ? -x : x) * kLog2E), r = e / (e + 2.0f), q = r * r;
  const Vector series = 1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7 + q * (1.0f / 9 + q * (1.0f / 11
                        + q * (1.0f / 13))))));
  return (x > 0.0f ? x : zero) + 2.0f * r * series;
}

// One vector of channels of a block: position by position, in the order of the scan.
struct Strip {
  Vector steps[kTime], drive[kTime], second[kTime], outputs[kTime];
};

// `channels` lines of a block, time leading; the lanes of missing channels are zero.
void gather(const float* line, int64_t length, int64_t channels, int64_t time, bool reverse, Vector* out) {
  if (channels < kWide) std::fill(out, out + time, Vector{});
  for (int64_t c = 0; c < channels; ++c) {
    const float* from = line + c * length;
    if (reverse)
      for (int64_t t = 0; t < time; ++t) out[t][c] = from[time - 1 - t];
    else
      for (int64_t t = 0; t < time; ++t) out[t][c] = from[t];
  }
}

void scatter(const Vector* values, int64_t length, int64_t channels, int64_t time, bool reverse, float* line) {
  for (int64_t c = 0; c < channels; ++c) {
    float* to = line + c * length;
    if (reverse)
      for (int64_t t = 0; t < time; ++t) to[time - 1 - t] = values[t][c];
    else
      for (int64_t t = 0; t < time; ++t) to[t] = values[t][c];
  }
}

// The same for the lines of the states: `time x states`.
void gather_states(const float* line, int64_t length, int64_t states, int64_t time, bool reverse, float* out) {
  for (int64_t n = 0; n < states; ++n)
    for (int64_t t = 0; t < time; ++t) out[t * states + n] = line[n * length + (reverse ? time - 1 - t : t)];
}

Vector per_channel(const float* values, int64_t first, int64_t channels, int64_t stride = 1) {
  Vector found{};
  for (int64_t c = 0; values && c < channels; ++c) found[c] = values[(first + c) * stride];
  return found;
}

// What the states of a block are made of and read by, `time x states`.
struct Matrices {
  std::vector<float> entry, readout, second_entry;
};

// kCount states through a block, `h = 2^(steps * rate) h + drive * entry`, each added to the outputs.
template <int kCount, bool kSecond>
void advance(Strip& w, const Matrices& m, int64_t first, int64_t states, int64_t time, const Vector* rates, Vector* state) {
  Vector h[kCount];
  std::copy(state, state + kCount, h);
  for (int64_t t = 0; t < time; ++t) {
    const float *b = &m.entry[t * states + first], *c = &m.readout[t * states + first];
    const Vector steps = w.steps[t], drive = w.drive[t];
    Vector sums[2] = {w.outputs[t], Vector{}};
#pragma GCC unroll 16
    for (int n = 0; n < kCount; ++n) {
      Vector driven = drive * b[n];
      if (kSecond) driven += w.second[t] * m.second_entry[t * states + first + n];
      h[n] = power_of_two(steps * rates[n]) * h[n] + driven;
      sums[n % 2] += h[n] * c[n];
    }
    w.outputs[t] = sums[0] + sums[1];
  }
  std::copy(h, h + kCount, state);
}

template <bool kSecond>
void advance_all(Strip& w, const Matrices& m, int64_t states, int64_t time, const Vector* rates, Vector* state) {
  for (int64_t n = 0; n < states;) {
    if (states - n >= 16) {
      advance<16, kSecond>(w, m, n, states, time, rates + n, state + n);
      n += 16;
    } else if (states - n >= 4) {
      advance<4, kSecond>(w, m, n, states, time, rates + n, state + n);
      n += 4;
    } else {
      advance<1, kSecond>(w, m, n, states, time, rates + n, state + n);
      n += 1;
    }
  }
}

// Reads the block of positions from `begin` in memory for the channels from `first`.
void fill_strip(const Sizes& s, const Arguments& a, const Around& o, int64_t first, int64_t begin, int64_t time, Strip& w) {
  const int64_t at = first * s.length + begin, channels = std::min(kWide, s.width - first);
  const Vector bias = per_channel(o.bias, first, channels), skip = per_channel(o.skip, first, channels);
  gather(a.steps + at, s.length, channels, time, o.reverse, w.steps);
  gather(a.inputs + at, s.length, channels, time, o.reverse, w.drive);
  if (a.second_steps) gather(a.second_steps + at, s.length, channels, time, o.reverse, w.second);
  for (int64_t t = 0; t < time; ++t) {
    if (o.bias) w.steps[t] += bias;
    if (o.softplus) w.steps[t] = softplus(w.steps[t]);
    const Vector inputs = w.drive[t];
    w.outputs[t] = skip * inputs;
    w.drive[t] = w.steps[t] * inputs;
    if (a.second_steps) w.second[t] *= inputs;
  }
}

// Strips `from` to `to` of the channels of a lane through the whole sequence.
void forward_strips(const Sizes& s, const Arguments& a, const Around& o, int64_t from, int64_t to, float* outputs) {
  auto strip = std::make_unique<Strip>();
  Strip& w = *strip;
  Matrices m;
  for (auto* matrix : {&m.entry, &m.readout, &m.second_entry}) matrix->resize(kTime * s.states);
  std::vector<Vector> state((to - from) * s.states, Vector{}), rates((to - from) * s.states);
  for (int64_t i = from; i < to; ++i)
    for (int64_t n = 0; n < s.states; ++n)
      rates[(i - from) * s.states + n] =
          kLog2E * per_channel(a.decay + n, i * kWide, std::min(kWide, s.width - i * kWide), s.states);
  for (int64_t done = 0; done < s.length; done += kTime) {
    const int64_t time = std::min(kTime, s.length - done), begin = o.reverse ? s.length - done - time : done;
    gather_states(a.entry + begin, s.length, s.states, time, o.reverse, m.entry.data());
    gather_states(a.readout + begin, s.length, s.states, time, o.reverse, m.readout.data());
    if (a.second_steps)
      gather_states(a.second_entry + begin, s.length, s.states, time, o.reverse, m.second_entry.data());
    for (int64_t i = from; i < to; ++i) {
      const int64_t first = i * kWide, here = (i - from) * s.states;
      fill_strip(s, a, o, first, begin, time, w);
      if (a.second_steps)
        advance_all<true>(w, m, s.states, time, &rates[here], &state[here]);
      else
        advance_all<false>(w, m, s.states, time, &rates[here], &state[here]);
      scatter(w.outputs, s.length, std::min(kWide, s.width - first), time, o.reverse, outputs + first * s.length + begin);
    }
  }
}

struct Gradients {
  float *inputs, *steps, *decay, *entry, *readout, *second_steps, *second_entry;
};

// What the adjoint of one state sends to everything that it was made of; returns the gradient of its rate.
float spread(const Sizes& s, const Arguments& a, const Gradients& g, const float* dy, const Buffers& w, int64_t d,
             int64_t first, int64_t n, int64_t begin) {
  const int64_t at = d * s.length + begin, line = (first + n) * s.length + begin;
  const Piece p = a.piece(s, d, first + n, begin);
  const float *adjoint = w.adjoint[n], *kept = w.kept[n], *states = w.states[n], *u = p.inputs, *b = p.entry;
  const float rate = a.decay[d * s.states + first + n], *steps = p.steps;
  float *du = g.inputs + at, *ds = g.steps + at, *db = g.entry + line, *dc = g.readout + line;
  float of_rate = 0.0f;
#pragma omp simd reduction(+ : of_rate)
  for (int64_t t = 0; t < p.time; ++t) {
    const float through = adjoint[t] * kept[t] * states[t];
    dc[t] += dy[t] * states[t + 1];
    db[t] += adjoint[t] * steps[t] * u[t];
    du[t] += adjoint[t] * steps[t] * b[t];
    ds[t] += adjoint[t] * b[t] * u[t] + through * rate;
    of_rate += through * steps[t];
  }
  if (p.second_steps) {
    const float *steps2 = p.second_steps, *b2 = p.second_entry;
    float *ds2 = g.second_steps + at, *db2 = g.second_entry + line;
#pragma omp simd
    for (int64_t t = 0; t < p.time; ++t) {
      db2[t] += adjoint[t] * steps2[t] * u[t];
      du[t] += adjoint[t] * steps2[t] * b2[t];
      ds2[t] += adjoint[t] * b2[t] * u[t];
    }
  }
  return of_rate;
}

// The adjoint recurrence of a block, `g_t = C_t dy_t + kept_(t+1) g_(t+1)`; carry is what comes from behind.
void adjoint_of(const float* readout, int64_t stride, const float* dy, int64_t time, int64_t count, Buffers& w,
                float* carry) {
  for (int64_t n = 0; n < kTogether; ++n) {
    if (n >= count) {
      std::fill(w.adjoint[n], w.adjoint[n] + time, 0.0f);
      continue;
    }
    const float* c = readout + n * stride;
#pragma omp simd
    for (int64_t t = 0; t < time; ++t) w.adjoint[n][t] = c[t] * dy[t];
  }
  float sent[kTogether] = {};
  std::copy(carry, carry + count, sent);
  for (int64_t t = time - 1; t >= 0; --t)
    for (int64_t n = 0; n < kTogether; ++n) {
      const float here = w.adjoint[n][t] + sent[n];
      w.adjoint[n][t] = here;
      sent[n] = here * w.kept[n][t];
    }
  std::copy(sent, sent + count, carry);
}

// The states before each block are kept by a first pass; the blocks are then gone through from the last to the first.
void backward_lane(const Sizes& s, const Arguments& a, const float* sent, const Gradients& g) {
  const int64_t blocks = (s.length + kBlock - 1) / kBlock;
  auto buffers = std::make_unique<Buffers>();
  Buffers& w = *buffers;
  std::vector<float> starts(blocks * kTogether);
  for (int64_t d = 0; d < s.width; ++d)
    for (int64_t first = 0; first < s.states; first += kTogether) {
      const int64_t count = std::min(kTogether, s.states - first);
      const float* rates = a.decay + d * s.states + first;
      float state[kTogether] = {}, carry[kTogether] = {};
      for (int64_t block = 0; block < blocks; ++block) {
        std::copy(state, state + kTogether, &starts[block * kTogether]);
        if (block + 1 < blocks) states_of(a.piece(s, d, first, block * kBlock), rates, count, w, state);
      }
      for (int64_t block = blocks - 1; block >= 0; --block) {
        const int64_t begin = block * kBlock;
        const Piece p = a.piece(s, d, first, begin);
        const float* dy = sent + d * s.length + begin;
        std::copy(&starts[block * kTogether], &starts[block * kTogether] + kTogether, state);
        states_of(p, rates, count, w, state);
        adjoint_of(a.readout + first * s.length + begin, s.length, dy, p.time, count, w, carry);
        for (int64_t n = 0; n < count; ++n)
          g.decay[d * s.states + first + n] += spread(s, a, g, dy, w, d, first, n, begin);
      }
    }
}

}  // namespace

extern "C" {

// Layouts: inputs, steps, second_steps, outputs `lanes x width x length`; decay `groups x width x states`; bias, skip
// `groups x width`; entry, readout, second_entry `lanes x states x length`; all contiguous. Lane l belongs to group
// l % groups.
void selective_scan_forward(int64_t lanes, int64_t groups, int64_t width, int64_t states, int64_t length, int threads,
                            int reverse, int softplus, const float* inputs, const float* steps, const float* decay,
                            const float* entry, const float* readout, const float* second_steps,
                            const float* second_entry, const float* bias, const float* skip, float* outputs) {
  const Sizes s{groups, width, states, length};
  const int64_t strips = (width + kWide - 1) / kWide, units = (strips + kStrips - 1) / kStrips;
  over_lanes(lanes * units, threads, [&](int64_t work) {
    const int64_t lane = work / units, first = work % units * kStrips, of_group = lane % groups * width;
    const int64_t at = lane * width * length, line = lane * states * length;
    const Arguments a{inputs + at,    steps + at,     decay + of_group * states,
                      entry + line,   readout + line, offset(second_steps, at),
                      offset(second_entry, line)};
    const Around o{offset(bias, of_group), offset(skip, of_group), softplus != 0, reverse != 0};
    forward_strips(s, a, o, first, std::min(first + kStrips, strips), outputs + at);
  });
}

// Gradients are laid out as their tensors, and zero on entry; that of decay is of every lane, `lanes x width x states`.
void selective_scan_backward(int64_t lanes, int64_t groups, int64_t width, int64_t states, int64_t length, int threads,
                             const float* inputs, const float* steps, const float* decay, const float* entry,
                             const float* readout, const float* second_steps, const float* second_entry,
                             const float* sent, float* d_inputs, float* d_steps, float* d_decay, float* d_entry,
                             float* d_readout, float* d_second_steps, float* d_second_entry) {
  const Sizes s{groups, width, states, length};
  over_lanes(lanes, threads, [&](int64_t lane) {
    const int64_t at = lane * width * length, line = lane * states * length;
    const Gradients g{d_inputs + at,     d_steps + at,   d_decay + lane * width * states,
                      d_entry + line,    d_readout + line, offset(d_second_steps, at),
                      offset(d_second_entry, line)};
    const Arguments a{inputs + at,    steps + at,     decay + lane % groups * width * states,
                      entry + line,   readout + line, offset(second_steps, at),
                      offset(second_entry, line)};
    backward_lane(s, a, sent + at, g);
  });
}

}
