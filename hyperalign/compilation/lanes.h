// What the compiled loops share: work in lanes over threads, and an exponential that compilers make vectors of.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr float kLog2E = 1.44269504088896340736f;

// 2^x for x <= 0 to 2e-7, smallest result 2^-126. The compiler turns loops over it into vector instructions.
inline float power_of_two(float x) {
  x = std::max(x, -126.0f);
  float whole = static_cast<float>(static_cast<int32_t>(x - 0.5f));
  float f = (x - whole) * 0.69314718055994530942f;
  float p = 1.0f + f * (1.0f + f * (0.5f + f * (0.16666667f + f * (0.041666668f + f * (0.008333334f
            + f * (0.0013888889f + f * 0.00019841270f))))));
  int32_t bits = (static_cast<int32_t>(whole) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// Lanes share no output, so that the same call gives the same bits with any number of threads.
template <class Work>
void over_lanes(int64_t lanes, int threads, const Work& work) {
  std::atomic<int64_t> next{0};
  const auto run = [&] {
    for (int64_t lane = next++; lane < lanes; lane = next++) work(lane);
  };
  std::vector<std::thread> others;
  for (int64_t i = 1; i < std::min<int64_t>(threads, lanes); ++i) others.emplace_back(run);
  run();
  for (auto& other : others) other.join();
}

}  // namespace
