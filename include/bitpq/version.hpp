// SPDX-License-Identifier: Apache-2.0
#pragma once

// The version of bitpq. It lives here and nowhere else: the build reads these three lines, so the package
// version, the installed version file and what a program sees at compile time cannot drift apart.

namespace bitpq {
inline namespace v1 {

inline constexpr int version_major = 0;
inline constexpr int version_minor = 1;
inline constexpr int version_patch = 0;

/// One number that grows with every release: 10000 * major + 100 * minor + patch.
inline constexpr int version_number = version_major * 10000 + version_minor * 100 + version_patch;

}  // namespace v1
}  // namespace bitpq
