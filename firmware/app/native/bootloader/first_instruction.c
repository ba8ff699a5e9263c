/* MCUboot as a Linux process ends by jumping into the primary slot, where the CPU would find the image's first
 * instruction. Nothing is mapped there: the jump is caught, said, and the process ends with 0, so that a launcher can
 * run what the slot holds. Any other fault stays a fault. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "nsi_tasks.h"

#define PRIMARY_SLOT 0x10000u
#define PRIMARY_SLOT_END 0xf8000u

static void fault(int number, siginfo_t* info, void* context) {
    const uintptr_t at = (uintptr_t)info->si_addr;

    (void)context;
    if (at >= PRIMARY_SLOT && at < PRIMARY_SLOT_END) {
        static const char text[] = "the bootloader jumped into the primary slot\n";
        (void)!write(STDOUT_FILENO, text, sizeof(text) - 1u);
        _exit(0);
    }
    (void)signal(number, SIG_DFL);
}

static void catch_jump(void) {
    static char stack[16384];
    const stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
    const struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    (void)sigaltstack(&other, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
}

NSI_TASK(catch_jump, PRE_BOOT_2, 10);
