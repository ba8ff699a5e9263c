/* MCUboot's two slots as the firmware core sees them: the primary in the SoC's flash, the secondary in the SPI NOR
 * part. Addresses come from Partition Manager where nRF Connect SDK runs it, otherwise from the devicetree. */
#ifndef APP_SLOTS_H
#define APP_SLOTS_H

#include <stdint.h>

#include "core/flash.h"

struct device;

/* Opens both areas. 0, or a negative errno: -ENODEV when the part behind the secondary slot did not come up. */
int slots_open(void);

const struct fota_flash* slots_primary(void);
const struct fota_flash* slots_secondary(void);

/* Where in the secondary slot a package is written: all of it, or what follows its first sector where the bootloader
 * swaps using offset. Ends where the slot ends. */
const struct fota_flash* slots_upload(void);

/* Before a new package: takes away what would make the bootloader refuse it. At most one erase; 0 or -EIO. */
int slots_make_room(void);

/* Bytes: where the last TLV of an image may end, by the swap mode and both slots. */
uint32_t slots_image_limit(void);

/* "move", "offset" or "overwrite": how the bootloader of this build installs an image. */
const char* slots_boot_mode(void);

/* The SPI NOR part that holds the secondary slot. */
const struct device* slots_external_device(void);

#endif
