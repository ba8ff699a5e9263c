/* NOR flash in memory, as strict as the host tests' (strict_nor.hpp): a write needs erased bytes, accesses are aligned.
 */
#ifndef FOTA_TARGET_MEMORY_NOR_H
#define FOTA_TARGET_MEMORY_NOR_H

#include "core/flash.h"

#define NOR_SIZE 65536u
#define NOR_SECTOR 4096u

struct nor {
    struct fota_flash flash;
    uint8_t* cells; /* NOR_SIZE bytes */
    uint32_t erases;
    uint32_t writes;
    uint32_t violations;
    uint32_t failing_reads; /* so many of the next operations fail and do nothing */
    uint32_t failing_writes;
    uint32_t failing_erases;
    uint32_t lost_writes; /* report success and do nothing */
};

/* Erased, with write blocks of `write_size`. */
void nor_init(struct nor* nor, uint8_t* cells, uint32_t write_size);

#endif
