// Choice of the K nearest of a pool: of the K_s seeds by squared L2 distance (Eq. 10) and, among the seeds' neighbours, of
// the candidates by mean L1 distance (Eq. 11-13), guide pixel by guide pixel.
//
// A patch row is `length` neighbouring floats of a feature table. A pool entry is dropped as soon as its sum exceeds that
// of the K-th best so far; sums only grow, so what is kept is what complete distances would keep.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "lanes.h"

extern "C" {

// Mirrored by `_Match` in refinement.py, field by field.
struct Match {
  int64_t height, width, padded_width, patch, length, seeds, radius, keep, count, threads;
  float dimension;
  const float *guide, *proxy;  // padded feature tables, 12 floats a pixel
  const int64_t* found;        // count x seeds: flat proxy pixel numbers
  int64_t* candidates;         // keep x count
  float* distances;            // keep x count
};

// Mirrored by `_Ranking` in refinement.py, field by field.
struct Ranking {
  int64_t width, padded_width, patch, length, pool, keep, count, threads;
  const float *queries, *proxy;  // count x (patch * length); padded feature table
  const int64_t* found;          // count x pool: flat proxy pixel numbers, -1 where there is none
  int64_t* chosen;               // count x keep
};

}

namespace {

constexpr int64_t kChunk = 4096, kSome = 256, kPublished = 60;

template <int64_t kLength, bool kSquared>
inline float row_distance(const float* a, const float* b, int64_t length) {
  const int64_t n = kLength ? kLength : length;
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    const float difference = a[i] - b[i];
    sum += kSquared ? difference * difference : std::fabs(difference);
  }
  return sum;
}

// Distance of two patches, or what it came to when it exceeded the limit; rows lie `step` and `stride` floats apart.
template <int64_t kLength, bool kSquared>
inline float patch_distance(const float* a, int64_t step, const float* b, int64_t stride, int64_t patch, int64_t length,
                            float limit) {
  float sum = 0.0f;
  for (int64_t row = 0; row < patch && sum <= limit; ++row)
    sum += row_distance<kLength, kSquared>(a + row * step, b + row * stride, length);
  return sum;
}

struct Best {
  std::vector<std::pair<float, int64_t>> kept;  // ascending by distance, then by pixel number
  size_t limit;

  float worst() const { return kept.size() < limit ? INFINITY : kept.back().first; }

  void offer(float distance, int64_t pixel) {
    const std::pair<float, int64_t> entry{distance, pixel};
    if (kept.size() == limit) {
      if (!(entry < kept.back())) return;
      kept.pop_back();
    }
    kept.insert(std::upper_bound(kept.begin(), kept.end(), entry), entry);
  }
};

template <int64_t kLength>
void refine_pixel(const Match& s, int64_t pixel, int32_t stamp, std::vector<int32_t>& seen, Best& best) {
  const int64_t features = s.length / s.patch, stride = s.padded_width * features;
  const float* here = s.guide + (pixel / s.width * s.padded_width + pixel % s.width) * features;
  best.kept.clear();
  for (int64_t seed = 0; seed < s.seeds; ++seed) {
    const int64_t centre = s.found[pixel * s.seeds + seed], y = centre / s.width, x = centre % s.width;
    for (int64_t v = std::max<int64_t>(0, y - s.radius); v <= std::min(s.height - 1, y + s.radius); ++v)
      for (int64_t u = std::max<int64_t>(0, x - s.radius); u <= std::min(s.width - 1, x + s.radius); ++u) {
        int32_t& mark = seen[v * s.width + u];
        if (mark == stamp) continue;
        mark = stamp;
        const float* there = s.proxy + (v * s.padded_width + u) * features;
        const float worst = best.worst(), distance = patch_distance<kLength, false>(here, stride, there, stride, s.patch, s.length, worst);
        if (distance <= worst) best.offer(distance, v * s.width + u);
      }
  }
}

template <int64_t kLength>
void rank_query(const Ranking& s, int64_t query, Best& best) {
  const int64_t features = s.length / s.patch, stride = s.padded_width * features;
  const float* here = s.queries + query * s.patch * s.length;
  best.kept.clear();
  for (int64_t j = 0; j < s.pool; ++j) {
    const int64_t pixel = s.found[query * s.pool + j];
    if (pixel < 0) continue;
    const float* there = s.proxy + (pixel / s.width * s.padded_width + pixel % s.width) * features;
    const float worst = best.worst();
    best.offer(patch_distance<kLength, true>(here, s.length, there, stride, s.patch, s.length, worst), pixel);
  }
}

}  // namespace

extern "C" {

void transfer_rank(const Ranking* ranking) {
  const Ranking& s = *ranking;
  over_lanes((s.count + kSome - 1) / kSome, static_cast<int>(s.threads), [&](int64_t lane) {
    Best best{{}, static_cast<size_t>(s.keep)};
    best.kept.reserve(s.keep + 1);
    for (int64_t query = lane * kSome; query < std::min(s.count, (lane + 1) * kSome); ++query) {
      if (s.length == kPublished) rank_query<kPublished>(s, query, best);
      else rank_query<0>(s, query, best);
      const int64_t available = static_cast<int64_t>(best.kept.size());
      for (int64_t k = 0; k < s.keep; ++k) s.chosen[query * s.keep + k] = best.kept[k < available ? k : 0].second;
    }
  });
}

void transfer_refine(const Match* match) {
  const Match& s = *match;
  over_lanes((s.count + kChunk - 1) / kChunk, static_cast<int>(s.threads), [&](int64_t lane) {
    std::vector<int32_t> seen(s.height * s.width, -1);
    Best best{{}, static_cast<size_t>(s.keep)};
    best.kept.reserve(s.keep + 1);
    for (int64_t pixel = lane * kChunk; pixel < std::min(s.count, (lane + 1) * kChunk); ++pixel) {
      if (s.length == kPublished) refine_pixel<kPublished>(s, pixel, static_cast<int32_t>(pixel), seen, best);
      else refine_pixel<0>(s, pixel, static_cast<int32_t>(pixel), seen, best);
      const int64_t available = static_cast<int64_t>(best.kept.size());
      for (int64_t k = 0; k < s.keep; ++k) {
        s.candidates[k * s.count + pixel] = best.kept[k % available].second;
        s.distances[k * s.count + pixel] = best.kept[k % available].first / s.dimension;
      }
    }
  });
}

}
