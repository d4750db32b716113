// SPDX-License-Identifier: Apache-2.0
#pragma once

// Macros that real headers leave behind. Each stands for a library whose users would otherwise be locked out; an
// expansion that is no C++ shows at once where a header of bitpq used the bare name.

#define BITPQ_HOSTILE (] a macro of someone else was expanded here [)

// <windows.h>
#define min(a, b) BITPQ_HOSTILE
#define max(a, b) BITPQ_HOSTILE
#define near BITPQ_HOSTILE
#define far BITPQ_HOSTILE
#define small BITPQ_HOSTILE
#define interface BITPQ_HOSTILE
#define IN BITPQ_HOSTILE
#define OUT BITPQ_HOSTILE
#define DELETE BITPQ_HOSTILE
#define ERROR BITPQ_HOSTILE
#define CONST BITPQ_HOSTILE
#define VOID BITPQ_HOSTILE
#define OPAQUE BITPQ_HOSTILE
#define TRANSPARENT BITPQ_HOSTILE
#define NO_ERROR BITPQ_HOSTILE
#define GetMessage BITPQ_HOSTILE

// <complex.h>
#define I BITPQ_HOSTILE

// <termios.h>, <ctype.h>-style constants
#define B0 BITPQ_HOSTILE
#define B1 BITPQ_HOSTILE
#define _B BITPQ_HOSTILE
#define _N BITPQ_HOSTILE
#define _L BITPQ_HOSTILE

// <sys/sysmacros.h>
#define major(dev) BITPQ_HOSTILE
#define minor(dev) BITPQ_HOSTILE

// <sys/param.h>, kernels, old C
#define MIN(a, b) BITPQ_HOSTILE
#define MAX(a, b) BITPQ_HOSTILE
#define roundup(x, y) BITPQ_HOSTILE
#define howmany(x, y) BITPQ_HOSTILE
#define unix BITPQ_HOSTILE
#define linux BITPQ_HOSTILE

// Apple's AssertMacros.h, glog, LibTorch, X11, Qt, BLAS and OpenCV headers
#define check(condition) BITPQ_HOSTILE
#define verify(condition) BITPQ_HOSTILE
#define CHECK(condition) BITPQ_HOSTILE
#define LOG(level) BITPQ_HOSTILE
#define None BITPQ_HOSTILE
#define Bool BITPQ_HOSTILE
#define Status BITPQ_HOSTILE
#define slots BITPQ_HOSTILE
#define signals BITPQ_HOSTILE
#define emit BITPQ_HOSTILE
#define foreach BITPQ_HOSTILE
#define DEBUG BITPQ_HOSTILE
#define TRUE BITPQ_HOSTILE
#define FALSE BITPQ_HOSTILE
#define PI BITPQ_HOSTILE
#define EPS BITPQ_HOSTILE
