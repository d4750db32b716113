# SPDX-License-Identifier: Apache-2.0

set(threads 2)
find_package(Threads REQUIRED)
list(APPEND libraries Threads::Threads)
