// SPDX-License-Identifier: Apache-2.0
#pragma once

// One compression of a layer, as a host program would compile it. A host's -fopenmp makes Eigen run its products on
// several threads, of which the results must not depend. Two translation units of this program include
// openmp_host.ipp, one of them without OpenMP.

#include <cstdint>
#include <string>
#include <vector>

struct host_result {
  std::string unusable;  // why nothing ran, or empty
  int eigen_threads = 0;
  std::vector<std::uint16_t> codes;
  std::vector<float> codewords;
  double objective = 0, output_error = 0;
  std::vector<double> whitened;  // points in a metric of many dimensions
};

host_result run_without_openmp();
host_result run_with_openmp();
