// One step on Eq. 20 for one guide: softmax, stencil, image terms, their gradients and Adam, in float32.
//
// A logit and its two moments are read twice and written once a step; everything else fits the cache. Logits and
// candidate values lie in tiles, `row x tile x choice x pixel`, each a few kilobytes read from front to back. Planes have
// `pitch = tiles * tile` floats a row; what lies beyond the width is zero and stays so.
#include "estimation.h"
#include "gradient.h"
#include "image_terms.h"

namespace {

// ---- synthesis: Eq. 16 and 17 ----

// What one choice adds to the softmax's sum and to the averages under it. Not inlined, lest the compiler joins the work
// of two choices and then finds no vectors in it.
template <int64_t kPlanes>
__attribute__((noinline)) void add_choice(const float* __restrict logits, const float* __restrict largest, float over,
                                          const float* __restrict values, int64_t plane, int64_t n,
                                          float (*__restrict totals)[kTile]) {
#pragma omp simd
  for (int64_t x = 0; x < n; ++x) {
    const float e = power_of_e((logits[x] - largest[x]) * over);
    totals[kPlanes][x] += e;
    for (int64_t j = 0; j < kPlanes; ++j) totals[j][x] += e * values[j * plane + x];
  }
}

__attribute__((noinline)) void largest_choice(const float* __restrict logits, int64_t choices, int64_t n,
                                              float* __restrict largest) {
  std::copy(logits, logits + n, largest);
  for (int64_t k = 1; k < choices; ++k)
#pragma omp simd
    for (int64_t x = 0; x < n; ++x) largest[x] = std::max(largest[x], logits[k * n + x]);
}

void synthesise_tile(const State& s, const Sizes& z, int64_t y, int64_t c) {
  const int64_t n = s.tile, at = y * z.pitch + c * n;
  const float* logits = s.kernels + (y * s.tiles + c) * z.taps * n;
  float *largest = s.largest + at, *scale = s.scale + at;
  float totals[kColours + 1][kTile] = {};
  largest_choice(logits, z.taps, n, largest);
  for (int64_t t = 0; t < z.taps; ++t)
    add_choice<kColours>(logits + t * n, largest, 1.0f, s.padded + (y + t / s.size) * z.row + c * n + t % s.size, z.plane,
                         n, totals);
#pragma omp simd
  for (int64_t x = 0; x < n; ++x) scale[x] = 1.0f / totals[kColours][x];
  const int64_t inside = std::min(n, s.width - c * n);
  for (int64_t k = 0; k < kColours; ++k) {
    const float* total = totals[k];
    float* out = s.synthesised + k * s.height * z.pitch + at;
#pragma omp simd
    for (int64_t x = 0; x < inside; ++x) out[x] = total[x] * scale[x];
  }
}

// ---- steps ----

void move_kernels(const State& s, const Sizes& z, const Adam& adam, int64_t y, int64_t c, float* spread) {
  const int64_t n = s.tile, at = y * z.pitch + c * n, tile = (y * s.tiles + c) * z.taps * n, plane = s.height * z.pitch;
  const float *largest = s.largest + at, *scale = s.scale + at, *estimate = s.synthesised + at, *colour = s.colour + at;
  float sent[kColours][kTile], mean[kTile];
#pragma omp simd
  for (int64_t x = 0; x < n; ++x) {
    sent[0][x] = colour[x] * scale[x];
    sent[1][x] = colour[x + plane] * scale[x];
    sent[2][x] = colour[x + 2 * plane] * scale[x];
    mean[x] = sent[0][x] * estimate[x] + sent[1][x] * estimate[x + plane] + sent[2][x] * estimate[x + 2 * plane];
  }
  for (int64_t t = 0; t < z.taps; ++t) {
    float *m = s.kernels + tile + t * n, *first = s.kernels_first + tile + t * n, *second = s.kernels_second + tile + t * n;
    const float* p = s.padded + (y + t / s.size) * z.row + c * n + t % s.size;
    float* to = spread + (y % s.band + t / s.size) * z.row + c * n + t % s.size;
#pragma omp simd
    for (int64_t x = 0; x < n; ++x) {
      const float e = power_of_e(m[x] - largest[x]);
      const float slope = sent[0][x] * p[x] + sent[1][x] * p[x + z.plane] + sent[2][x] * p[x + 2 * z.plane] - mean[x];
      to[x] += e * sent[0][x];
      to[x + z.band_plane] += e * sent[1][x];
      to[x + 2 * z.band_plane] += e * sent[2][x];
      adam.move(m[x], first[x], second[x], e * slope);
    }
  }
}

// The gradient by the aggregated RGB of row y: what all bands sent to it and to the frame that repeats it.
void gather_row(const State& s, const Sizes& z, int64_t y, float* out) {
  const int64_t first = y ? y + z.radius : 0, last = y + 1 < s.height ? y + z.radius : y + 2 * z.radius;
  const int64_t bands = (s.height + s.band - 1) / s.band;
  for (int64_t k = 0; k < kColours; ++k, out += z.row) {
    std::fill(out, out + z.row, 0.0f);
    for (int64_t p = first; p <= last; ++p) {
      const int64_t low = std::max<int64_t>(0, (p - 2 * z.radius) / s.band), high = std::min(bands - 1, p / s.band);
      for (int64_t b = low; b <= high; ++b) {
        if (p - b * s.band >= s.band + 2 * z.radius) continue;
        const float* from = s.spread + (b * kColours + k) * z.band_plane + (p - b * s.band) * z.row;
#pragma omp simd
        for (int64_t x = 0; x < z.row; ++x) out[x] += from[x];
      }
    }
    for (int64_t x = 0; x < z.radius; ++x) {
      out[z.radius] += out[x];
      out[z.radius + s.width - 1] += out[z.radius + s.width + x];
      out[z.radius + s.width + x] = 0.0f;
    }
  }
}

void move_logits(const State& s, const Sizes& z, const Adam& adam, int64_t y, int64_t c, const float* colours) {
  const int64_t n = s.tile, tile = (y * s.tiles + c) * s.choices * n, at = y * z.pitch + c * n;
  const float *part[5], *values = s.values + tile * kValues, over = 1.0f / s.temperature;
  for (int64_t k = 0; k < kColours; ++k) part[k] = colours + k * z.row + z.radius + c * n;
  for (int64_t k = 0; k < 2; ++k) part[3 + k] = s.slope + k * s.height * z.pitch + at;
  float *logits = s.logits + tile, *first = s.logits_first + tile, *second = s.logits_second + tile;
  float largest[kTile], sum[kTile] = {}, mean[kTile] = {};
  largest_choice(logits, s.choices, n, largest);
  const auto slope_of = [&](const float* v, int64_t x) {
    return s.distance * v[x + 5 * n] + v[x] * part[0][x] + v[x + n] * part[1][x] + v[x + 2 * n] * part[2][x] +
           v[x + 3 * n] * part[3][x] + v[x + 4 * n] * part[4][x];
  };
  for (int64_t k = 0; k < s.choices; ++k) {
    const float *l = logits + k * n, *v = values + k * kValues * n;
#pragma omp simd
    for (int64_t x = 0; x < n; ++x) {
      const float e = power_of_e((l[x] - largest[x]) * over);
      sum[x] += e;
      mean[x] += e * slope_of(v, x);
    }
  }
#pragma omp simd
  for (int64_t x = 0; x < n; ++x) {
    sum[x] = 1.0f / sum[x];
    mean[x] *= sum[x];
  }
  for (int64_t k = 0; k < s.choices; ++k) {
    float *l = logits + k * n, *m = first + k * n, *u = second + k * n;
    const float* v = values + k * kValues * n;
#pragma omp simd
    for (int64_t x = 0; x < n; ++x) {
      const float e = power_of_e((l[x] - largest[x]) * over) * sum[x];
      adam.move(l[x], m[x], u[x], e * (slope_of(v, x) - mean[x]) * over);
    }
  }
}

// Eq. 15, 18 and the inner sum of Eq. 21 for a tile; returns the sum of expected distances.
float aggregate_tile(const State& s, const Sizes& z, int64_t y, int64_t c) {
  const int64_t n = s.tile, tile = (y * s.tiles + c) * s.choices * n, inside = std::min(n, s.width - c * n);
  const float *logits = s.logits + tile, *values = s.values + tile * kValues, over = 1.0f / s.temperature;
  float largest[kTile], totals[kValues + 1][kTile] = {}, *sum = totals[kValues];
  largest_choice(logits, s.choices, n, largest);
  for (int64_t k = 0; k < s.choices; ++k)
    add_choice<kValues>(logits + k * n, largest, over, values + k * kValues * n, n, n, totals);
  float distance = 0.0f;
#pragma omp simd reduction(+ : distance)
  for (int64_t x = 0; x < inside; ++x) {
    sum[x] = 1.0f / sum[x];
    distance += totals[5][x] * sum[x];
  }
  for (int64_t j = 0; j < 5; ++j) {
    float* out = j < kColours ? s.padded + j * z.plane + (y + z.radius) * z.row + z.radius + c * n
                              : s.coordinates + ((j - kColours) * s.height + y) * z.pitch + c * n;
    const float* total = totals[j];
#pragma omp simd
    for (int64_t x = 0; x < inside; ++x) out[x] = total[x] * sum[x];
  }
  return distance;
}

// Aggregates a row and repeats its ends, and the first and last row, in the frame around the RGB.
void aggregate_row(const State& s, const Sizes& z, int64_t y) {
  double distance = 0.0;
  for (int64_t c = 0; c < s.tiles; ++c) distance += aggregate_tile(s, z, y, c);
  s.sums[y * kValues + 5] = distance;
  for (int64_t k = 0; k < kColours; ++k) {
    float* row = s.padded + k * z.plane + (y + z.radius) * z.row;
    std::fill(row, row + z.radius, row[z.radius]);
    std::fill(row + z.radius + s.width, row + 2 * z.radius + s.width, row[z.radius + s.width - 1]);
    for (int64_t j = 1; j <= z.radius; ++j) {
      if (y == 0) std::copy(row, row + z.row, row - j * z.row);
      if (y + 1 == s.height) std::copy(row, row + z.row, row + j * z.row);
    }
  }
}

template <class Work>
void over_rows(const State& s, int64_t rows, int64_t band, const Work& work) {
  over_lanes((rows + band - 1) / band, static_cast<int>(s.threads),
             [&](int64_t lane) { work(lane, lane * band, std::min(rows, (lane + 1) * band)); });
}

}  // namespace

extern "C" {

void transfer_aggregate(const State* state) {
  const State& s = *state;
  const Sizes z(s);
  over_rows(s, s.height, s.band, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y) aggregate_row(s, z, y);
  });
}

void transfer_synthesise(const State* state) {
  const State& s = *state;
  const Sizes z(s);
  over_rows(s, s.height, s.band, [&](int64_t, int64_t first, int64_t last) {
    for (int64_t y = first; y < last; ++y)
      for (int64_t c = 0; c < s.tiles; ++c) synthesise_tile(s, z, y, c);
  });
}

// Mutual information and the derivatives of the similarity, each where it has a place; returns the loss of the first.
double transfer_compare(const State* state) {
  const State& s = *state;
  const Sizes z(s);
  const int64_t counted = s.histograms ? (s.height + kImageBand - 1) / kImageBand : 0, rows = s.height - kHalo;
  const int64_t bands = (rows + kImageBand - 1) / kImageBand, compared = s.derivatives ? kColours * bands : 0;
  over_lanes(counted + compared, static_cast<int>(s.threads), [&](int64_t lane) {
    if (lane < counted) return count_rows(s, z, lane);
    const int64_t k = (lane - counted) / bands, first = (lane - counted) % bands * kImageBand;
    similarity_rows(s, z, k, first, std::min(rows, first + kImageBand));
  });
  return s.histograms ? mutual_information(s) : 0.0;
}

void transfer_gradient(const State* state) {
  const State& s = *state;
  const Sizes z(s);
  over_rows(s, s.height, s.band, [&](int64_t, int64_t first, int64_t last) {
    std::vector<float> differences(3 * z.pitch);
    for (int64_t y = first; y < last; ++y) gradient_row(s, z, y, differences);
  });
}

void transfer_step(const State* state, float rate, float correction, float epsilon) {
  const State& s = *state;
  const Sizes z(s);
  const Adam adam{rate, correction, epsilon};
  over_rows(s, s.height, s.band, [&](int64_t band, int64_t first, int64_t last) {
    float* spread = s.spread + band * kColours * z.band_plane;
    std::fill(spread, spread + kColours * z.band_plane, 0.0f);
    for (int64_t y = first; y < last; ++y)
      for (int64_t c = 0; c < s.tiles; ++c) move_kernels(s, z, adam, y, c, spread);
  });
  over_rows(s, s.height, s.band, [&](int64_t, int64_t first, int64_t last) {
    std::vector<float> colours(kColours * z.row);
    for (int64_t y = first; y < last; ++y) {
      gather_row(s, z, y, colours.data());
      for (int64_t c = 0; c < s.tiles; ++c) move_logits(s, z, adam, y, c, colours.data());
      aggregate_row(s, z, y);
    }
  });
}

}
