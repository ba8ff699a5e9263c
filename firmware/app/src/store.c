#include "store.h"

#include <errno.h>
#include <string.h>
#include <zephyr/settings/settings.h>

static uint8_t package_record[FOTA_PACKAGE_RECORD_SIZE];
static struct update_record update;

static int load(const char* key, size_t size, settings_read_cb read, void* context) {
    void* into = NULL;
    size_t expected = 0;

    if (strcmp(key, "package") == 0) {
        into = package_record;
        expected = sizeof(package_record);
    } else if (strcmp(key, "update") == 0) {
        into = &update;
        expected = sizeof(update);
    }
    if (into == NULL || size != expected) {
        return -ENOENT;
    }
    return read(context, into, expected) == (ssize_t)expected ? 0 : -EIO;
}

SETTINGS_STATIC_HANDLER_DEFINE(fota, "fota", NULL, load, NULL, NULL);

int store_load(void) {
    const int rc = settings_subsys_init();

    return rc == 0 ? settings_load_subtree("fota") : rc;
}

const uint8_t* store_package(void) {
    return package_record;
}

int store_save_package(const struct fota_package* package) {
    fota_package_encode(package, package_record);
    return settings_save_one("fota/package", package_record, sizeof(package_record));
}

const struct update_record* store_update(void) {
    return &update;
}

int store_save_update(const struct update_record* record) {
    update = *record;
    return settings_save_one("fota/update", &update, sizeof(update));
}
