#include "memory_nor.h"

#include <string.h>

static int fails(uint32_t* count) {
    if (*count == 0u) {
        return 0;
    }
    (*count)--;
    return 1;
}

static int outside(struct nor* nor, uint32_t offset, size_t size, uint32_t align) {
    if ((offset > NOR_SIZE) || (size > (NOR_SIZE - offset)) || ((offset % align) != 0u) || ((size % align) != 0u)) {
        nor->violations++;
        return 1;
    }
    return 0;
}

static int nor_read(void* context, uint32_t offset, void* data, size_t size) {
    struct nor* nor = context;
    if ((outside(nor, offset, size, 1u) != 0) || (fails(&nor->failing_reads) != 0)) {
        return -5;
    }
    (void)memcpy(data, &nor->cells[offset], size);
    return 0;
}

static int nor_write(void* context, uint32_t offset, const void* data, size_t size) {
    struct nor* nor = context;
    const uint8_t* bytes = data;

    nor->writes++;
    if ((outside(nor, offset, size, nor->flash.write_size) != 0) || (fails(&nor->failing_writes) != 0)) {
        return -5;
    }
    if (fails(&nor->lost_writes) != 0) {
        return 0;
    }
    for (size_t i = 0u; i < size; i++) {
        nor->violations += (nor->cells[offset + i] != FOTA_ERASED) ? 1u : 0u;
        nor->cells[offset + i] &= bytes[i];
    }
    return 0;
}

static int nor_erase(void* context, uint32_t offset, size_t size) {
    struct nor* nor = context;
    nor->erases++;
    if ((outside(nor, offset, size, NOR_SECTOR) != 0) || (fails(&nor->failing_erases) != 0)) {
        return -5;
    }
    (void)memset(&nor->cells[offset], (int)FOTA_ERASED, size);
    return 0;
}

void nor_init(struct nor* nor, uint8_t* cells, uint32_t write_size) {
    const struct nor fresh = {
        {nor, nor_read, nor_write, nor_erase, NOR_SIZE, NOR_SECTOR, write_size}, cells, 0u, 0u, 0u, 0u, 0u, 0u, 0u};
    *nor = fresh;
    (void)memset(cells, (int)FOTA_ERASED, NOR_SIZE);
}
