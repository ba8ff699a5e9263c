/* Our LwM2M object 26245 "External Flash", instance 0: which part is there, how the slots are cut, what runs, and how
 * much of a package is stored. All resources are readable; 10 is also writable.
 *
 *  0 JEDEC id (opaque)          4 primary slot size      8 SHA-256 of the stored bytes (opaque)
 *  1 size in bytes              5 secondary slot size    9 their number
 *  2 erase size in bytes        6 bootloader mode       10 start offset of the next transfer: 0, or the value of 9
 *  3 SFDP basic table (opaque)  7 hash of the running image (opaque)
 */
#ifndef APP_FLASH_OBJECT_H
#define APP_FLASH_OBJECT_H

#define FLASH_OBJECT_ID 26245

/* Creates instance 0. After flash_facts_read and running_read. 0 or a negative errno. */
int flash_object_start(void);

#endif
