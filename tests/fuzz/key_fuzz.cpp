// Any bytes as a key file, public or private, with a passphrase and without.
#include "image/key.hpp"

using namespace fota;

/// libcrypto takes and gives back much memory for one key: without this most of the time goes into fresh pages, and
/// into who called whom for each block. Whoever looks for a fault asks for that: ASAN_OPTIONS=malloc_context_size=30.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=1:max_malloc_fill_size=0:malloc_context_size=1";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes(data, size);
    if (const auto key = image::PublicKey::parse(bytes)) {
        // What was read can be written and read again.
        const auto again = image::PublicKey::parse(key->encoded());
        if (!again || !(*again == *key)) __builtin_trap();
    }
    // An encrypted key names its own number of PBKDF2 rounds: hours of honest work, not a hang of ours.
    if (!image::is_encrypted_key(bytes)) (void)image::PrivateKey::parse(bytes);
    return 0;
}
