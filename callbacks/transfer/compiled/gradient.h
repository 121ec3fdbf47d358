// The gradient of the objective by the synthesised RGB and by the expected coordinates, and the terms' sums, row by row.
#pragma once

#include "image_terms.h"

namespace {

// Adds the gradient of the mean absolute difference of neighbours: rows above, here and below of a plane (or null).
void variation_row(const float* above, const float* here, const float* below, int64_t width, float vertical,
                   float horizontal, float* out, double* sums) {
  float down = 0.0f, along = 0.0f;
  if (above)
#pragma omp simd
    for (int64_t x = 0; x < width; ++x) out[x] += vertical * sign(here[x] - above[x]);
  if (below)
#pragma omp simd reduction(+ : down)
    for (int64_t x = 0; x < width; ++x) {
      down += std::fabs(below[x] - here[x]);
      out[x] -= vertical * sign(below[x] - here[x]);
    }
#pragma omp simd reduction(+ : along)
  for (int64_t x = 0; x < width - 1; ++x) {
    along += std::fabs(here[x + 1] - here[x]);
    out[x] -= horizontal * sign(here[x + 1] - here[x]);
  }
#pragma omp simd
  for (int64_t x = 1; x < width; ++x) out[x] += horizontal * sign(here[x] - here[x - 1]);
  sums[0] += down;
  sums[1] += along;
}

// What the derivatives of eleven rows send to row y, and from there to the estimate.
void add_similarity(const State& s, const Sizes& z, int64_t k, int64_t y, float* out) {
  const int64_t high = s.height - kHalo, first = std::max<int64_t>(0, y - kHalo), last = std::min(y, high - 1);
  const float *estimate = s.synthesised + (k * s.height + y) * z.pitch, *guide = s.guide + (k * s.height + y) * z.pitch;
  for (int64_t begin = 0; begin < s.width; begin += kTile) {
    const int64_t n = std::min(kTile, s.width - begin);
    float sent[3][kTile] = {};
    for (int64_t j = 0; j < 3; ++j)
      for (int64_t v = first; v <= last; ++v) {
        const float weight = s.window[y - v];
        const float* d = s.derivatives + ((j * kColours + k) * high + v) * z.pitch + begin;
#pragma omp simd
        for (int64_t x = 0; x < n; ++x) sent[j][x] += weight * d[x];
      }
#pragma omp simd
    for (int64_t x = 0; x < n; ++x)
      out[begin + x] += sent[0][x] + 2.0f * sent[1][x] * estimate[begin + x] + sent[2][x] * guide[begin + x];
  }
}

void gradient_row(const State& s, const Sizes& z, int64_t y, std::vector<float>& differences) {
  const int64_t cells = kColours * s.bins * s.bins, n = z.pitch;
  double* sums = s.sums + y * kValues;
  std::fill(sums, sums + kValues - 1, 0.0);
  const int64_t down = (s.height - 1) * s.width, along = s.height * (s.width - 1);
  for (int64_t k = 0; k < kColours; ++k) {
    const int64_t at = (k * s.height + y) * n;
    float* out = s.colour + at;
    const int64_t low = y ? -1 : 0, high = y + 1 < s.height ? 1 : 0;
    for (int64_t j = low; j <= high; ++j)
#pragma omp simd
      for (int64_t x = 0; x < s.width; ++x)
        differences[(j + 1) * n + x] = s.synthesised[at + j * n + x] - s.guide[at + j * n + x];
    const float *here = &differences[n], *coverage = s.coverage + y * n;
    float total = 0.0f;
#pragma omp simd reduction(+ : total)
    for (int64_t x = 0; x < s.width; ++x) {
      total += std::fabs(here[x]) * coverage[x];
      out[x] = sign(here[x]) * coverage[x];
    }
    sums[0] += total;
    if (s.gradient != 0.0f)
      variation_row(low ? &differences[0] : nullptr, here, high ? &differences[2 * n] : nullptr, s.width,
                    s.gradient / static_cast<float>(kColours * std::max<int64_t>(down, 1)),
                    s.gradient / static_cast<float>(kColours * std::max<int64_t>(along, 1)), out, sums + 1);
    if (s.slopes) {
      const int32_t* rows = s.guide_rows + at;
#pragma omp simd
      for (int64_t x = 0; x < s.width; ++x) {
        float f;
        const float* slope = s.slopes + rows[x] + place(s.synthesised[at + x], s.bins, f);
        out[x] += (slope[2 * cells] * f + slope[cells]) * f + slope[0];
      }
    }
    if (s.derivatives) add_similarity(s, z, k, y, out);
  }
  for (int64_t k = 0; k < 2; ++k) {
    const int64_t at = (k * s.height + y) * n;
    const float* here = s.coordinates + at;
    std::fill(s.slope + at, s.slope + at + s.width, 0.0f);
    variation_row(y ? here - n : nullptr, here, y + 1 < s.height ? here + n : nullptr, s.width,
                  s.smoothness / static_cast<float>(2 * std::max<int64_t>(down, 1)),
                  s.smoothness / static_cast<float>(2 * std::max<int64_t>(along, 1)), s.slope + at, sums + 3);
  }
}

}  // namespace
