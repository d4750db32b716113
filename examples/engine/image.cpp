// SPDX-License-Identifier: Apache-2.0

#include "engine/image.hpp"

#include <stb_image.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>

namespace engine {

namespace {

std::vector<unsigned char> bytes_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  bitpq::require(in.is_open(), bitpq::errc::io_failure, file.string(), " cannot be opened");
  const std::streamoff size = in.tellg();
  bitpq::require(size >= 0 && size < (std::streamoff{1} << 30), bitpq::errc::io_failure, file.string(),
                 " cannot be read, or is too large for an image");
  std::vector<unsigned char> bytes(static_cast<std::size_t>(size));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(bytes.data()), size);
  bitpq::require(in.gcount() == size, bitpq::errc::io_failure, file.string(), " cannot be read");
  return bytes;
}

/// A JPEG file whose end is missing; stb would make up the rest. Behind the last start of a scan an end must follow:
/// within a scan no such marker occurs.
bool is_cut_jpeg(const std::vector<unsigned char>& bytes) {
  constexpr unsigned char start[] = {0xFF, 0xD8}, scan[] = {0xFF, 0xDA}, end[] = {0xFF, 0xD9};
  if (bytes.size() < 2 || !std::equal(start, start + 2, bytes.begin())) return false;
  const auto last_scan = std::find_end(bytes.begin(), bytes.end(), scan, scan + 2);
  return std::search(last_scan, bytes.end(), end, end + 2) == bytes.end();
}

/// The weights with which one output pixel is made of input pixels first, first + 1, ...
struct taps {
  std::size_t first = 0;
  std::vector<float> weights;
};

/// A triangle around each of `count` output pixels of `out`, from `begin` on, as wide as the pixels it stands for, and
/// at least two input pixels wide.
std::vector<taps> bilinear_taps(std::size_t in, std::size_t out, std::size_t begin, std::size_t count) {
  const double scale = static_cast<double>(in) / static_cast<double>(out), support = std::max(scale, 1.0);
  std::vector<taps> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double centre = scale * (static_cast<double>(begin + i) + 0.5);
    const auto first = static_cast<std::size_t>(std::max(centre - support + 0.5, 0.0));
    const auto last = static_cast<std::size_t>(std::min(centre + support + 0.5, static_cast<double>(in)));
    std::vector<double> weights(last - first);
    double sum = 0;
    for (std::size_t k = 0; k < weights.size(); ++k) {
      weights[k] = std::max(0.0, 1 - std::abs((static_cast<double>(first + k) - centre + 0.5) / support));
      sum += weights[k];
    }
    all[i].first = first;
    for (const double w : weights) all[i].weights.push_back(static_cast<float>(w / sum));
  }
  return all;
}

/// The numbers that a channel's bytes stand for.
std::array<float, 256> numbers_of(std::size_t channel, const normalisation& by) {
  std::array<float, 256> numbers{};
  for (std::size_t v = 0; v < numbers.size(); ++v)
    numbers[v] = (static_cast<float>(v) / 255.0F - by.mean[channel]) / by.deviation[channel];
  return numbers;
}

/// Along one side of an image: the taps of the pixels that are left when it has been scaled to `scaled` pixels and its
/// middle has been cut out.
std::vector<taps> cropped_taps(std::size_t in, std::size_t scaled, std::size_t crop) {
  const auto margin = static_cast<std::size_t>(std::nearbyint(static_cast<double>(scaled - crop) / 2));  // as torch
  return bilinear_taps(in, scaled, margin, crop);
}

}  // namespace

image read_image(const std::filesystem::path& file) {
  const std::vector<unsigned char> bytes = bytes_of(file);
  bitpq::require(!is_cut_jpeg(bytes), bitpq::errc::corrupt_file, file.string(), ": the JPEG's end is missing");
  int width = 0, height = 0, channels = 0;
  if (stbi_info_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels) != 0)
    bitpq::require(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) <= max_pixels,
                   bitpq::errc::unsupported, file.string(), ": an image of ", width, " x ", height,
                   " pixels, more than the ", max_pixels, " that are read");
  const std::unique_ptr<unsigned char, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3),
      stbi_image_free);
  bitpq::require(pixels != nullptr, bitpq::errc::corrupt_file, file.string(), ": ", stbi_failure_reason());
  image result{static_cast<std::size_t>(height), static_cast<std::size_t>(width), {}};
  result.pixels.assign(pixels.get(), pixels.get() + result.height * result.width * 3);
  return result;
}

image centre_crop(const image& from, bitpq::extent2 size) {
  bitpq::require(size.h <= from.height && size.w <= from.width, bitpq::errc::bad_shape, "a crop of ", size.h, " x ",
                 size.w, " from an image of ", from.height, " x ", from.width);
  image result{size.h, size.w, {}};
  const std::size_t top = (from.height - size.h) / 2, left = (from.width - size.w) / 2;
  for (std::size_t y = 0; y < size.h; ++y) {
    const auto row = from.pixels.begin() + static_cast<std::ptrdiff_t>(((top + y) * from.width + left) * 3);
    result.pixels.insert(result.pixels.end(), row, row + static_cast<std::ptrdiff_t>(size.w * 3));
  }
  return result;
}

tensor to_tensor(const image& from, const normalisation& by) {
  tensor x(1, 3, from.height, from.width);
  const std::size_t plane = from.height * from.width;
  for (std::size_t c = 0; c < 3; ++c) {
    const std::array<float, 256> numbers = numbers_of(c, by);
    for (std::size_t p = 0; p < plane; ++p) x.data()[c * plane + p] = numbers[from.pixels[p * 3 + c]];
  }
  return x;
}

tensor photograph(const image& from, std::size_t shorter, std::size_t crop, const normalisation& by) {
  bitpq::require(from.height > 0 && from.width > 0 && crop > 0 && crop <= shorter, bitpq::errc::bad_params,
                 "a crop of ", crop, " from ", from.height, " x ", from.width, " pixels scaled to ", shorter);
  if (from.height == crop && from.width == crop) return to_tensor(from, by);
  const std::size_t least = std::min(from.height, from.width);
  const std::vector<taps> down = cropped_taps(from.height, from.height * shorter / least, crop);
  const std::vector<taps> across = cropped_taps(from.width, from.width * shorter / least, crop);
  const std::size_t top = down.front().first, rows = down.back().first + down.back().weights.size() - top;
  std::vector<float> narrow(rows * crop);  // one channel of the rows that are seen, scaled across
  tensor x(1, 3, crop, crop);
  for (std::size_t c = 0; c < 3; ++c) {
    const std::array<float, 256> numbers = numbers_of(c, by);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t i = 0; i < crop; ++i) {
        const std::uint8_t* const read = from.pixels.data() + ((top + r) * from.width + across[i].first) * 3 + c;
        float sum = 0;
        for (std::size_t k = 0; k < across[i].weights.size(); ++k) sum += across[i].weights[k] * numbers[read[3 * k]];
        narrow[r * crop + i] = sum;
      }
    float* to = x.data() + c * crop * crop;
    for (const taps& t : down) {
      for (std::size_t k = 0; k < t.weights.size(); ++k)
        for (std::size_t i = 0; i < crop; ++i) to[i] += t.weights[k] * narrow[(t.first - top + k) * crop + i];
      to += crop;
    }
  }
  return x;
}

tensor resize(const tensor& x, bitpq::extent2 size) {
  const auto [height, width] = x.size();
  bitpq::require(height * width > 0 && size.h * size.w > 0, bitpq::errc::bad_shape, "resizing ", height, " x ", width,
                 " pixels to ", size.h, " x ", size.w);
  const std::vector<taps> across = bilinear_taps(width, size.w, 0, size.w);
  const std::vector<taps> down = bilinear_taps(height, size.h, 0, size.h);
  tensor y(x.batch(), x.channels(), size.h, size.w);
  std::vector<float> narrow(height * size.w);  // one map, resized across
  for (std::size_t map = 0; map < x.batch() * x.channels(); ++map) {
    const float* const from = x.data() + map * height * width;
    for (std::size_t r = 0; r < height; ++r)
      for (std::size_t c = 0; c < size.w; ++c) {
        const float* const read = from + r * width + across[c].first;
        float sum = 0;
        for (std::size_t k = 0; k < across[c].weights.size(); ++k) sum += across[c].weights[k] * read[k];
        narrow[r * size.w + c] = sum;
      }
    float* to = y.data() + map * size.h * size.w;
    for (const taps& t : down) {
      for (std::size_t k = 0; k < t.weights.size(); ++k)
        for (std::size_t c = 0; c < size.w; ++c) to[c] += t.weights[k] * narrow[(t.first + k) * size.w + c];
      to += size.w;
    }
  }
  return y;
}

}  // namespace engine
