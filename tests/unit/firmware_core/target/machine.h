/* The machine below the target tests: a Cortex-M33 in QEMU that reaches its host by semihosting (Arm IHI/DUI0471). */
#ifndef FOTA_TARGET_MACHINE_H
#define FOTA_TARGET_MACHINE_H

#include <stddef.h>
#include <stdint.h>

void say(const char* text);
void say_number(uint32_t value);

/* Reads a file of the host, whole; its size, or 0 when it cannot be read or is larger than `room`. */
size_t read_host_file(const char* path, uint8_t* data, size_t room);

/* Paints the unused stack; afterwards stack_used() is the deepest use since, in bytes. */
void stack_paint(void);
uint32_t stack_used(void);

/* Ends QEMU: its exit status is 0 or 1. */
_Noreturn void finish(int failed);

#endif
