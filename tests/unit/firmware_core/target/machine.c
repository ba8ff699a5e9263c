#include "machine.h"

#include <string.h>

#define SYS_OPEN 0x01u
#define SYS_CLOSE 0x02u
#define SYS_WRITE0 0x04u
#define SYS_READ 0x06u
#define SYS_FLEN 0x0cu
#define SYS_EXIT 0x18u
#define STOPPED_RUN_TIME_ERROR 0x20023u
#define STOPPED_APPLICATION_EXIT 0x20026u
#define OPEN_READ_BINARY 1u
#define PAINT 0xa5u

extern uint8_t stack_bottom[];
extern uint8_t stack_top[];
extern uint32_t data_load;
extern uint32_t data_start;
extern uint32_t data_end;
extern uint32_t bss_start;
extern uint32_t bss_end;

int main(void);
void reset_handler(void);
void fault_handler(void);

static uint32_t semihost(uint32_t operation, const void* argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void* r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void say(const char* text) {
    (void)semihost(SYS_WRITE0, text);
}

void say_number(uint32_t value) {
    char text[11];
    size_t at = sizeof(text) - 1u;

    text[at] = '\0';
    do {
        at--;
        text[at] = (char)('0' + (value % 10u));
        value /= 10u;
    } while (value != 0u);
    say(&text[at]);
}

size_t read_host_file(const char* path, uint8_t* data, size_t room) {
    const uint32_t open[3] = {(uint32_t)(uintptr_t)path, OPEN_READ_BINARY, (uint32_t)strlen(path)};
    const uint32_t handle = semihost(SYS_OPEN, open);
    size_t size = 0u;

    if (handle == UINT32_MAX) {
        return 0u;
    }
    const uint32_t length = semihost(SYS_FLEN, &handle);
    if ((length != UINT32_MAX) && (length <= room)) {
        const uint32_t read[3] = {handle, (uint32_t)(uintptr_t)data, length};
        size = (semihost(SYS_READ, read) == 0u) ? length : 0u; /* the result is what was not read */
    }
    (void)semihost(SYS_CLOSE, &handle);
    return size;
}

static uint8_t* stack_pointer(void) {
    uint8_t* sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

void stack_paint(void) {
    const uint8_t* limit = stack_pointer() - 64;
    for (volatile uint8_t* p = stack_bottom; p < limit; p++) {
        *p = PAINT;
    }
}

uint32_t stack_used(void) {
    const uint8_t* p = stack_bottom;
    while ((p < stack_top) && (*p == PAINT)) {
        p++;
    }
    return (uint32_t)(stack_pointer() - p);
}

void finish(int failed) {
    (void)semihost(SYS_EXIT,
                   (const void*)(uintptr_t)((failed != 0) ? STOPPED_RUN_TIME_ERROR : STOPPED_APPLICATION_EXIT));
    for (;;) {
    }
}

void fault_handler(void) {
    say("the processor faulted\n");
    finish(1);
}

void reset_handler(void) {
    const uint32_t* from = &data_load;
    for (uint32_t* to = &data_start; to < &data_end; to++) {
        *to = *from;
        from++;
    }
    for (uint32_t* to = &bss_start; to < &bss_end; to++) {
        *to = 0u;
    }
    finish(main());
}

struct vector_table {
    uint8_t* initial_stack;
    void (*system[15])(void);
};

__attribute__((section(".vectors"), used)) static const struct vector_table vectors = {
    .initial_stack = stack_top,
    .system = {reset_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
               fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler, fault_handler,
               fault_handler},
};
