/* A SPI NOR part on native_sim's emulated SPI bus, backed by a file: what the part on the development kit does, seen
 * from Zephyr's own spi_nor driver. Identity, size and SFDP table are those of the devicetree node.
 *
 * Commands: JEDEC JESD216 and the MX25R6435F's command set. Programming only clears bits and wraps within its page of
 * 256 bytes; a write or erase without write enable is ignored; while the part is in deep power-down it answers nothing
 * but the release. */
#define DT_DRV_COMPAT jedec_spi_nor

#include <cmdline.h>
#include <errno.h>
#include <posix_native_task.h>
#include <string.h>
#include <zephyr/device.h>
#include <zephyr/drivers/emul.h>
#include <zephyr/drivers/spi.h>
#include <zephyr/drivers/spi_emul.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/sys/byteorder.h>
#include <zephyr/sys/util.h>

#include "host_file.h"

LOG_MODULE_REGISTER(spi_nor_emul, LOG_LEVEL_INF);

#define PART_SIZE (DT_INST_PROP(0, size) / 8u) /* the property counts bits */
#define PAGE_SIZE 256u
#define STATUS_WEL 0x02u
#define SFDP_TABLE 0x30u /* where the basic table lies in SFDP space */

enum {
    CMD_WRITE_STATUS = 0x01,
    CMD_PROGRAM = 0x02,
    CMD_READ = 0x03,
    CMD_WRITE_DISABLE = 0x04,
    CMD_READ_STATUS = 0x05,
    CMD_WRITE_ENABLE = 0x06,
    CMD_ERASE_4K = 0x20,
    CMD_ERASE_32K = 0x52,
    CMD_READ_SFDP = 0x5a,
    CMD_READ_ID = 0x9f,
    CMD_RELEASE = 0xab,
    CMD_POWER_DOWN = 0xb9,
    CMD_ERASE_64K = 0xd8,
};

static const uint8_t id[] = DT_INST_PROP(0, jedec_id);
static const uint8_t bfp[] = DT_INST_PROP(0, sfdp_bfp);

static char* path = "external.bin";
static uint8_t* memory;
static uint8_t status;
static bool powered_down;

static void options(void) {
    static struct args_struct_t table[] = {
        {.option = "external", .name = "file", .type = 's', .dest = &path, .descript = "contents of the SPI NOR part"},
        ARG_TABLE_ENDMARKER,
    };
    native_add_command_line_opts(table);
}

NATIVE_TASK(options, PRE_BOOT_1, 11);

static uint8_t sfdp_byte(uint32_t at) {
    /* Header with one parameter table: JESD216B, 6.2 and 6.3. */
    static const uint8_t header[16] = {
        'S', 'F', 'D', 'P', 0x06, 0x01, 0x00, 0xff, 0x00, 0x06, 0x01, sizeof(bfp) / 4u, SFDP_TABLE, 0x00, 0x00, 0xff};
    if (at < sizeof(header)) {
        return header[at];
    }
    return at >= SFDP_TABLE && at - SFDP_TABLE < sizeof(bfp) ? bfp[at - SFDP_TABLE] : 0xffu;
}

static void erase(uint32_t address, uint32_t size) {
    (void)memset(&memory[(address % PART_SIZE) & ~(size - 1u)], 0xff, size);
}

static void program(uint32_t address, const uint8_t* data, size_t size) {
    const uint32_t page = (address % PART_SIZE) & ~(PAGE_SIZE - 1u);

    for (size_t i = 0; i < size; i++) {
        memory[page + ((address + i) % PAGE_SIZE)] &= data[i];
    }
}

/* Everything after the command's own bytes: `in` is what the host sends, `out` what it clocks in; either may be null.
 */
static void run(const uint8_t* command, const uint8_t* in, uint8_t* out, size_t size) {
    const uint32_t address = sys_get_be24(&command[1]);
    const bool enabled = (status & STATUS_WEL) != 0u;

    switch (command[0]) {
        case CMD_READ_ID:
            for (size_t i = 0; out != NULL && i < size; i++) {
                out[i] = i < sizeof(id) ? id[i] : 0u;
            }
            return;
        case CMD_READ_STATUS:
            (void)memset(out, status, size);
            return;
        case CMD_READ_SFDP:
            for (size_t i = 0; i < size; i++) {
                out[i] = sfdp_byte(address + (uint32_t)i);
            }
            return;
        case CMD_READ:
            for (size_t i = 0; i < size; i++) {
                out[i] = memory[(address + i) % PART_SIZE];
            }
            return;
        case CMD_WRITE_ENABLE:
            status |= STATUS_WEL;
            return;
        case CMD_POWER_DOWN:
            powered_down = true;
            return;
        case CMD_RELEASE:
            return;
        case CMD_PROGRAM:
            if (enabled) {
                program(address, in, size);
            }
            break;
        case CMD_ERASE_4K:
            if (enabled) {
                erase(address, 4096u);
            }
            break;
        case CMD_ERASE_32K:
            if (enabled) {
                erase(address, 32768u);
            }
            break;
        case CMD_ERASE_64K:
            if (enabled) {
                erase(address, 65536u);
            }
            break;
        case CMD_WRITE_STATUS:
        case CMD_WRITE_DISABLE:
            break;
        default:
            LOG_WRN("command %02x is none of this part's", command[0]);
            return;
    }
    status &= (uint8_t)~STATUS_WEL;
}

/* One chip select: the driver sends command, address and waiting byte in the first buffer, data in the second. */
static int io(const struct emul* target, const struct spi_config* config, const struct spi_buf_set* tx,
              const struct spi_buf_set* rx) {
    ARG_UNUSED(target);
    ARG_UNUSED(config);
    uint8_t command[8] = {0};

    if (tx == NULL || tx->count == 0u || tx->buffers[0].len == 0u || tx->buffers[0].len > sizeof(command)) {
        return -EIO;
    }
    (void)memcpy(command, tx->buffers[0].buf, tx->buffers[0].len);
    if (powered_down && command[0] != CMD_RELEASE) {
        for (size_t i = 1; rx != NULL && i < rx->count; i++) {
            (void)memset(rx->buffers[i].buf, 0xff, rx->buffers[i].len);
        }
        return 0;
    }
    powered_down = false;
    if (rx != NULL && rx->count > 1u && rx->buffers[1].buf != NULL) {
        run(command, NULL, rx->buffers[1].buf, rx->buffers[1].len);
    } else if (tx->count > 1u) {
        run(command, tx->buffers[1].buf, NULL, tx->buffers[1].len);
    } else {
        run(command, NULL, NULL, 0u);
    }
    return 0;
}

static int init(const struct emul* target, const struct device* parent) {
    ARG_UNUSED(target);
    ARG_UNUSED(parent);
    memory = host_file_map(path, PART_SIZE);
    if (memory == NULL) {
        LOG_ERR("%s cannot be mapped", path);
        return -EIO;
    }
    return 0;
}

static const struct spi_emul_api api = {.io = io};

EMUL_DT_INST_DEFINE(0, init, NULL, NULL, &api, NULL);
