// One step on Eq. 20 for one guide: softmax, stencil, image terms, their gradients and Adam, in float32.
//
// A logit and its two moments are read twice and written once a step; everything else fits the cache. Logits and
// candidate values lie in tiles, `row x tile x choice x pixel`, each a few kilobytes read from front to back. Planes have
// `pitch = tiles * tile` floats a row; what lies beyond the width is zero and stays so.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "lanes.h"

extern "C" {

// Mirrored by `_State` in estimation.py, field by field. C is 3, r = size / 2, Hv = height - 10.
struct State {
  int64_t height, width, tiles, tile, size, choices, bins, band, threads;
  float smoothness, gradient, distance, similarity, mutual, temperature;  // weights of terms, most times H * W; tau
  float *kernels, *kernels_first, *kernels_second;  // height x tiles x size^2 x tile: logits and moments
  float *logits, *logits_first, *logits_second;     // height x tiles x choices x tile
  const float* values;                              // height x tiles x choices x 6 x tile: rgb, y, x, distance
  const float *guide, *coverage;                    // C x height x pitch; height x pitch, weights of L1, times H * W
  const float *window, *guide_mean, *guide_variance;  // 11; C x Hv x pitch
  const int32_t* guide_rows;                        // C x height x pitch: first cell of the guide's row of the histogram
  const float *guide_bins, *guide_scale;            // C x bins: probabilities; C: one over the guide's entropy
  float *padded, *spread;         // C x (height + 2r) x (pitch + 2r); bands x C x (band + 2r) x (pitch + 2r)
  float *synthesised, *colour;    // C x height x pitch: RGB of Eq. 17 and the gradient of the objective by it
  float *coordinates, *slope;     // 2 x height x pitch: expected coordinates and their gradient
  float *largest, *scale;         // height x pitch: of the kernels' softmax, its maximum and one over its sum
  float* derivatives;             // 3 x C x Hv x pitch: of the similarity, spread along rows
  int64_t* histograms;            // bands of image rows x C * bins^2
  float* slopes;                  // 3 x C * bins^2: of mutual information by a sample's fraction, constant to quadratic
  double *sums, *similarities;    // height x 6: l1, vertical, horizontal, of coordinates both, distance; C x Hv
};

}

namespace {

constexpr int64_t kTile = 128, kWindow = 11, kHalo = kWindow - 1, kImageBand = 32, kColours = 3, kValues = 6;
constexpr float kC1 = 1e-4f, kC2 = 9e-4f, kOne = 17179869184.0f;  // 2^34: histograms are sums of integers

inline float sign(float x) { return static_cast<float>((x > 0.0f) - (x < 0.0f)); }
inline float power_of_e(float x) { return power_of_two(x * kLog2E); }

struct Adam {
  float rate, correction, epsilon;  // step size over the first bias correction; one over the root of the second

  inline void move(float& logit, float& first, float& second, float gradient) const {
    first += (gradient - first) * 0.1f;
    second = 0.999f * second + 0.001f * gradient * gradient;
    logit -= rate * first / (std::sqrt(second) * correction + epsilon);
  }
};

struct Sizes {
  int64_t radius, taps, pitch, row, plane, band_plane;  // row, plane: of the padded RGB

  explicit Sizes(const State& s)
      : radius(s.size / 2), taps(s.size * s.size), pitch(s.tiles * s.tile), row(pitch + 2 * radius),
        plane((s.height + 2 * radius) * row), band_plane((s.band + 2 * radius) * row) {}
};

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

// ---- image terms ----

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

// ---- gradient of the objective by the synthesised RGB and by the expected coordinates ----

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
