/* The identifiers and addresses of the slots: pm_config.h under Partition Manager, devicetree labels otherwise. */
#ifndef APP_PARTITIONS_H
#define APP_PARTITIONS_H

#include <zephyr/devicetree.h>
#include <zephyr/storage/flash_map.h>

#if defined(USE_PARTITION_MANAGER) && USE_PARTITION_MANAGER
#include <pm_config.h>
#define PRIMARY_SLOT_ID PM_MCUBOOT_PRIMARY_ID
#define SECONDARY_SLOT_ID PM_MCUBOOT_SECONDARY_ID
#define PRIMARY_SLOT_ADDRESS PM_MCUBOOT_PRIMARY_ADDRESS
#define PRIMARY_SLOT_SIZE PM_MCUBOOT_PRIMARY_SIZE
#define SECONDARY_SLOT_ADDRESS PM_MCUBOOT_SECONDARY_ADDRESS
#define SECONDARY_SLOT_SIZE PM_MCUBOOT_SECONDARY_SIZE
#else
#define PRIMARY_SLOT_ID FIXED_PARTITION_ID(slot0_partition)
#define SECONDARY_SLOT_ID FIXED_PARTITION_ID(slot1_partition)
#define PRIMARY_SLOT_ADDRESS FIXED_PARTITION_OFFSET(slot0_partition)
#define PRIMARY_SLOT_SIZE FIXED_PARTITION_SIZE(slot0_partition)
#define SECONDARY_SLOT_ADDRESS FIXED_PARTITION_OFFSET(slot1_partition)
#define SECONDARY_SLOT_SIZE FIXED_PARTITION_SIZE(slot1_partition)
#endif

/* The SPI NOR part behind the secondary slot. */
#if DT_HAS_CHOSEN(nordic_pm_ext_flash)
#define EXTERNAL_FLASH_NODE DT_CHOSEN(nordic_pm_ext_flash)
#else
#define EXTERNAL_FLASH_NODE DT_MTD_FROM_FIXED_PARTITION(DT_NODELABEL(slot1_partition))
#endif

#endif
