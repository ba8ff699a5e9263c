#include "provision/minting.hpp"

#include <openssl/rand.h>

namespace fota::provision {

Result<Secret<Bytes>> mint_key() {
    Bytes key(minted_key_bytes);
    if (RAND_priv_bytes(key.data(), static_cast<int>(key.size())) != 1)
        return fail(Errc::internal, "libcrypto has no random bytes to make a key of");
    return Secret<Bytes>(std::move(key));
}

}  // namespace fota::provision
