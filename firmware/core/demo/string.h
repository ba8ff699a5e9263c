/* The three functions of string.h that the core uses, for a build without a C library (-ffreestanding -nostdlib). */
#ifndef FOTA_DEMO_STRING_H
#define FOTA_DEMO_STRING_H

#include <stddef.h>

void* memcpy(void* restrict to, const void* restrict from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);

#endif
