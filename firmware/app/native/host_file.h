/* Files of the host, for what runs on native_sim: built into the runner, with the host's C library. */
#ifndef APP_HOST_FILE_H
#define APP_HOST_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Reads at most `size` bytes. Their number, or -1. */
int host_file_read_text(const char* path, char* into, size_t size);

/* Maps `size` bytes of `path`, made and filled with 0xff where it is absent or short. Null on failure. */
uint8_t* host_file_map(const char* path, size_t size);

#endif
