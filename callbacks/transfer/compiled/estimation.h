// What all parts of the compiled estimation share: the state of one guide, its sizes, and the constants.
#pragma once

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

}  // namespace
