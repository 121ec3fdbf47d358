// Selective scan of one group of channels, forward and adjoint: state by state and position by position, in float32.
//
// Everything that is not the recurrence runs along time, which is contiguous, so that the compiler makes vector
// instructions of it. The recurrence of the states of one channel is what must be sequential.
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

void forward_lane(const Sizes& s, const Arguments& a, float* outputs) {
  auto buffers = std::make_unique<Buffers>();
  Buffers& w = *buffers;
  std::vector<float> state(s.states);
  for (int64_t d = 0; d < s.width; ++d) {
    std::fill(state.begin(), state.end(), 0.0f);
    for (int64_t begin = 0; begin < s.length; begin += kBlock) {
      float* y = outputs + d * s.length + begin;
      std::fill(y, y + std::min(kBlock, s.length - begin), 0.0f);
      for (int64_t first = 0; first < s.states; first += kTogether) {
        const int64_t count = std::min(kTogether, s.states - first);
        const Piece p = a.piece(s, d, first, begin);
        states_of(p, a.decay + d * s.states + first, count, w, &state[first]);
        for (int64_t n = 0; n < count; ++n) {
          const float *c = a.readout + (first + n) * s.length + begin, *h = w.states[n] + 1;
#pragma omp simd
          for (int64_t t = 0; t < p.time; ++t) y[t] += c[t] * h[t];
        }
      }
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

// Layouts: inputs, steps, second_steps, outputs `lanes x width x length`; decay `groups x width x states`; entry,
// readout, second_entry `lanes x states x length`; all contiguous. Lane l belongs to group l % groups.
void selective_scan_forward(int64_t lanes, int64_t groups, int64_t width, int64_t states, int64_t length, int threads,
                            const float* inputs, const float* steps, const float* decay, const float* entry,
                            const float* readout, const float* second_steps, const float* second_entry,
                            float* outputs) {
  const Sizes s{groups, width, states, length};
  over_lanes(lanes, threads, [&](int64_t lane) {
    const int64_t at = lane * width * length, line = lane * states * length;
    const Arguments a{inputs + at,    steps + at,     decay + lane % groups * width * states,
                      entry + line,   readout + line, offset(second_steps, at),
                      offset(second_entry, line)};
    forward_lane(s, a, outputs + at);
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
