/* What has gone wrong in other people's builds, as errors of this one. The names are those of `fotactl layout check`;
 * what only MCUboot's own configuration can tell is compared in sysbuild/CMakeLists.txt. */
#include <zephyr/devicetree.h>
#include <zephyr/sys/util.h>

#include "partitions.h"

#define SECTOR 0x1000
#define SPU_REGION 0x8000

/* ---- driver and bus ---- */

/* qspi-driver-on-spi-flash */
BUILD_ASSERT(!IS_ENABLED(CONFIG_NORDIC_QSPI_NOR), "CONFIG_NORDIC_QSPI_NOR=y, but the nRF91 has no QSPI peripheral");
/* app-spi-nor-disabled */
BUILD_ASSERT(IS_ENABLED(CONFIG_SPI) && IS_ENABLED(CONFIG_SPI_NOR), "expected CONFIG_SPI=y and CONFIG_SPI_NOR=y");
/* spi-nor-page-size-not-4096: 65536 by default, which MCUboot counts as other sectors than the primary slot's */
BUILD_ASSERT(CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE == SECTOR, "expected CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096");
#if defined(CONFIG_SPI_NRFX_RAM_BUFFER_SIZE)
/* spi-ram-buffer-too-small: EasyDMA cannot read constants out of flash */
BUILD_ASSERT(CONFIG_SPI_NRFX_RAM_BUFFER_SIZE >= 32, "expected CONFIG_SPI_NRFX_RAM_BUFFER_SIZE of 32 or more");
#endif
/* flash-stuck-after-warm-reset: a part asleep at a warm reset is one that MCUboot does not find */
BUILD_ASSERT(!IS_ENABLED(CONFIG_SPI_NOR_IDLE_IN_DPD), "CONFIG_SPI_NOR_IDLE_IN_DPD leaves the part asleep at a reset");

#if defined(PM_MCUBOOT_SECONDARY_DEFAULT_DRIVER_KCONFIG)
/* driver-gate-closed: Partition Manager leaves a partition out of the flash map whose driver option is not set */
BUILD_ASSERT(IS_ENABLED(PM_MCUBOOT_SECONDARY_DEFAULT_DRIVER_KCONFIG),
             "the secondary slot is not in the flash map: SB_CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y");
#endif

/* ---- devicetree ---- */

/* app-spi-nor-disabled, flash-node: the part is there and enabled */
BUILD_ASSERT(DT_NODE_HAS_STATUS(EXTERNAL_FLASH_NODE, okay), "the flash node is not okay: status = \"okay\"");
BUILD_ASSERT(DT_NODE_HAS_COMPAT(EXTERNAL_FLASH_NODE, jedec_spi_nor), "expected a jedec,spi-nor part");
/* several-spi-nor-nodes */
BUILD_ASSERT(DT_NUM_INST_STATUS_OKAY(jedec_spi_nor) == 1, "expected exactly one enabled jedec,spi-nor node");
/* flash-size-in-bytes-not-bits: the third byte of the id is log2 of the size in bytes with the kits' parts */
#define JEDEC_CAPACITY DT_PROP_BY_IDX(EXTERNAL_FLASH_NODE, jedec_id, 2)
BUILD_ASSERT(DT_PROP(EXTERNAL_FLASH_NODE, size) == 8ull << JEDEC_CAPACITY,
             "the flash node's size is not that of its jedec-id: it counts bits");
/* sfdp-bfp-of-other-part: the table's second word is the number of bits, less one */
#define BFP_BYTE(index) ((unsigned long long)DT_PROP_BY_IDX(EXTERNAL_FLASH_NODE, sfdp_bfp, index))
BUILD_ASSERT((BFP_BYTE(4) | BFP_BYTE(5) << 8 | BFP_BYTE(6) << 16 | BFP_BYTE(7) << 24) + 1u ==
                 DT_PROP(EXTERNAL_FLASH_NODE, size),
             "sfdp-bfp belongs to a part of another size");
/* flash-cs-index-out-of-range */
BUILD_ASSERT(DT_REG_ADDR(EXTERNAL_FLASH_NODE) < DT_PROP_LEN_OR(DT_BUS(EXTERNAL_FLASH_NODE), cs_gpios, 1),
             "the flash node's reg is no index into the bus's cs-gpios");
#if defined(CONFIG_BOARD_NRF9160DK) || defined(CONFIG_BOARD_NRF9161DK) || defined(CONFIG_BOARD_NRF9151DK)
/* spi-clock-above-board */
BUILD_ASSERT(DT_PROP(EXTERNAL_FLASH_NODE, spi_max_frequency) <= 8000000, "the board's flash is clocked with 8 MHz");
/* dpd-exit-time-too-short, in ns: the first command after power-down would get no answer. The MX25R64 of the nRF9160-DK
 * takes 35 us, the GD25WB256 of the other two 40 us. */
#define EXIT_DPD_LEAST (IS_ENABLED(CONFIG_BOARD_NRF9160DK) ? 35000 : 40000)
BUILD_ASSERT(!DT_PROP(EXTERNAL_FLASH_NODE, has_dpd) || DT_PROP_OR(EXTERNAL_FLASH_NODE, t_exit_dpd, 0) >= EXIT_DPD_LEAST,
             "t-exit-dpd is below what the board's part needs");
/* shared-pins-or-instance: one peripheral is SPI, I2C or UART */
BUILD_ASSERT(!DT_NODE_HAS_STATUS(DT_NODELABEL(i2c3), okay) && !DT_NODE_HAS_STATUS(DT_NODELABEL(uart3), okay),
             "i2c3 and uart3 are the same peripheral as spi3, the flash's bus");
#endif

/* ---- slots ---- */

/* scratch-with-external-flash */
#if defined(CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_SCRATCH) || defined(CONFIG_MCUBOOT_BOOTLOADER_MODE_DIRECT_XIP)
#error "this application knows swap using move, swap using offset and overwrite only"
#endif
/* slot-sizes-differ */
#if defined(CONFIG_APP_BOOT_MODE_MOVE)
BUILD_ASSERT(PRIMARY_SLOT_SIZE == SECONDARY_SLOT_SIZE || PRIMARY_SLOT_SIZE == SECONDARY_SLOT_SIZE + SECTOR,
             "swap using move wants equal slots, or a primary slot that is one sector larger");
#elif defined(CONFIG_APP_BOOT_MODE_OFFSET)
BUILD_ASSERT(SECONDARY_SLOT_SIZE == PRIMARY_SLOT_SIZE || SECONDARY_SLOT_SIZE == PRIMARY_SLOT_SIZE + SECTOR,
             "swap using offset wants equal slots, or a secondary slot that is one sector larger");
#endif
/* slot-not-erase-aligned: Partition Manager aligns the external slot to 4 bytes only */
BUILD_ASSERT(PRIMARY_SLOT_ADDRESS % SECTOR == 0 && PRIMARY_SLOT_SIZE % SECTOR == 0, "the primary slot is not aligned");
BUILD_ASSERT(SECONDARY_SLOT_ADDRESS % SECTOR == 0 && SECONDARY_SLOT_SIZE % SECTOR == 0,
             "the secondary slot is not aligned");
/* max-img-sectors-too-small */
BUILD_ASSERT(MAX(PRIMARY_SLOT_SIZE, SECONDARY_SLOT_SIZE) / SECTOR <= CONFIG_APP_BOOT_MAX_IMG_SECTORS,
             "the slots have more sectors than CONFIG_APP_BOOT_MAX_IMG_SECTORS");
/* region-exceeds-device */
BUILD_ASSERT(SECONDARY_SLOT_ADDRESS + SECONDARY_SLOT_SIZE <= DT_PROP(EXTERNAL_FLASH_NODE, size) / 8,
             "the secondary slot ends behind the part");
#if defined(PM_EXTERNAL_FLASH_ADDRESS)
/* external-flash-placeholder-overlap */
BUILD_ASSERT(PM_EXTERNAL_FLASH_ADDRESS >= SECONDARY_SLOT_ADDRESS + SECONDARY_SLOT_SIZE ||
                 PM_EXTERNAL_FLASH_ADDRESS + PM_EXTERNAL_FLASH_SIZE <= SECONDARY_SLOT_ADDRESS,
             "the placeholder external_flash overlaps the secondary slot");
#endif
/* fprotect-length-misaligned */
BUILD_ASSERT(PRIMARY_SLOT_ADDRESS % SPU_REGION == 0, "the primary slot does not begin on a region of 32 KiB");
#if defined(USE_PARTITION_MANAGER) && USE_PARTITION_MANAGER && defined(CONFIG_TRUSTED_EXECUTION_NONSECURE)
/* spu-misaligned */
BUILD_ASSERT(PM_APP_ADDRESS % SPU_REGION == 0, "the non-secure image does not begin on a region of 32 KiB");
BUILD_ASSERT(PM_NONSECURE_STORAGE_ADDRESS % SPU_REGION == 0, "nonsecure_storage is not on a region of 32 KiB");
/* mcuboot-partition-too-small */
BUILD_ASSERT(PM_MCUBOOT_SIZE >= 0xd000, "MCUboot with the SPI NOR driver does not fit below 0xd000 bytes");
#endif

/* ---- serial ports ---- */

#if DT_HAS_CHOSEN(ncs_at_host_uart)
/* at-host-port-disabled: uart1 is off on the kits' non-secure variants */
BUILD_ASSERT(DT_NODE_HAS_STATUS(DT_CHOSEN(ncs_at_host_uart), okay), "the port of ncs,at-host-uart is not okay");
#endif

/* ---- LwM2M ---- */

/* erase-stalls-ack */
BUILD_ASSERT(CONFIG_COAP_INIT_ACK_TIMEOUT_MS >= 4000, "a block may wait for an erase: 4000 ms or more");
/* psk-settings */
BUILD_ASSERT(CONFIG_LWM2M_SECURITY_KEY_SIZE >= 33, "a PSK of 16 bytes is 33 characters as hex text");
/* server-name-not-resolved */
BUILD_ASSERT(IS_ENABLED(CONFIG_LWM2M_DNS_SUPPORT), "a server by its name needs CONFIG_LWM2M_DNS_SUPPORT=y");
/* update-object-mismatch */
BUILD_ASSERT(IS_ENABLED(CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT), "object 5 is what this firmware is about");
#if defined(CONFIG_LWM2M_CLIENT_UTILS_ADV_FIRMWARE_UPDATE_OBJ_SUPPORT)
#error "object 33629 beside object 5: a server would not know which to use"
#endif
#if defined(CONFIG_DFU_TARGET_FULL_MODEM)
#error "full-modem images are written from the start of the external flash, where the secondary slot is"
#endif
