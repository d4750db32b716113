// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reader for the idx files of the MNIST family (images and labels), plain or gzip'd. The demo and the
// training program share it. A file is accepted only when its magic number, its dimensions and its length
// agree; every refusal names the file and the numbers that disagree.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <zlib.h>

namespace fashion_mnist {

/// Thrown for a data file that cannot be opened, is damaged, or is not what it should be.
class data_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr std::size_t image_side = 28;
inline constexpr std::size_t image_pixels = image_side * image_side;
inline constexpr std::size_t class_count = 10;

/// Mean and standard deviation of the training pixels scaled to [0, 1].
inline constexpr float pixel_mean = 0.2860F;
inline constexpr float pixel_std = 0.3530F;

/// Labelled images: `pixels` is [count][28][28] bytes row-major, `labels` one class (0..9) per image.
struct image_set {
  std::vector<std::uint8_t> pixels;
  std::vector<std::uint8_t> labels;

  std::size_t count() const noexcept { return labels.size(); }
  const std::uint8_t* image(std::size_t index) const noexcept { return pixels.data() + index * image_pixels; }
};

/// Which half of the data set a file belongs to.
enum class split { train, test };

namespace detail {

/// A gzip (or plain) file being read; every failure becomes a data_error that names the file.
class gz_reader {
 public:
  explicit gz_reader(std::string path) : path_(std::move(path)), file_(gzopen(path_.c_str(), "rb")) {
    if (!file_) throw data_error(path_ + ": cannot be opened");
  }

  /// Reads exactly `size` bytes; `what` names the part in the error of a file that ends early.
  void read(std::uint8_t* out, std::size_t size, const char* what) {
    const std::size_t got = read_some(out, size);
    if (got != size) {
      throw data_error(path_ + ": ends inside the " + what + ", " + std::to_string(got) + " of " +
                       std::to_string(size) + " bytes present");
    }
  }

  /// Throws unless the file ends here (which also makes zlib check the gzip checksum).
  void expect_end() {
    std::uint8_t extra = 0;
    if (read_some(&extra, 1) != 0) throw data_error(path_ + ": holds more data than its header announces");
  }

  const std::string& path() const noexcept { return path_; }

 private:
  struct closer {
    void operator()(gzFile_s* file) const noexcept { gzclose(file); }
  };

  std::size_t read_some(std::uint8_t* out, std::size_t size) {
    constexpr std::size_t chunk = std::size_t{1} << 20U;  // gzread counts in unsigned int
    std::size_t done = 0;
    while (done < size) {
      const auto want = static_cast<unsigned>(size - done < chunk ? size - done : chunk);
      const int got = gzread(file_.get(), out + done, want);
      if (got < 0) fail_damaged();
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) throw data_error(path_ + ": the gzip stream is cut short");
    if (code != Z_OK && code != Z_STREAM_END) fail_damaged();
    return done;
  }

  [[noreturn]] void fail_damaged() {
    int code = Z_OK;
    const char* text = gzerror(file_.get(), &code);
    throw data_error(path_ + ": damaged gzip stream (" + text + ")");
  }

  std::string path_;
  std::unique_ptr<gzFile_s, closer> file_;
};

inline std::uint32_t read_big_endian(gz_reader& in, const char* what) {
  std::array<std::uint8_t, 4> b{};
  in.read(b.data(), b.size(), what);
  return (std::uint32_t{b[0]} << 24U) | (std::uint32_t{b[1]} << 16U) | (std::uint32_t{b[2]} << 8U) | b[3];
}

inline void expect(const gz_reader& in, const char* what, std::uint32_t got, std::uint32_t want) {
  if (got == want) return;
  throw data_error(in.path() + ": " + what + " is " + std::to_string(got) + ", expected " + std::to_string(want));
}

/// Reads magic number and item count; the count is bounded so that a damaged header cannot ask for all
/// memory.
inline std::size_t read_header(gz_reader& in, std::uint32_t magic) {
  constexpr std::uint32_t most = 1'000'000;
  expect(in, "magic number", read_big_endian(in, "header"), magic);
  const std::uint32_t count = read_big_endian(in, "header");
  if (count == 0 || count > most) {
    throw data_error(in.path() + ": announces " + std::to_string(count) + " items, expected 1 to " +
                     std::to_string(most));
  }
  return count;
}

}  // namespace detail

/// Pixels of an idx3 file of 28 x 28 images, [count][28][28]. Throws data_error.
inline std::vector<std::uint8_t> read_idx_images(const std::string& path) {
  detail::gz_reader in(path);
  const std::size_t count = detail::read_header(in, 0x00000803U);
  detail::expect(in, "image height", detail::read_big_endian(in, "header"), image_side);
  detail::expect(in, "image width", detail::read_big_endian(in, "header"), image_side);
  std::vector<std::uint8_t> pixels(count * image_pixels);
  in.read(pixels.data(), pixels.size(), "pixels");
  in.expect_end();
  return pixels;
}

/// Labels of an idx1 file, each below `class_count`. Throws data_error.
inline std::vector<std::uint8_t> read_idx_labels(const std::string& path) {
  detail::gz_reader in(path);
  std::vector<std::uint8_t> labels(detail::read_header(in, 0x00000801U));
  in.read(labels.data(), labels.size(), "labels");
  in.expect_end();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] >= class_count) {
      throw data_error(path + ": label " + std::to_string(i) + " is " + std::to_string(labels[i]) +
                       ", expected below " + std::to_string(class_count));
    }
  }
  return labels;
}

/// Images and labels of one split from `directory` under the data set's usual file names. Throws data_error.
inline image_set load(const std::string& directory, split which) {
  const std::string stem = directory + (which == split::train ? "/train" : "/t10k");
  image_set set{read_idx_images(stem + "-images-idx3-ubyte.gz"), read_idx_labels(stem + "-labels-idx1-ubyte.gz")};
  if (set.pixels.size() != set.labels.size() * image_pixels) {
    throw data_error(stem + "-*: " + std::to_string(set.pixels.size() / image_pixels) + " images but " +
                     std::to_string(set.labels.size()) + " labels");
  }
  return set;
}

}  // namespace fashion_mnist
