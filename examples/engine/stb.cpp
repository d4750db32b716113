// SPDX-License-Identifier: Apache-2.0

// stb_image is a header that is its own library in the one file which says so. Large enough an image to exhaust the
// memory is refused by its size.

#define STB_IMAGE_IMPLEMENTATION
#define STBI_MAX_DIMENSIONS (1 << 15)
#define STBI_FAILURE_USERMSG
#include <stb_image.h>
