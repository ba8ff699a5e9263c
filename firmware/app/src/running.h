/* The image that runs now: version and hash out of its MCUboot header and TLVs.
 *
 * On a non-secure build the header lies in the secure domain (mcuboot_pad), so it comes through TF-M's read service,
 * which allows exactly that range under Partition Manager and refuses it without; the TLVs behind the image are
 * non-secure. Where the header cannot be read the version is that of the VERSION file and the hash is unknown. */
#ifndef APP_RUNNING_H
#define APP_RUNNING_H

#include <stdbool.h>
#include <stdint.h>

#define RUNNING_HASH_MAX 64u

/* Reads the primary slot once. 0, or a negative errno: -EIO when it cannot be read, -ENOEXEC when there is no walkable
 * image. */
int running_read(void);

/* "major.minor.revision+build": the header's, or the VERSION file's until running_read succeeded. */
const char* running_version(void);

/* The image's hash TLV; `size` is 0 where it is unknown. */
const uint8_t* running_hash(uint16_t* size);

/* The bootloader swapped this image in for a test: it goes back at the next reset unless it is confirmed. */
bool running_on_trial(void);

/* Keeps the image. 0 or -EIO; harmless when it is kept already. */
int running_confirm(void);

#endif
