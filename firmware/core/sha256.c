#include "core/sha256.h"

#include <string.h>

#define BLOCK 64u

static uint32_t rotate(uint32_t x, uint32_t n) {
    return (x >> n) | (x << (32u - n));
}

static void compress(struct fota_sha256* sha) {
    static const uint32_t k[64] = {
        0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u, 0xab1c5ed5u,
        0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu, 0x9bdc06a7u, 0xc19bf174u,
        0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu, 0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau,
        0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u, 0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u,
        0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu, 0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u,
        0xa2bfe8a1u, 0xa81a664bu, 0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u,
        0x19a4c116u, 0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
        0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u, 0xc67178f2u};
    uint32_t w[64];
    uint32_t v[8];

    for (uint32_t i = 0u; i < 16u; i++) {
        const uint8_t* p = &sha->block[4u * i];
        w[i] = ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | (uint32_t)p[3];
    }
    for (uint32_t i = 16u; i < 64u; i++) {
        const uint32_t s0 = rotate(w[i - 15u], 7u) ^ rotate(w[i - 15u], 18u) ^ (w[i - 15u] >> 3);
        const uint32_t s1 = rotate(w[i - 2u], 17u) ^ rotate(w[i - 2u], 19u) ^ (w[i - 2u] >> 10);
        w[i] = w[i - 16u] + s0 + w[i - 7u] + s1;
    }
    (void)memcpy(v, sha->state, sizeof(v));
    for (uint32_t i = 0u; i < 64u; i++) {
        const uint32_t s1 = rotate(v[4], 6u) ^ rotate(v[4], 11u) ^ rotate(v[4], 25u);
        const uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        const uint32_t s0 = rotate(v[0], 2u) ^ rotate(v[0], 13u) ^ rotate(v[0], 22u);
        const uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + t2;
    }
    for (uint32_t i = 0u; i < 8u; i++) {
        sha->state[i] += v[i];
    }
}

int fota_sha256_start(void* context) {
    static const uint32_t initial[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                        0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
    struct fota_sha256* sha = (struct fota_sha256*)context;

    (void)memcpy(sha->state, initial, sizeof(initial));
    sha->total = 0u;
    return 0;
}

int fota_sha256_update(void* context, const void* data, size_t size) {
    struct fota_sha256* sha = (struct fota_sha256*)context;
    const uint8_t* bytes = (const uint8_t*)data;
    size_t left = size;

    while (left > 0u) {
        const size_t filled = (size_t)(sha->total % BLOCK);
        const size_t room = BLOCK - filled;
        const size_t part = (left < room) ? left : room;
        (void)memcpy(&sha->block[filled], bytes, part);
        sha->total += part;
        if (part == room) {
            compress(sha);
        }
        bytes = &bytes[part];
        left -= part;
    }
    return 0;
}

int fota_sha256_digest(void* context, uint8_t out[FOTA_DIGEST_SIZE]) {
    static const uint8_t padding[BLOCK] = {0x80u};
    struct fota_sha256 sha = *(const struct fota_sha256*)context; /* a copy: more updates may follow */
    const uint64_t bits = sha.total * 8u;
    const size_t filled = (size_t)(sha.total % BLOCK);
    uint8_t length[8];

    for (uint32_t i = 0u; i < sizeof(length); i++) {
        length[i] = (uint8_t)(bits >> (56u - (8u * i)));
    }
    /* 0x80 and zeros up to the length, which ends a block: this one's, or the next when it has no room. */
    (void)fota_sha256_update(&sha, padding, (filled < 56u) ? (56u - filled) : (120u - filled));
    (void)fota_sha256_update(&sha, length, sizeof(length));
    for (uint32_t i = 0u; i < FOTA_DIGEST_SIZE; i++) {
        out[i] = (uint8_t)(sha.state[i / 4u] >> (24u - (8u * (i % 4u))));
    }
    return 0;
}
