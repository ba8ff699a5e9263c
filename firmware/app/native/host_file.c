#include "host_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int host_file_read_text(const char* path, char* into, size_t size) {
    const int fd = open(path, O_RDONLY);

    if (fd < 0) {
        return -1;
    }
    const ssize_t got = read(fd, into, size);
    (void)close(fd);
    return (int)got;
}

uint8_t* host_file_map(const char* path, size_t size) {
    const int fd = open(path, O_RDWR | O_CREAT, 0600);
    struct stat found;
    uint8_t* map = MAP_FAILED;

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &found) == 0 && ftruncate(fd, (off_t)size) == 0) {
        map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    (void)close(fd);
    if (map == MAP_FAILED) {
        return NULL;
    }
    if ((size_t)found.st_size < size) {
        (void)memset(map + found.st_size, 0xff, size - (size_t)found.st_size);
    }
    return map;
}
