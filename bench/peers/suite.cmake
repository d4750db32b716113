# SPDX-License-Identifier: Apache-2.0
#
# The peers, each found on its own: <peer>*.cpp are built where its peer is there. The real OpenBLAS is named by its path,
# for libblas may be any BLAS; faiss' static library, which calls a BLAS, stands before it and so gets the same one.

# bench_peer(<name> <header> <library>): an imported target bench_peer_<name>, or <name>*.cpp taken off the sources.
macro(bench_peer name header library)
  find_path(BENCH_${name}_INCLUDE ${header} PATH_SUFFIXES openblas-pthread ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
  find_library(BENCH_${name}_LIBRARY ${library} PATH_SUFFIXES openblas-pthread)
  mark_as_advanced(BENCH_${name}_INCLUDE BENCH_${name}_LIBRARY)
  if(BENCH_${name}_INCLUDE AND BENCH_${name}_LIBRARY)
    add_library(bench_peer_${name} UNKNOWN IMPORTED)
    set_target_properties(
      bench_peer_${name} PROPERTIES IMPORTED_LOCATION "${BENCH_${name}_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES
                                                                                 "${BENCH_${name}_INCLUDE}")
    list(APPEND libraries bench_peer_${name})
  else()
    message(STATUS "bitpq: ${name} not found, so its rows are left out of bench_peers")
    list(FILTER sources EXCLUDE REGEX "/${name}[^/]*$")
  endif()
endmacro()

# OpenMP is how oneDNN and faiss are held to one thread.
find_package(OpenMP QUIET COMPONENTS CXX)
bench_peer(faiss faiss/IndexPQ.h faiss)
bench_peer(onednn oneapi/dnnl/dnnl.hpp dnnl)
bench_peer(openblas openblas_config.h openblas)
if(TARGET OpenMP::OpenMP_CXX)
  list(APPEND libraries OpenMP::OpenMP_CXX)
endif()
if(TARGET bench_peer_faiss AND NOT (TARGET bench_peer_openblas AND TARGET OpenMP::OpenMP_CXX))
  message(STATUS "bitpq: no OpenBLAS or OpenMP for faiss, so its rows are left out of bench_peers")
  list(REMOVE_ITEM sources "${entry}/faiss.cpp")
  list(REMOVE_ITEM libraries bench_peer_faiss)
endif()

# Eigen has the vectors that its compiler's flags allow; it gets all of this machine's. bitpq bears no such flags.
set_source_files_properties("${entry}/eigen_product.cpp" PROPERTIES COMPILE_OPTIONS "-march=native;-w")
