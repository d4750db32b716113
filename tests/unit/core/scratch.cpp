// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/core/scratch.hpp>

#include <algorithm>
#include <cstdint>
#include <set>
#include <thread>

using bitpq::scratch;
using bitpq::scratch_cutter;

namespace {

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % bitpq::buffer_alignment == 0; }

/// What some worker of a kernel might need.
struct parts {
  char* letters;
  double* numbers;
  float* none;
  std::uint16_t* codes;

  static parts cut(scratch_cutter& memory) {
    parts p{};
    p.letters = memory.take<char>(3);
    p.numbers = memory.take<double>(100);
    p.none = memory.take<float>(0);
    p.codes = memory.take<std::uint16_t>(33);
    return p;
  }
};

}  // namespace

TEST_CASE("scratch is aligned and as large as asked") {
  bitpq::release_scratch();
  for (const std::size_t size : {1U, 63U, 64U, 65U, 1000000U, 100U}) {
    scratch memory(size);
    REQUIRE(memory.data() != nullptr);
    CHECK(aligned(memory.data()));
    std::fill_n(memory.data(), size, std::byte{0xA5});
  }
  CHECK(scratch(0).data() != nullptr);  // what the calls before gave back
  bitpq::release_scratch();
}

TEST_CASE("a thread's next call gets the memory of its last one") {
  bitpq::release_scratch();
  const std::byte* where = nullptr;
  {
    scratch memory(1000);
    where = memory.data();
  }
  for (const std::size_t size : {1000U, 10U, 0U, 1000U}) CHECK(scratch(size).data() == where);
  std::byte* larger = nullptr;
  {
    scratch memory(2000);
    larger = memory.data();
    std::fill_n(larger, 2000, std::byte{1});
  }
  CHECK(scratch(1500).data() == larger);
  bitpq::release_scratch();
}

TEST_CASE("calls inside others on one thread borrow memory of their own") {
  bitpq::release_scratch();
  for (int round = 0; round < 3; ++round) {
    scratch outer(100);
    std::fill_n(outer.data(), 100, std::byte{1});
    {
      scratch inner(200);
      std::fill_n(inner.data(), 200, std::byte{2});
      scratch innermost(50);
      std::fill_n(innermost.data(), 50, std::byte{3});
      CHECK(std::set<const std::byte*>{outer.data(), inner.data(), innermost.data()}.size() == 3);
      CHECK(std::all_of(inner.data(), inner.data() + 200, [](std::byte b) { return b == std::byte{2}; }));
    }
    CHECK(std::all_of(outer.data(), outer.data() + 100, [](std::byte b) { return b == std::byte{1}; }));
  }
  bitpq::release_scratch();
}

TEST_CASE("threads keep their scratch apart") {
  scratch mine(100);
  std::byte* theirs = nullptr;
  std::thread([&] {
    scratch memory(100);
    theirs = memory.data();
    bitpq::release_scratch();  // what is borrowed stays
    std::fill_n(memory.data(), 100, std::byte{1});
  }).join();
  CHECK(theirs != mine.data());
}

TEST_CASE("what is too large to be had leaves the thread able to borrow") {
  CHECK_THROWS_AS(scratch(SIZE_MAX / 2), bitpq::error);
  scratch memory(100);
  std::fill_n(memory.data(), 100, std::byte{1});
}

TEST_CASE("a cutter without memory counts what one with memory cuts") {
  scratch_cutter counting;
  const parts nothing = parts::cut(counting);
  CHECK((nothing.letters == nullptr && nothing.numbers == nullptr && nothing.codes == nullptr));
  CHECK(counting.used() == 64 + 832 + 0 + 128);

  scratch memory(counting.used());
  scratch_cutter cutting(memory.data());
  const parts p = parts::cut(cutting);
  CHECK(cutting.used() == counting.used());
  CHECK((aligned(p.letters) && aligned(p.numbers) && aligned(p.codes)));
  const auto at = [&](const void* part) { return static_cast<const std::byte*>(part) - memory.data(); };
  CHECK((at(p.letters) == 0 && at(p.numbers) == 64 && at(p.codes) == 64 + 832));
}
