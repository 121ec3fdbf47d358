// Mutual information and structural similarity of the synthesised RGB and the guide, and what each derives from.
#pragma once

#include "estimation.h"

namespace {

// Where in the histogram a sample lies, as `MutualInformation` says: the first of four cells, and the fraction.
inline int32_t place(float estimate, int64_t bins, float& fraction) {
  const float position = std::min(std::max(estimate, 0.0f), 1.0f) * static_cast<float>(bins - 4) + 1.0f;
  const int32_t cell = std::min(static_cast<int32_t>(position), static_cast<int32_t>(bins - 3));
  fraction = position - static_cast<float>(cell);
  return cell;
}

void count_rows(const State& s, const Sizes& z, int64_t band) {
  const int64_t cells = kColours * s.bins * s.bins, last = std::min(s.height, (band + 1) * kImageBand);
  int64_t* histogram = s.histograms + band * cells;
  std::fill(histogram, histogram + cells, 0);
  std::vector<int32_t> cell(z.pitch);
  std::vector<int64_t> weights(4 * z.pitch);
  int64_t* w = weights.data();
  for (int64_t k = 0; k < kColours; ++k)
    for (int64_t y = band * kImageBand; y < last; ++y) {
      const int64_t at = (k * s.height + y) * z.pitch, n = z.pitch;
      const float* estimate = s.synthesised + at;
      const int32_t* rows = s.guide_rows + at;
#pragma omp simd
      for (int64_t x = 0; x < s.width; ++x) {
        float f;
        cell[x] = rows[x] + place(estimate[x], s.bins, f) - 1;
        const float square = f * f, cube = square * f, rest = 1.0f - f;
        const float before = rest * rest * rest / 6.0f, after = cube / 6.0f, here = cube / 2.0f - square + 2.0f / 3.0f;
        w[x] = static_cast<int64_t>(before * kOne);
        w[x + n] = static_cast<int64_t>(here * kOne);
        w[x + 2 * n] = static_cast<int64_t>((1.0f - before - here - after) * kOne);
        w[x + 3 * n] = static_cast<int64_t>(after * kOne);
      }
      for (int64_t x = 0; x < s.width; ++x)
        for (int64_t j = 0; j < 4; ++j) histogram[cell[x] + j] += w[x + j * n];
    }
}

// The loss of `MutualInformation` from the histograms, and what it sends to a sample in each cell: a quadratic in the
// sample's fraction, because it is made of derivatives of cubic splines.
double mutual_information(const State& s) {
  const int64_t n = s.bins, cells = n * n, samples = s.height * s.width, bands = (s.height + kImageBand - 1) / kImageBand;
  std::vector<double> joint(cells), marginal(n), slope(n);
  double loss = 0.0;
  for (int64_t k = 0; k < kColours; ++k) {
    const double scale = s.guide_scale[k], unit = -scale * (n - 4) * s.mutual / kColours / samples;
    std::fill(marginal.begin(), marginal.end(), 0.0);
    for (int64_t i = 0; i < cells; ++i) {
      int64_t total = 0;
      for (int64_t b = 0; b < bands; ++b) total += s.histograms[(b * kColours + k) * cells + i];
      joint[i] = static_cast<double>(total) / (static_cast<double>(kOne) * samples);
      marginal[i % n] += joint[i];
    }
    double information = 0.0;
    for (int64_t row = 0; row < n; ++row) {
      const double probability = s.guide_bins[k * n + row];
      for (int64_t i = 0; i < n; ++i) {
        const double p = joint[row * n + i], ratio = p > 0.0 ? std::log(p / (marginal[i] * probability)) : 0.0;
        information += p * ratio;
        slope[i] = unit * ratio;
      }
      float* out = s.slopes + k * cells + row * n;
      for (int64_t i = 0; i < n; ++i) {
        const double before = slope[(i + n - 1) % n], here = slope[i], after = slope[(i + 1) % n];
        const double last = slope[(i + 2) % n];
        out[i] = static_cast<float>((after - before) / 2);
        out[i + kColours * cells] = static_cast<float>(before - 2 * here + after);
        out[i + 2 * kColours * cells] = static_cast<float>((last - 3 * after + 3 * here - before) / 2);
      }
    }
    loss += ((scale > 0.0 ? 1.0 : 0.0) - information * scale) / kColours;
  }
  return loss;
}

// out[x] = sum over taps of window * in[x + tap].
inline void blur_row(const float* window, const float* in, float* out, int64_t count) {
#pragma omp simd
  for (int64_t x = 0; x < count; ++x) {
    float sum = 0.0f;
    for (int64_t t = 0; t < kWindow; ++t) sum += window[t] * in[x + t];
    out[x] = sum;
  }
}

// The same down eleven rows that lie `stride` apart, beginning with row `first` of a ring.
inline void blur_column(const float* window, const float* ring, int64_t stride, int64_t first, float* out, int64_t n) {
  const float* rows[kWindow];
  for (int64_t t = 0; t < kWindow; ++t) rows[t] = ring + (first + t) % kWindow * stride;
#pragma omp simd
  for (int64_t x = 0; x < n; ++x) {
    float sum = 0.0f;
    for (int64_t t = 0; t < kWindow; ++t) sum += window[t] * rows[t][x];
    out[x] = sum;
  }
}

// SSIM of one row from its blurred maps; by[.] get the derivatives by the maps, as in `StructuralSimilarity`.
float similarity_row(const float* const maps[3], const float* own, const float* variance, float* const by[3], float unit,
                     int64_t count) {
  float total = 0.0f;
#pragma omp simd reduction(+ : total)
  for (int64_t x = 0; x < count; ++x) {
    const float mean = maps[0][x], means = mean * own[x];
    const float luminance = 2.0f * means + kC1, structure = 2.0f * (maps[2][x] - means) + kC2;
    const float energy = mean * mean + own[x] * own[x] + kC1;
    const float spread = maps[1][x] - mean * mean + variance[x] + kC2, over = 1.0f / (energy * spread);
    const float similarity = luminance * structure * over;
    const float product = 2.0f * luminance * over, square = -similarity / spread;
    total += similarity;
    by[0][x] = unit * (own[x] * (2.0f * structure * over - product) - 2.0f * mean * (similarity / energy + square));
    by[1][x] = unit * square;
    by[2][x] = unit * product;
  }
  return total;
}

void similarity_rows(const State& s, const Sizes& z, int64_t k, int64_t first, int64_t last) {
  const int64_t valid = s.width - kHalo, high = s.height - kHalo, wide = z.pitch + 2 * kHalo;
  std::vector<float> ring(3 * kWindow * z.pitch), maps(3 * z.pitch), blurred(3 * z.pitch), derived(3 * wide);
  float* const by[3] = {&derived[kHalo], &derived[wide + kHalo], &derived[2 * wide + kHalo]};
  const float unit = -s.similarity / static_cast<float>(kColours * high * valid);
  for (int64_t y = first; y < last + kHalo; ++y) {
    const float *estimate = s.synthesised + (k * s.height + y) * z.pitch, *guide = s.guide + (k * s.height + y) * z.pitch;
    float *square = &maps[z.pitch], *product = &maps[2 * z.pitch];
#pragma omp simd
    for (int64_t x = 0; x < s.width; ++x) {
      square[x] = estimate[x] * estimate[x];
      product[x] = estimate[x] * guide[x];
    }
    const float* const rows[3] = {estimate, square, product};
    for (int64_t j = 0; j < 3; ++j)
      blur_row(s.window, rows[j], &ring[(j * kWindow + (y - first) % kWindow) * z.pitch], valid);
    const int64_t v = y - kHalo;
    if (v < first) continue;
    const float* means[3];
    for (int64_t j = 0; j < 3; ++j) {
      blur_column(s.window, &ring[j * kWindow * z.pitch], z.pitch, v - first, &blurred[j * z.pitch], valid);
      means[j] = &blurred[j * z.pitch];
    }
    const int64_t at = (k * high + v) * z.pitch;
    s.similarities[k * high + v] = similarity_row(means, s.guide_mean + at, s.guide_variance + at, by, unit, valid);
    // The window is symmetric: its adjoint blurs the row between two margins of zeros.
    for (int64_t j = 0; j < 3; ++j)
      blur_row(s.window, by[j] - kHalo, s.derivatives + j * kColours * high * z.pitch + at, s.width);
  }
}

}  // namespace
