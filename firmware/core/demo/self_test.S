/* The self-test region: 40,960 words (160 KiB) of a linear congruential sequence that main.c computes anew and compares. It
 * gives the image the size of a real application, and a bit that flips on the way into the slot is found by the image itself. */
    .syntax unified
    .section .self_test, "a", %progbits
    .balign 4
    .global self_test_region
self_test_region:
    .set word, 1
    .rept 40960
    .set word, (word * 1664525 + 1013904223) & 0xffffffff
    .long word
    .endr
    .global self_test_region_end
self_test_region_end:
