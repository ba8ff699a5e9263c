/* Vector table and start-up code for the nRF9160 (Arm Cortex-M33), without a C library. */
#include <stdint.h>
#include <string.h>

#define INTERRUPTS 65u /* nRF9160 product specification: peripherals up to id 64 */

extern uint32_t stack_top;
extern uint32_t data_load;
extern uint32_t data_start;
extern uint32_t data_end;
extern uint32_t bss_start;
extern uint32_t bss_end;

int main(void);
void reset_handler(void);
void default_handler(void);

void default_handler(void) {
    for (;;) {
        __asm__ volatile("wfi");
    }
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
    (void)main();
    default_handler();
}

struct vector_table {
    uint32_t* initial_stack;
    void (*system[15])(void);
    void (*interrupt[INTERRUPTS])(void);
};

__attribute__((section(".vectors"), used)) static const struct vector_table vectors = {
    .initial_stack = &stack_top,
    .system = {reset_handler, default_handler, default_handler, default_handler, default_handler, default_handler,
               default_handler, default_handler, default_handler, default_handler, default_handler, default_handler,
               default_handler, default_handler, default_handler},
    .interrupt = {[0 ... INTERRUPTS - 1u] = default_handler},
};

void* memcpy(void* restrict to, const void* restrict from, size_t size) {
    uint8_t* out = to;
    const uint8_t* in = from;
    for (size_t i = 0u; i < size; i++) {
        out[i] = in[i];
    }
    return to;
}

void* memset(void* to, int value, size_t size) {
    uint8_t* out = to;
    for (size_t i = 0u; i < size; i++) {
        out[i] = (uint8_t)value;
    }
    return to;
}

int memcmp(const void* a, const void* b, size_t size) {
    const uint8_t* left = a;
    const uint8_t* right = b;
    for (size_t i = 0u; i < size; i++) {
        if (left[i] != right[i]) {
            return (left[i] < right[i]) ? -1 : 1;
        }
    }
    return 0;
}
